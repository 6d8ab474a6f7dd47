"""Which patches of CT and MR a step sees: both from the same anatomy, drawn from the seed and the step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

OUTSIDE = -1.0
"""What lies beyond an image, and outside of the body on both sides: nothing there may tell CT from MR."""


@dataclass(frozen=True)
class Patches:
    """How patches are drawn.

    size       (slices, rows, columns) voxels
    batch      patches of each kind in a step
    paired     the MR patch is the same place of the same patient
    lowest_mm  unpaired: no patch begins lower than this above the landmark from which ``Scan.heights_mm`` count
    mirror     half of the patches change left and right: a network that makes images has no sides to learn
    mirrored   for each organ of the labels the index of what it then becomes; empty where there are none
    """

    size: tuple[int, int, int]
    batch: int = 1
    paired: bool = False
    lowest_mm: float = -20.0
    mirror: bool = False
    mirrored: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Scan:
    """One person's image on the working grid, scaled: (1, d, h, w), -1 to 1, OUTSIDE beyond the body.

    heights_mm  (d,) of each slice above a landmark that CT and MR share; None where any part may stand beside any other
    valid       (1, d, h, w) 1 where the image was measured, for paired terms; None for everywhere
    labels      (2 n, d, h, w) shares of the n organs, then where these are known; None for none
    """

    name: str
    image: Tensor
    heights_mm: NDArray[np.float64] | None = None
    valid: Tensor | None = None
    labels: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Pair:
    """The patches of a step, (b, 1, d, h, w) each; mask: 1 where both were measured, None for everywhere; labels: of the CT's
    organs, (b, 2 n, d, h, w).
    """

    ct: Tensor
    mr: Tensor
    mask: Tensor | None = None
    labels: Tensor | None = None


def draw_pair(cts: Sequence[Scan], mrs: Sequence[Scan], how: Patches, random: np.random.Generator) -> Pair:
    """CT patches and MR patches; of paired data the n-th CT and the n-th MR are one patient's, on one grid."""
    return _joined([_one(cts, mrs, how, random) for _ in range(how.batch)])


def can_be_drawn(scan: Scan, how: Patches) -> bool:
    """Whether a patch of the scan begins high enough: one that shows shoulders only is of no use beside a head."""
    return scan.heights_mm is None or bool((_beginnings(scan, how) >= 0).any())


def _one(cts: Sequence[Scan], mrs: Sequence[Scan], how: Patches, random: np.random.Generator) -> Pair:
    """One patch of each kind, as a batch of one."""
    number = int(random.integers(len(cts)))
    ct = cts[number]
    first = int(random.choice(_beginnings(ct, how)))
    corner = (first, *_in_plane(ct, first, how, random))
    is_mirrored = how.mirror and random.random() < 0.5
    patch = _mirrored(_cut(ct.image, corner, how.size), is_mirrored)
    labels = None if ct.labels is None else _labels(_cut(ct.labels, corner, how.size, 0.0), how.mirrored, is_mirrored)
    if how.paired:
        mr = mrs[number]
        mask = None if mr.valid is None else _mirrored(_cut(mr.valid, corner, how.size, 0.0), is_mirrored)
        return Pair(patch, _mirrored(_cut(mr.image, corner, how.size), is_mirrored), mask, labels)
    others = [mr for mr in mrs if mr.name != ct.name]  # unpaired training never sees a pair
    mr = others[int(random.integers(len(others)))]
    beside = _beside(ct, first, mr, how, random)
    other = _cut(mr.image, (beside, *_in_plane(mr, beside, how, random)), how.size)
    return Pair(patch, _mirrored(other, how.mirror and random.random() < 0.5), None, labels)


def _joined(pairs: Sequence[Pair]) -> Pair:
    """Patches of several as one batch."""

    def batch(patches: Sequence[Tensor | None]) -> Tensor | None:
        there = [patch for patch in patches if patch is not None]
        return torch.stack(there) if len(there) == len(patches) else None

    ct, mr = (torch.stack(patches) for patches in ([pair.ct for pair in pairs], [pair.mr for pair in pairs]))
    return Pair(ct, mr, batch([pair.mask for pair in pairs]), batch([pair.labels for pair in pairs]))


def _labels(patch: Tensor, mirrored: tuple[int, ...], is_mirrored: bool) -> Tensor:
    """Shares and known voxels; in a mirror the organs of a pair change places."""
    if not is_mirrored:
        return patch
    organs = len(mirrored)
    return patch.flip(-1)[[*mirrored, *(organs + index for index in mirrored)]]


def _mirrored(patch: Tensor, is_mirrored: bool) -> Tensor:
    return patch.flip(-1) if is_mirrored else patch


def _beginnings(scan: Scan, how: Patches) -> NDArray[np.intp]:
    """Lowest slices of the patches that may be drawn."""
    last = max(0, scan.image.shape[1] - how.size[0])
    firsts = np.arange(last + 1)
    if scan.heights_mm is None or how.paired:
        return firsts
    return firsts[scan.heights_mm[firsts] >= how.lowest_mm]


def _beside(ct: Scan, first: int, mr: Scan, how: Patches, random: np.random.Generator) -> int:
    """The lowest slice of an MR patch that stands as high as the CT patch, or as near to it as the MR goes."""
    last = max(0, mr.image.shape[1] - how.size[0])
    if ct.heights_mm is None or mr.heights_mm is None:
        return int(random.integers(last + 1))
    return int(np.abs(mr.heights_mm[: last + 1] - ct.heights_mm[first]).argmin())


def _in_plane(scan: Scan, first: int, how: Patches, random: np.random.Generator) -> tuple[int, int]:
    """First row and column: anywhere that a patch lies within what these slices show of the body, or that within the patch."""
    shown = (scan.image[0, first : first + how.size[0]] > OUTSIDE).any(dim=0)
    found = []
    for axis, patch in ((1, how.size[1]), (0, how.size[2])):
        there = torch.nonzero(shown.any(dim=axis))
        low, high = (int(there[0]), int(there[-1]) + 1) if len(there) else (0, shown.shape[1 - axis])
        ends = sorted((low, high - patch))
        found.append(int(random.integers(ends[0], ends[1] + 1)))
    return found[0], found[1]


def _cut(image: Tensor, first: tuple[int, int, int], size: tuple[int, int, int], outside: float = OUTSIDE) -> Tensor:
    """(1, *size) of an image; beyond its edges it is filled up."""
    inner, pads = image, []
    for axis, (start, length) in enumerate(zip(first, size, strict=True), start=1):
        low, high = max(0, start), min(image.shape[axis], start + length)
        inner = inner.narrow(axis, low, high - low)
        pads.append((low - start, start + length - high))
    return functional.pad(inner, [pad for both in reversed(pads) for pad in both], value=outside)
