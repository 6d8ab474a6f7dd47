"""`rtseg check`: what is in a folder or a NIfTI file, and can its CT be contoured?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtseg.cli.terminal import Bar, answer, answer_findings, answer_json, exit_strictly, table

if TYPE_CHECKING:
    from rtseg.jobs.check import CheckResult

MANY_FILES = 5000
"""A folder with more is looked at for longer than a second or two: progress is told, each time so many are done."""


def check(
    source: Annotated[
        Path, typer.Argument(metavar="CT", help="Folder with DICOM files, nested or mixed as they come, or a NIfTI CT.")
    ],
    series: Annotated[str | None, typer.Option(help="Series UID, or its unique ending, if the folder has several CTs.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are findings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Tell what was found, what is odd but tolerated, and what is refused (exit code 1).

    Example: rtseg check CT_DIR
    """
    from rtseg.jobs.check import check_ct

    with _progress() as told:
        result = check_ct(source, series, told)
    if as_json:
        answer_json(result.as_dict())
    else:
        _answer(result)
    if result.error is not None:
        raise typer.Exit(1)
    exit_strictly(result.findings, strict)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Tells of the files of a large folder as they are looked at; nothing of a patient's own."""
    bar = Bar("files looked at:", every=MANY_FILES)

    def told(count: int, total: int) -> None:
        if total < MANY_FILES:
            return
        if count == 1:
            bar.begin(total)
        bar.reach(count, "")

    try:
        yield told
    finally:
        bar.end()


def _answer(result: CheckResult) -> None:
    rows = [
        (row.modality, str(row.images), row.series_instance_uid, row.left_out or "may be a planning CT") for row in result.series
    ]
    if rows:
        table(("modality", "images", "series", ""), rows)
    if result.other_files:
        answer(f"{result.other_files} other files")
    if result.grid is not None:
        grid = result.grid
        answer(
            f"planning CT: {grid.slices} slices of {grid.rows} x {grid.columns}, "
            f"pixels {grid.row_spacing_mm:g} x {grid.column_spacing_mm:g} mm, "
            f"slices {grid.smallest_gap_mm:g} to {grid.largest_gap_mm:g} mm apart, {grid.lowest_hu:g} to {grid.highest_hu:g} HU"
        )
    answer_findings(result.findings)
    if result.error is not None:
        answer(f"refused: {result.error}")
    elif result.grid is not None and result.grid.has_hole:
        answer("slices are missing: can be contoured with --allow-gaps")
    else:
        answer("can be contoured")
