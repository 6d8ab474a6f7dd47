"""`rtseg data`: cases from everywhere, and made ready for training."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtseg.cli.options import OrganNames
from rtseg.cli.terminal import Bar, answer, answer_json, say, table

if TYPE_CHECKING:
    from rtseg.jobs.import_cases import Imported, Row, Target

app = typer.Typer(no_args_is_help=True, help="Cases from everywhere, and made ready for training.")

KEY_HELP = "CSV that tells who each case is; outside OUTPUT. Needed to add persons from another source later."
SPLITS_HELP = "CSV with the columns person and split (train, validation, or test: not imported)."
SOURCE, OUTPUT = "SOURCE", "OUTPUT"

FILES_EVERY = 2000
"""A line of progress after so many files."""

Output = Annotated[Path, typer.Argument(metavar=OUTPUT, help="Folder for the cases; one that holds some is added to.")]
Validation = Annotated[float, typer.Option(min=0, max=0.99, help="Share of the persons for validation.")]
Seed = Annotated[int, typer.Option(min=0, help="Decides who is drawn for validation.")]
SplitTable = Annotated[Path | None, typer.Option("--splits", help=SPLITS_HELP)]
Key = Annotated[Path | None, typer.Option(help=KEY_HELP)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be made; write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="The answer as JSON.")]


@app.command("dicom")
def dicom(
    source: Annotated[Path, typer.Argument(metavar=SOURCE, help="Folder with CT and RTSTRUCT of many patients, as they come.")],
    output: Output,
    names: OrganNames = None,
    mr: Annotated[str, typer.Option(help="Only an MR whose series description holds these words.")] = "",
    validation: Validation = 0.2,
    seed: Seed = 0,
    splits: SplitTable = None,
    key: Key = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a case of every CT that a structure set was drawn on, with the MR of its frame of reference.

    Example: rtseg data dicom DICOM_DIR CASES_DIR --map names.yaml --dry-run
    """
    from rtseg.jobs.import_dicom import DicomOrder, Listeners, import_dicom

    bar = Bar("reading", every=1)
    heard = Listeners(lambda n: say(f"{n} files seen ...") if n % FILES_EVERY == 0 else None, bar.begin, bar.advance)
    order = DicomOrder(source, _target(output, validation, seed, splits, key, dry_run), names, mr)
    try:
        result = import_dicom(order, heard)
    finally:
        bar.end()
    _answer(result, output, as_json)


@app.command("nifti")
def nifti(
    source: Annotated[Path, typer.Argument(metavar=SOURCE, help="Folder of folders with ct.nii.gz and one mask per organ.")],
    output: Output,
    names: OrganNames = None,
    validation: Validation = 0.2,
    seed: Seed = 0,
    splits: SplitTable = None,
    key: Key = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a case of every folder with a NIfTI CT and masks called as their organs.

    Example: rtseg data nifti NIFTI_DIR CASES_DIR --dry-run
    """
    from rtseg.jobs.import_nifti import NiftiOrder, import_nifti

    bar = Bar("reading", every=1)
    order = NiftiOrder(source, _target(output, validation, seed, splits, key, dry_run), names)
    try:
        result = import_nifti(order, bar.begin, bar.advance)
    finally:
        bar.end()
    _answer(result, output, as_json)


@app.command("openkbp")
def openkbp(
    source: Annotated[Path, typer.Argument(metavar=SOURCE, help="The challenge's repository, or its folder provided-data.")],
    output: Output,
    split: Annotated[
        list[str] | None, typer.Option(help="train, validation or test, more than one by repeating; the first two if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make cases of the OpenKBP challenge's CSV files; slices that are blanked outside the contours are cropped.

    Example: rtseg data openkbp OPENKBP_DIR CASES_DIR
    """
    from rtseg.jobs.import_openkbp import OpenKbpOrder, import_openkbp, openkbp_splits

    bar = Bar("reading", every=10)
    try:
        result = import_openkbp(OpenKbpOrder(source, output, openkbp_splits(split)), bar.begin, bar.advance)
    finally:
        bar.end()
    _answer(result, output, as_json)


@app.command("pack")
def pack(
    source: Annotated[Path, typer.Argument(metavar="CASES", help="Case folders (case.json), or a tree with index.csv.")],
    output: Annotated[Path, typer.Option(help="New folder for the packed data.")],
    task: Annotated[str, typer.Option(help="Task that ships, or a YAML file.")] = "head_neck",
    mr: Annotated[
        Path | None,
        typer.Option(help="MRs of other people, NIfTI: index.csv with the columns file and split, or folders train, validation."),
    ] = None,
) -> None:
    """Bring every case onto the task's working grid, once, for training. A case's own MR comes along.

    Example: rtseg data pack CASES_DIR --task head_neck --output PACKED_DIR --mr MR_DIR
    """
    from rtseg.jobs.pack_data import pack_data

    bar = Bar("packing", every=10)
    try:
        count = pack_data(source, output, task, bar.begin, bar.advance, mr)
    finally:
        bar.end()
    answer(f"{count} {'cases' if mr is None else 'cases and MRs'} packed into {output}")


def _target(output: Path, validation: float, seed: int, splits: Path | None, key: Path | None, dry_run: bool) -> Target:
    from rtseg.data.splits import Splits, read_splits
    from rtseg.jobs.import_cases import Target

    known = None if splits is None else read_splits(splits)
    return Target(output, Splits(validation, seed, known), key, dry_run)


def _answer(result: Imported, output: Path, as_json: bool) -> None:
    """The table, then what a human should look at; exit code 1 if any failed."""
    if as_json:
        answer_json(result.as_dict())
    else:
        _answer_table(result.rows)
        _answer_words(result)
        _answer_labels(result)
        told = [f"{n} {state}" for state, n in result.counts.items()]
        told += [f"{len(result.broken)} files cannot be read"] if result.broken else []
        answer(f"{', '.join(told)}; cases: {output}")
    if result.failed:
        raise typer.Exit(1)


def _answer_table(rows: Sequence[Row]) -> None:
    head = ("patient", "split", "CT", "slices", "structures", "MR", "organs", "unmatched", "")
    cells = [
        (
            *(row.patient or "-", row.split or "-", row.found, str(row.slices), row.structures or "-", row.mr or "-"),
            *(str(len(row.organs)), str(len(row.unmatched)), row.state),
        )
        for row in rows
    ]
    table(head, cells)


def _answer_words(result: Imported) -> None:
    """Problems and notes, scan by scan; what was left out for one reason is counted."""
    for row in result.rows:
        words = [f"{row.state}: {row.problem}"] if row.problem and not row.is_left_out else []
        for line in (*words, *row.notes):
            answer(f"  {row.patient or row.found}: {line}")
    left_out = Counter(row.problem for row in result.rows if row.is_left_out)
    for problem, n in left_out.items():
        answer(f"  left out: {n} x {problem}")
    for line in (
        *(f"left out: {line}" for line in result.left_out),
        *(f"failed: {line}" for line in result.broken),
        *result.hints,
    ):
        answer(f"  {line}")


def _answer_labels(result: Imported) -> None:
    """What each organ is called in the source, and which labels mean none."""
    if result.labels:
        answer("organ: what it is called in how many scans")
    for organ, labels in result.labels.items():
        answer(f"  {organ}: " + ", ".join(f"{label} {n}" for label, n in labels.items()))
    if result.unmatched:
        answer(
            f"{len(result.unmatched)} labels mean no organ that rtseg knows. Put them into a YAML file, each with its TG-263 name"
        )
        answer("where it is an organ, with null where it is none, and give the file with --map:")
    for label, n in result.unmatched.items():
        answer(f"  {json.dumps(label, ensure_ascii=False)}: null  # {n} x")
