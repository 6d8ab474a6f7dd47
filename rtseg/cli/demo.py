"""`rtseg demo`: the whole road on a real patient, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtseg.cli.contour import REVIEW
from rtseg.cli.terminal import answer, answer_findings, say, steps, table

if TYPE_CHECKING:
    from rtseg.metrics.cohort import Score


def demo(
    output: Annotated[Path, typer.Option(help="Folder for the CT, the structure set and the report.")] = Path("rtseg-demo"),
    model: Annotated[str, typer.Option(help="Name of a model that ships, or a bundle's folder.")] = "head_neck",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads of the network (torch); reading and resampling take their own. All if not given."),
    ] = None,
) -> None:
    """Contour a real planning CT, export it, read it back and compare it with the manual contours.

    Example: rtseg demo --output DEMO_DIR
    """
    from rtseg.jobs.demo import demo as walk
    from rtseg.jobs.stopwatch import Stopwatch
    from rtseg.systems import bundle_folder, load_bundle
    from rtseg.training import choose_compute

    watch = Stopwatch(steps())
    with watch.step("load model"):
        bundle = load_bundle(bundle_folder(model), choose_compute(threads))
    done = walk(output, bundle, watch)
    result = done.result
    answer(f"{done.words}; model {result.model}")
    rows = [(name, f"{ml:.1f}", *_figures(done.agreement.get(name))) for name, ml in result.volumes_ml.items()]
    table(("organ", "ml", "DSC", "HD95 mm"), rows)
    if done.agreement:
        answer("DSC and HD95 against the manual contours; this patient helped to choose the model's weights.")
    answer_findings(result.findings)
    answer("seconds: " + ", ".join(f"{step} {s:.1f}" for step, s in result.timings.items()))
    answer(f"planning CT: {output / 'ct'}")
    answer(f"structure set: {result.output}")
    answer(f"report: {done.report}")
    if done.evaluation is not None:
        answer(f"evaluation: {done.evaluation / 'report.html'}")
    say(REVIEW)


def _figures(score: Score | None) -> tuple[str, str]:
    """DSC and HD95 as printed: a dash where nobody contoured the organ, nothing where a distance is not defined."""
    if score is None:
        return "-", "-"
    dsc, hd95_mm = score.figures["dsc"], score.figures["hd95_mm"]
    return "" if dsc is None else f"{dsc:.2f}", "" if hd95_mm is None else f"{hd95_mm:.1f}"
