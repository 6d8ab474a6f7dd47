"""`rtseg contour`: planning CT in, structure set out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rtseg.cli import options
from rtseg.cli.terminal import answer, answer_findings, answer_json, errors_as_json, exit_strictly, say, steps, table
from rtseg.core import Confidence

if TYPE_CHECKING:
    from rtseg.jobs.contour_order import ContourOrder, ContourResult

REVIEW = "Not a medical device. Every contour needs a human's review before it is used."


def contour(
    source: Annotated[Path, typer.Argument(metavar="CT", help="Folder with a planning CT as DICOM, or a NIfTI CT.")],
    output: Annotated[Path, typer.Option(help="RTSTRUCT file; for a NIfTI CT a folder of masks.")],
    model: Annotated[str, typer.Option(help="Name of a model that ships, or a bundle's folder.")] = "head_neck",
    report: Annotated[Path | None, typer.Option(help="Folder for the HTML report.")] = None,
    organs: Annotated[str | None, typer.Option(help="Only these organs, separated by commas.")] = None,
    body: Annotated[bool, typer.Option("--body", help="The body's outline too (External).")] = False,
    series: Annotated[str | None, typer.Option(help="Series UID, or its unique ending, if the folder has several CTs.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there.")] = False,
    allow_gaps: Annotated[bool, typer.Option("--allow-gaps", help="Go on if slices are missing.")] = False,
    names: options.Names = None,
    subvoxel: options.Subvoxel = False,
    simplify_mm: options.SimplifyMm = 0.0,
    min_area_mm2: options.MinAreaMm2 = 0.0,
    append: Annotated[
        Path | None, typer.Option(metavar="RS_OLD", help="Write a structure set that holds the ROIs of this one, too.")
    ] = None,
    clash: Annotated[
        Literal["refuse", "replace", "suffix"], typer.Option(help="With --append, where an ROI of the name is there already.")
    ] = "refuse",
    allow_approved: Annotated[bool, typer.Option("--allow-approved", help="Append to an approved structure set, too.")] = False,
    seg: Annotated[Path | None, typer.Option(metavar="FILE", help="The organs as a DICOM Segmentation too.")] = None,
    write_smr: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The synthetic MR as a DICOM series too (or NIfTI, as FILE.nii.gz).")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are findings.")] = False,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads of the network (torch); reading and resampling take their own. All if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON; an error too.")] = False,
) -> None:
    """Contour a planning CT.

    Example: rtseg contour CT_DIR --model head_neck --output RS.dcm --report REPORT_DIR
    """
    from rtseg.dicom import Clash
    from rtseg.jobs.contour_order import ContourOrder

    wanted = None if organs is None else tuple(name.strip() for name in organs.split(",") if name.strip())
    with errors_as_json(as_json):
        writing = options.writing(names, subvoxel, simplify_mm, min_area_mm2)
        writing = replace(writing, append_to=append, clash=Clash(clash), allow_approved=allow_approved, seg=seg)
        order = ContourOrder(
            source, output, wanted, body, report, series, overwrite, allow_gaps, writing=writing, write_smr=write_smr
        )
        result = _contour(order, model, threads)
    if as_json:
        answer_json(result.as_dict())
    else:
        answer_result(result)
    exit_strictly(result.findings, strict)


def _contour(order: ContourOrder, model: str, threads: int | None) -> ContourResult:
    from rtseg.jobs.contour import contour_series
    from rtseg.jobs.stopwatch import Stopwatch
    from rtseg.systems import bundle_folder, load_bundle
    from rtseg.training import choose_compute

    watch = Stopwatch(steps())
    with watch.step("load model"):
        bundle = load_bundle(bundle_folder(model), choose_compute(threads))
    return contour_series(order, bundle, watch)


def answer_result(result: ContourResult) -> None:
    """Organs with volumes and, where the model is calibrated, predicted DSC; findings, timings and where things lie."""
    answer(f"{result.name}, model {result.model}")
    head = ["organ", "ml"]
    rows = [[name, f"{ml:.1f}" if ml else "not found"] for name, ml in result.volumes_ml.items()]
    if any(about.predicted_dsc is not None for about in result.confidence.values()):
        head += ["predicted DSC", "9 of 10 above"]
        rows = [[*row, *_predicted(result.confidence.get(row[0]))] for row in rows]
    table(head, rows)
    answer_findings(result.findings)
    answer("seconds: " + ", ".join(f"{step} {s:.1f}" for step, s in result.timings.items()))
    answer(f"written: {result.output}")
    if result.report is not None:
        answer(f"report: {result.report}")
    say(REVIEW)


def _predicted(about: Confidence | None) -> tuple[str, str]:
    """Predicted DSC and its lower bound as printed; a dash each where there is none."""
    if about is None or about.predicted_dsc is None or about.at_least is None:
        return "-", "-"
    return f"{about.predicted_dsc:.2f}", f"{about.at_least:.2f}"
