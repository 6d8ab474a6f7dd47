"""`rtseg convert`: structure sets to NIfTI masks and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtseg.cli.terminal import answer, answer_findings, answer_json, errors_as_json, exit_strictly, say, table

if TYPE_CHECKING:
    from rtseg.jobs.convert import Converted


def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="RTSTRUCT, folder of NIfTI masks, or a tree of either.")],
    output: Annotated[Path, typer.Option(help="Folder of masks, or RTSTRUCT file; for a tree a folder that mirrors it.")],
    ct: Annotated[
        Path | None, typer.Option(help="Folder of the CT; for a tree of masks a tree with the same sub-folders.")
    ] = None,
    series: Annotated[str | None, typer.Option(help="Series UID, or its unique ending, if the folder has several CTs.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are findings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON; an error too.")] = False,
) -> None:
    """Convert a structure set into one NIfTI mask for each ROI, or such masks into a structure set; no mask is ever resampled.

    Exit code 1 if one of a tree could not be converted.

    Example: rtseg convert RS.dcm --ct CT_DIR --output MASKS_DIR
    """
    from rtseg.jobs.convert import ConvertOrder
    from rtseg.jobs.convert import convert as run

    with errors_as_json(as_json):
        rows = run(ConvertOrder(source, output, ct, series, overwrite), say)
    if as_json:
        answer_json([row.as_dict() for row in rows])
    else:
        _answer(rows)
    if any(row.error is not None for row in rows):
        raise typer.Exit(1)
    exit_strictly([finding for row in rows for finding in row.findings], strict)


def _answer(rows: list[Converted]) -> None:
    done = [row for row in rows if row.error is None]
    lines = [(row.output, name, f"{ml:.1f}") for row in done for name, ml in row.rois_ml.items()]
    if lines:
        table(("written", "ROI", "ml"), lines)
    answer_findings([finding for row in done for finding in row.findings])
    for row in rows:
        if row.error is not None:
            answer(f"not converted: {row.error}")
    answer(f"{len(done)} converted, {len(rows) - len(done)} not")
