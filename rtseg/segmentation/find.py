"""The first of two looks at a scan: on which slices the organs are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtseg.core import Geometry
from rtseg.imaging import Probabilities, Stretch
from rtseg.imaging.continuity import UPRIGHT

SURE_ML = 1.0
"""Less than this of an organ is no sign of it."""

ROOM_MM = 60.0
"""Slices are kept this far beyond what was found: a coarse look misses the ends."""


def around(seen: Probabilities, ct: Geometry, stretch: Stretch) -> Stretch:
    """The part of a stretch of a CT's slices in which a model's organs lie, with room; all of it if none was found."""
    voxel_ml = float(np.prod([seen.geometry.slice_spacing, *seen.geometry.pixel_spacing]) / 1000)
    found = [mask for mask in seen.array > 0.5 if mask.sum() * voxel_ml >= SURE_ML]
    if not found or abs(float(ct.direction[0, 2])) < UPRIGHT:
        return stretch
    held = np.flatnonzero(np.logical_or.reduce(found).any(axis=(1, 2)))
    ends = seen.geometry.points([(held[0], 0, 0), (held[-1], 0, 0)])[:, 2]
    middle = [(ct.shape[1] - 1) / 2, (ct.shape[2] - 1) / 2]
    heights = ct.points([(i, *middle) for i in range(ct.shape[0])])[:, 2]
    near = np.flatnonzero((heights >= ends.min() - ROOM_MM) & (heights <= ends.max() + ROOM_MM))
    first, end = max(stretch.first, int(near[0])), min(stretch.end, int(near[-1]) + 1)
    return replace(stretch, first=first, end=end, shown=stretch.shown - (stretch.end - stretch.first) + (end - first))
