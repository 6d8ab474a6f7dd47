"""A model bundle from a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rtseg.core import BundleError
from rtseg.dicom.atomic import whole_folder
from rtseg.systems import LIMITS, About, Parts, read_limits, read_system, read_task, write_bundle
from rtseg.training import Run

Weights = Literal["best", "last"]

CARD = """# {name} {version}

**Not a medical device. Research use: every contour needs a human's review.**

Made by `rtseg bundle` from step {step}. Nothing was measured yet: no accuracy is claimed.

Organs: {organs}.
"""


@dataclass(frozen=True)
class BundleOrder:
    """What a user asks of `rtseg bundle`: the run, where to, the bundle's name and version, and which weights.

    weights: the averaged weights that validated best, or those of the last checkpoint.
    """

    run: Path
    output: Path
    name: str
    version: str = "0.1"
    weights: Weights = "best"


def make_bundle(order: BundleOrder) -> Path:
    """Write the bundle. Raises BundleError if the run has no such weights, OutputError if the output holds something."""
    if not (order.run / "system.yaml").is_file():
        raise BundleError(f"{order.run} is no run folder (system.yaml is missing); make one with: rtseg train segmentation")
    system = read_system(str(order.run / "system.yaml"))
    task = read_task(str(order.run / "task.yaml"))
    weights, step = _weights(order)
    about = About(order.name, order.version, step)
    card = CARD.format(name=about.name, version=about.version, step=step, organs=", ".join(task.organs))
    with whole_folder(order.output, overwrite=False) as folder:
        write_bundle(folder, Parts(about, system, task, weights, read_limits(order.run / LIMITS), card))
    return order.output


def _weights(order: BundleOrder) -> tuple[dict[str, Any], int]:
    """Averaged weights without their network's name, and the step they were taken at."""
    from safetensors.torch import load_file

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
