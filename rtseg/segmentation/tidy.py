"""Organs as anatomy has them: in one piece and without holes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtseg.core import EMPTY, Structure, StructureSet, bounding_box, with_rim

TOUCHING = np.ones((3, 3, 3), dtype=bool)
"""Voxels that share a corner belong together: a thin organ steps sideways from slice to slice."""


@dataclass(frozen=True)
class Rules:
    """What is done to every organ: how many of its largest pieces stay (0: all), and whether holes are filled.

    pieces_of: another number of pieces for an organ by name, as for vesicles on both sides.
    """

    pieces: int = 1
    fill_holes: bool = True
    pieces_of: Mapping[str, int] = field(default_factory=dict)

    def kept(self, organ: str) -> int:
        """How many pieces of this organ stay; 0: all."""
        return self.pieces_of.get(organ, self.pieces)


def tidy(organs: StructureSet, rules: Rules) -> StructureSet:
    """Keep each organ's largest pieces, fill its holes slice by slice, then give each voxel to one organ.

    In this order: a false piece that will go takes nothing from its neighbour, and a hole that another organ fills
    stays that organ's. What was removed is for review to tell.
    """
    return _settled(StructureSet(organs.geometry, {name: _tidied(organs[name], rules.kept(name), rules) for name in organs}))


def _tidied(organ: Structure, pieces: int, rules: Rules) -> Structure:
    from scipy import ndimage

    if organ.is_empty:
        return organ
    mask = organ.mask
    if pieces:
        labels, count = ndimage.label(mask, TOUCHING)
        if count > pieces:
            sizes = np.bincount(labels.ravel())[1:]
            mask = np.isin(labels, 1 + np.argsort(sizes)[::-1][:pieces])
    if rules.fill_holes:
        mask = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
    return _with_mask(organ, mask)


def _settled(organs: StructureSet) -> StructureSet:
    """A voxel of two organs goes to the one of higher probability, to the first if both are alike."""
    settled = dict(organs.structures)
    names = [name for name in organs if not organs[name].is_empty]
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            settled[first], settled[second] = _parted(settled[first], settled[second])
    return StructureSet(organs.geometry, settled)


def _parted(first: Structure, second: Structure) -> tuple[Structure, Structure]:
    """Two organs without a voxel in common."""
    low = np.maximum(first.offset, second.offset)
    high = np.minimum(np.add(first.offset, first.mask.shape), np.add(second.offset, second.mask.shape))
    if (high <= low).any():
        return first, second
    here, there = (
        tuple(slice(a - o, b - o) for a, b, o in zip(low, high, organ.offset, strict=True)) for organ in (first, second)
    )
    both = first.mask[here] & second.mask[there]
    if not both.any():
        return first, second
    wins = _certainty(first)[here] >= _certainty(second)[there]
    masks = first.mask.copy(), second.mask.copy()
    masks[0][here] &= ~(both & ~wins)
    masks[1][there] &= ~(both & wins)
    return _with_mask(first, masks[0]), _with_mask(second, masks[1])


def _certainty(organ: Structure) -> NDArray[np.floating]:
    return organ.mask.astype(np.float32) if organ.probability is None else organ.probability


def _with_mask(organ: Structure, mask: NDArray[np.bool_]) -> Structure:
    """The organ cut down to ``mask``, its probability moved to one half or just above where the mask changed."""
    box = bounding_box(mask)
    if box is None:
        return EMPTY
    box = with_rim(box)
    offset = tuple(o + s.start for o, s in zip(organ.offset, box, strict=True))
    mask = np.ascontiguousarray(mask[box])
    probability = organ.probability
    if probability is not None:
        above = np.nextafter(probability.dtype.type(0.5), probability.dtype.type(1))
        crop = probability[box]
        probability = np.where(mask, np.maximum(crop, above), np.minimum(crop, probability.dtype.type(0.5)))
    return Structure(mask, offset, probability)
