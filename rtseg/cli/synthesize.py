"""`rtseg synthesize`: planning CT in, MR-like series out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtseg.cli.terminal import answer, answer_findings, answer_json, errors_as_json, exit_strictly, say, steps

NOT_AN_MR = "Not an MR: every value was made from the CT, and nothing is in it that the CT does not tell. Never diagnose on it."


def synthesize(
    source: Annotated[Path, typer.Argument(metavar="CT", help="Folder with a planning CT as DICOM, or a NIfTI CT.")],
    output: Annotated[Path, typer.Option(help="Folder for the DICOM series, or a file whose name ends in .nii.gz.")],
    model: Annotated[str, typer.Option(help="A bundle's folder, or the name of a model that ships and makes synthetic MR.")],
    series: Annotated[str | None, typer.Option(help="Series UID, or its unique ending, if the folder has several CTs.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there.")] = False,
    allow_gaps: Annotated[bool, typer.Option("--allow-gaps", help="Go on if slices are missing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go on where nothing of the model's region is in view.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are findings.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of the network (torch). All if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON; an error too.")] = False,
) -> None:
    """Make a synthetic MR of a planning CT, in its frame of reference.

    Example: rtseg synthesize CT_DIR --model MODEL_DIR --output MR_DIR
    """
    from rtseg.jobs.stopwatch import Stopwatch
    from rtseg.jobs.synthesize import SynthesizeOrder, synthesize_series
    from rtseg.systems import bundle_folder, load_translator
    from rtseg.training import choose_compute

    with errors_as_json(as_json):
        watch = Stopwatch(steps())
        with watch.step("load model"):
            bundle = load_translator(bundle_folder(model), choose_compute(threads))
        order = SynthesizeOrder(source, output, series, overwrite, allow_gaps, force)
        result = synthesize_series(order, bundle, watch)
    if as_json:
        answer_json(result.as_dict())
    else:
        answer(f"{result.name}, model {result.model}")
        answer_findings(result.findings)
        answer("seconds: " + ", ".join(f"{step} {s:.1f}" for step, s in result.timings.items()))
        answer(f"written: {result.output}")
        say(NOT_AN_MR)
    exit_strictly(result.findings, strict)
