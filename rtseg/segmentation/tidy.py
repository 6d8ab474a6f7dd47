"""Organs as anatomy has them: in one piece and without holes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Structure, StructureSet, bounding_box

TOUCHING = np.ones((3, 3, 3), dtype=bool)
"""Voxels that share a corner belong together: a thin organ steps sideways from slice to slice."""


@dataclass(frozen=True)
class Rules:
    """What is done to every organ: how many of its largest pieces stay (0: all), and whether holes are filled."""

    pieces: int = 1
    fill_holes: bool = True


def tidy(organs: StructureSet, rules: Rules) -> StructureSet:
    """Keep each organ's largest pieces and fill its holes slice by slice; what was removed is for review to tell."""
    return StructureSet(organs.geometry, {name: _tidied(organs[name], rules) for name in organs})


def _tidied(organ: Structure, rules: Rules) -> Structure:
    from scipy import ndimage

    if organ.is_empty:
        return organ
    mask = organ.mask
    if rules.pieces:
        labels, count = ndimage.label(mask, TOUCHING)
        if count > rules.pieces:
            sizes = np.bincount(labels.ravel())[1:]
            mask = np.isin(labels, 1 + np.argsort(sizes)[::-1][: rules.pieces])
    if rules.fill_holes:
        mask = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
    return _with_mask(organ, mask)


def _with_mask(organ: Structure, mask: NDArray[np.bool_]) -> Structure:
    """The organ cut down to ``mask``, its probability moved to one half or just above where the mask changed."""
    box = bounding_box(mask)
    assert box is not None, "an organ that was not empty keeps its largest piece"
    offset = tuple(o + s.start for o, s in zip(organ.offset, box, strict=True))
    mask = np.ascontiguousarray(mask[box])
    probability = organ.probability
    if probability is not None:
        above = np.nextafter(probability.dtype.type(0.5), probability.dtype.type(1))
        crop = probability[box]
        probability = np.where(mask, np.maximum(crop, above), np.minimum(crop, probability.dtype.type(0.5)))
    return Structure(mask, offset, probability)
