"""From a prepared CT to its synthetic MR, slab by slab: one way for every translator."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtseg.core import Volume
from rtseg.imaging import Prepared
from rtseg.imaging.intensity import Scale
from rtseg.synthesis.patches import OUTSIDE
from rtseg.synthesis.scans import ct_image
from rtseg.training import Compute

SLICES = 40
"""Of a slab that are kept, at least."""

SLAB_VOXELS = 2_000_000
"""A scan of so many voxels goes through in one piece, a larger one in slabs of so many: what is thrown away costs time, a large
piece costs memory."""

MARGIN = 24
"""Slices at either side of a slab, at least, that are made and thrown away: farther from a cut an image hardly changes. With 12 a
head changed by 1.3 % of the range on average, with 24 by 0.1 %."""


@dataclass(frozen=True, eq=False)
class Translator:
    """A trained generator with what it needs to be used.

    multiple  sizes of its input must be multiples of this
    scale     from the MR's values to -1..1: its way back gives the synthetic MR values that a viewer shows well
    """

    net: nn.Module
    multiple: int
    scale: Scale
    compute: Compute


def synthesize(ready: Prepared, translator: Translator) -> Volume:
    """The synthetic MR on the working grid of ``ready``, -1 to 1, OUTSIDE beyond the body; ``scale.back`` gives values of MRs."""
    ct = ct_image(ready.volume.array, ready.body.array)
    made = translated(ct[None].to(translator.compute.device), translator)[0, 0].cpu().numpy()
    return Volume(np.where(ready.body.array, made, np.float32(OUTSIDE)), ready.volume.geometry)


@torch.inference_mode()
def translated(image: Tensor, translator: Translator, slab_voxels: int = SLAB_VOXELS) -> Tensor:
    """(1, 1, d, h, w) in -1..1 of any size, through the generator: whole planes, in slabs whose outer slices are thrown away, so
    that where a slab begins leaves no trace. slab_voxels: of a slab, unless the least number of slices has more.
    """
    translator.net.eval()
    size = image.shape[2:]
    more = [_up(n, translator.multiple) - n for n in size]
    kept, margin = (_up(n, translator.multiple) for n in (SLICES, MARGIN))
    planes = slab_voxels // (size[1] * size[2])
    kept = size[0] if size[0] <= planes else max(kept, (planes - 2 * margin) // translator.multiple * translator.multiple)
    whole = functional.pad(image, (0, more[2], 0, more[1], 0, more[0]), mode="replicate")
    parts = []
    for start in range(0, size[0], kept):
        first, end = max(start - margin, 0), min(start + kept + margin, whole.shape[2])
        slab = whole[:, :, first:end].contiguous(memory_format=torch.channels_last_3d)
        with translator.compute.autocast():
            made = translator.net(slab).float()
        parts.append(made[:, :, start - first :][:, :, :kept])
    return torch.cat(parts, dim=2)[:, :, : size[0], : size[1], : size[2]]


def _up(n: int, multiple: int) -> int:
    return ceil(n / multiple) * multiple
