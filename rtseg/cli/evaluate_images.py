"""`rtseg evaluate-images`: synthetic MR against real MR, and against the edges of its CT."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rtseg.cli.terminal import answer, answer_json, errors_as_json, say, table

if TYPE_CHECKING:
    from rtseg.jobs.evaluate_images import ImageScores

FORMS = "NIfTI file, folder with a DICOM series, or folder of NIfTI files of many patients"


def evaluate_images(
    synthetic: Annotated[Path, typer.Argument(metavar="SYNTHETIC", help=f"Synthetic MR: {FORMS}.")],
    real: Annotated[Path | None, typer.Argument(metavar="[REAL]", help="Real MR, the same; none for the edges alone.")] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Where to compare; the body of the CT, or the whole image if not given.")
    ] = None,
    ct: Annotated[Path | None, typer.Option(help="CT the synthetic MR was made from, for the shift of its edges.")] = None,
    scaling: Annotated[
        Literal["none", "percentiles"],
        typer.Option(help="MR has no unit: compare values as they are, or 1st and 99th percentile scaled to 0 and 1."),
    ] = "none",
    data_range: Annotated[
        float | None, typer.Option(min=0, help="MAX of PSNR and SSIM; the real image's range inside the mask if not given.")
    ] = None,
    resample: Annotated[bool, typer.Option("--resample", help="Bring images on another grid onto the real one's.")] = False,
    output: Annotated[Path | None, typer.Option(help="CSV file for the figures of every patient.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON; an error too.")] = False,
) -> None:
    """Measure synthetic MR: MAE, RMSE, PSNR, SSIM, correlation, divergence and gradients against real MR, and boundary shift.

    Boundary shift compares the edges of body and bone with the CT's and needs no real MR. Exit code 1 if a patient could not be
    measured.

    Example: rtseg evaluate-images smr.nii.gz mr.nii.gz --ct ct.nii.gz
    """
    from rtseg.jobs import evaluate_images as job

    with errors_as_json(as_json):
        order = job.ImagesOrder(
            synthetic, real, mask, ct, output, job.Scaling(scaling), data_range, resample=resample, overwrite=overwrite
        )
        found = job.evaluate_images(order, lambda name: say(f"{name} ..."))
    if as_json:
        answer_json(found.as_dict())
    else:
        _answer(found, output)
    if any(score.error is not None for score in found.scores):
        raise typer.Exit(1)


def _answer(found: ImageScores, output: Path | None) -> None:
    measured = [score for score in found.scores if score.error is None]
    names = list(dict.fromkeys(name for score in measured for name in score.figures))
    rows = []
    for name in names:
        values = [value for score in measured if (value := score.figures.get(name)) is not None]
        spread = f"{statistics.stdev(values):.4g}" if len(values) > 1 and max(values) < float("inf") else "-"
        rows.append((name, str(len(values)), f"{statistics.mean(values):.4g}" if values else "-", spread))
    table(("figure", "n", "mean", "SD"), rows)
    masks = ", ".join(dict.fromkeys(score.mask for score in measured))
    answer(f"{len(measured)} measured inside: {masks}; values scaled: {found.scaling.value}")
    for score in found.scores:
        if score.error is not None:
            answer(f"not measured: {score.patient}: {score.error}")
    for side, who in found.missing.items():
        if who:
            answer(f"without {side}: {', '.join(who)}")
    if output is not None:
        answer(f"written: {output}")
