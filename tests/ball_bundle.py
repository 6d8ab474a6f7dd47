"""A model whose weights are set by hand, so that its contours are known beforehand: it finds the three balls by their HU.

The network's last stage sees each window of the CT as a ramp from -1 to 1, zero at a threshold. Everything else of it is
silent. From the ramps r1, r2, r3 the heads make ``r1 - r2 - 1``, ``r2 - r3 - 1`` and ``r3``: above one threshold and below
the next. The largest ball is the least dense, so that the rims of the denser ones, which pass through its HU, are the
smaller pieces and go.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from rtseg.imaging import Preparation
from rtseg.imaging.intensity import Scale
from rtseg.nets import DAUNet
from rtseg.segmentation.review import Limits
from rtseg.systems import About, Parts, System, Task, read_system, write_bundle

ORGANS = ("Parotid_L", "Parotid_R", "Brainstem")
HU = {60: 200, 120: 700, 200: 2200}
"""HU of the phantom's balls, and those they get here."""

WINDOWS_HU = ((0.0, 200.0), (200.0, 500.0), (700.0, 1500.0))
"""Their middles, the thresholds, lie half-way between the body (0 HU) and a ball."""

SPACING_MM = (2.5, 2.0, 2.0)


def ball_task() -> Task:
    return Task(
        task="three_balls",
        organs=ORGANS,
        preparation=Preparation(SPACING_MM, (-1000.0, 3000.0), 8.0),
    )


def ball_system() -> System:
    """ct_only, tiny, with the windows and a network that has two channels for each of its eight groups."""
    tiny = read_system("ct_only").at_size("tiny")
    sampling = replace(tiny.segmentation.sampling, patch=(24, 48, 48))  # some windows, not many
    changes = {
        "windows_hu": WINDOWS_HU,
        "segmenter": DAUNet((2, 2, 2), (8, 16), 16, attention=False, deep_supervision=False),
        "segmentation": tiny.segmentation.model_copy(update={"sampling": sampling}),
    }
    return tiny.model_copy(update=changes)


def ball_weights(system: System) -> dict[str, Tensor]:
    """A ramp and its negative share a group of channels: their mean is 0, so that normalisation keeps its sign.

    And silu(x) - silu(-x) = x, so that the heads get the ramp itself.
    """
    net = system.segmenter.build(inputs=len(WINDOWS_HU), outputs=len(ORGANS))
    weights = {name: torch.zeros_like(tensor) for name, tensor in net.state_dict().items()}
    fine, head = weights["fine.0.weight"], weights["head.weight"]  # (16, 16 + 3, 3, 3, 3), (3, 16, 1, 1, 1)
    weights["fine.1.weight"] += 1
    for window in range(len(WINDOWS_HU)):
        fine[2 * window, 16 + window, 1, 1, 1] = 1
        fine[2 * window + 1, 16 + window, 1, 1, 1] = -1
    for organ, ramps in enumerate(({0: 1, 1: -1}, {1: 1, 2: -1}, {2: 1})):
        for ramp, sign in ramps.items():
            head[organ, 2 * ramp], head[organ, 2 * ramp + 1] = sign, -sign
    weights["head.bias"] += torch.tensor([-1.0, -1.0, 0.0])
    return weights


def write_ball_bundle(folder: Path) -> Path:
    system = ball_system()
    card = "# three_balls 1.0\n\n## Limits\nKnows nothing but balls.\n\n## Data\nNone.\n"
    return write_bundle(folder, Parts(About("three_balls", "1.0", 0), system, ball_task(), ball_weights(system), Limits(), card))


def write_smr_bundle(folder: Path) -> Path:
    """The same model, whose synthetic MR nobody looks at: a generator with weights by chance."""
    system = ball_system().model_copy(update={"inputs": "ct"})
    translated = system.with_translator_of(read_system("cyclegan").at_size("tiny"))
    torch.manual_seed(0)
    net = translated.translator.generator.build()
    card = "# three_balls_smr 1.0\n"
    parts = Parts(
        About("three_balls_smr", "1.0", 0),
        translated,
        ball_task(),
        ball_weights(system),
        Limits(),
        card,
        net.state_dict(),
        Scale((0.0, 400.0), (-1.0, 1.0)),
    )
    return write_bundle(folder, parts)
