"""`rtseg demo`: the whole road on a real patient, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtseg.cli.contour import REVIEW
from rtseg.cli.terminal import answer, answer_findings, say, steps, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtseg.metrics.cohort import Score


def demo(
    output: Annotated[Path, typer.Option(help="Folder for the CT, the structure set and the report.")] = Path("rtseg-demo"),
    site: Annotated[
        str, typer.Option(help="Whom to show: head_neck, a real patient, or male_pelvis, a simulated man.")
    ] = "head_neck",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a model that ships, or a bundle's folder. Several are shown beside each other. The site's if not given."
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads of the network (torch); reading and resampling take their own. All if not given."),
    ] = None,
) -> None:
    """Contour a real planning CT, or a simulated one, export it, read it back and compare it with the manual contours.

    Example: rtseg demo --output DEMO_DIR
    """
    from rtseg.core import ConfigError
    from rtseg.jobs.demo import SITES
    from rtseg.jobs.demo import demo as walk
    from rtseg.jobs.stopwatch import Stopwatch
    from rtseg.systems import bundle_folder, load_bundle
    from rtseg.training import choose_compute

    if site not in SITES:
        raise ConfigError(f"there is no demo of {site}; there is {', '.join(SITES)}")
    watch = Stopwatch(steps())
    with watch.step("load model"):
        compute = choose_compute(threads)
        bundles = [load_bundle(bundle_folder(name), compute) for name in model or SITES[site]]
    done = walk(output, bundles, watch, site)
    answer(done.words)
    for road in done.roads:
        result = road.result
        answer(f"model {result.model}")
        rows = [(name, f"{ml:.1f}", *_figures(road.agreement.get(name))) for name, ml in result.volumes_ml.items()]
        table(("organ", "ml", "DSC", "HD95 mm"), rows)
        answer_findings(result.findings)
        answer(_timed(result.timings))
        answer(f"structure set: {result.output}")
        if road.smr is not None:
            answer(f"synthetic MR: {road.smr}")
        answer(f"report: {result.report}")
    if done.evaluation is not None:
        answer("DSC and HD95 against the manual or exact contours.")
        answer(f"evaluation: {done.evaluation / 'report.html'}")
    answer(f"planning CT: {output / 'ct'}")
    answer(_timed(watch.seconds))
    say(REVIEW)


def _timed(seconds: Mapping[str, float]) -> str:
    return "seconds: " + ", ".join(f"{step} {s:.1f}" for step, s in seconds.items())


def _figures(score: Score | None) -> tuple[str, str]:
    """DSC and HD95 as printed: a dash where nobody contoured the organ, nothing where a distance is not defined."""
    if score is None:
        return "-", "-"
    dsc, hd95_mm = score.figures["dsc"], score.figures["hd95_mm"]
    return "" if dsc is None else f"{dsc:.2f}", "" if hd95_mm is None else f"{hd95_mm:.1f}"
