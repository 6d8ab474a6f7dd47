"""A model bundle from a run folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import load_file

from rtseg.core import BundleError
from rtseg.dicom.atomic import whole_folder
from rtseg.segmentation.review import Limits
from rtseg.systems import LIMITS, About, Parts, System, Task, read_limits, read_system, read_task, write_bundle
from rtseg.systems.bundle import SCALE, TRANSLATOR, read_scale
from rtseg.training import Run

Weights = Literal["best", "last"]

CARD = """# {name} {version}

**Not a medical device. Research use: every contour needs a human's review.**

Made by `rtseg bundle` from step {step}. Nothing was measured yet: no accuracy is claimed.

{about}
"""


@dataclass(frozen=True)
class BundleOrder:
    """What a user asks of `rtseg bundle`: the run, where to, the bundle's name and version, and which weights.

    weights: a segmenter's averaged weights that validated best, or those of the last checkpoint. A translator's are its last.
    finder: folder of the model that looks first, on a coarser grid.
    """

    run: Path
    output: Path
    name: str
    version: str = "0.1"
    weights: Weights = "best"
    finder: Path | None = None


def make_bundle(order: BundleOrder) -> Path:
    """Write the bundle of a segmenter's run, or of a translator's.

    A segmenter that sees a synthetic MR brings the translator that it was trained with. Raises BundleError if the run has no such
    weights, OutputError if the output holds something.
    """
    if not (order.run / "system.yaml").is_file():
        raise BundleError(f"{order.run} is no run folder (system.yaml is missing); make one with: rtseg train")
    system = read_system(str(order.run / "system.yaml"))
    task = read_task(str(order.run / "task.yaml"))
    parts = _of_translator(order, system, task) if is_translators(order.run) else _of_segmenter(order, system, task)
    with whole_folder(order.output, overwrite=False) as folder:
        write_bundle(folder, parts)
    return order.output


def is_translators(run: Path) -> bool:
    """Whether a run folder is a translator's: that of a segmenter has limits."""
    return not (run / LIMITS).is_file()


def _of_segmenter(order: BundleOrder, system: System, task: Task) -> Parts:
    weights, step = _weights(order)
    about = About(order.name, order.version, step)
    card = CARD.format(name=about.name, version=about.version, step=step, about=f"Organs: {', '.join(task.organs)}.")
    limits, file = read_limits(order.run / LIMITS), order.run / TRANSLATOR
    made = Parts(about, system, task, weights, limits, card, finder=order.finder)
    if not system.sees_mr:
        return made
    return replace(made, translator=load_file(file), scale=read_scale(order.run / SCALE))


def _of_translator(order: BundleOrder, system: System, task: Task) -> Parts:
    """The averaged generator; of its system the part that makes the synthetic MR."""
    if order.finder is not None:
        raise BundleError(f"{order.run} makes a synthetic MR and contours nothing: it has no use for a finder")
    last = Run(order.run).last()
    if last is None:
        raise BundleError(f"{order.run} has no weights yet: train it longer")
    about = About(order.name, order.version, last.step)
    card = CARD.format(name=about.name, version=about.version, step=last.step, about="Makes a synthetic MR; contours nothing.")
    weights, scale = _of("average", last.weights), read_scale(order.run / SCALE)
    return Parts(about, system.without_segmenter(), task, None, Limits(), card, weights, scale)


def _weights(order: BundleOrder) -> tuple[dict[str, Any], int]:
    """Averaged weights without their network's name, and the step they were taken at."""
    run = Run(order.run)
    best = run.best() if order.weights == "best" else None
    if best is not None:
        return _of("segmenter", load_file(order.run / "best.safetensors")), int(best["step"])
    last = run.last()
    if order.weights == "last" and last is not None:
        return _of("average", last.weights), last.step
    other = "; with no validation case there is no best: take the last ones with --last" if last is not None else ""
    raise BundleError(f"{order.run} has no {order.weights} weights yet: train it longer{other}")


def _of(name: str, weights: Any) -> dict[str, Any]:
    return {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
