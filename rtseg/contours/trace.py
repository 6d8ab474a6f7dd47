"""From the mask of a slice to the loops around its parts: marching squares, holes joined by keyholes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from rtseg.contours.keyhole import join_holes

Loop = NDArray[np.float64]

LEVEL = 0.52
"""Level of the marching squares between background 0 and organ 1. Just past half, so that no vertex lies on a half
pixel, where readers that round to pixels differ; surface bias -0.02 pixel (measured; any level to 0.60 is exact)."""

GRID = 25
"""Vertices of a binary mask at LEVEL lie on whole multiples of 1/25 pixel (0.48 and 0.52): whole numbers make
"exactly collinear" and "the same point" exact."""


def trace(mask: NDArray[np.bool_]) -> list[Loop]:
    """The loops around a slice's parts: one polygon for each part, so that even-odd at pixel centres gives the mask.

    mask   boolean (rows, columns); a part may touch the border, the loop then lies half a pixel outside

    Parts that touch only by a corner are parts of their own. Holes are joined to their part by channels of width
    zero (`keyhole`); islands in a hole are polygons of their own. Vertices exactly on a straight line are dropped.
    Returns loops of float64 (n, 2) points (row, column) with n >= 4 in pixels; none for an empty mask.
    Working memory is of the order of ``mask``: hand in the organ's crop.
    """
    padded = np.pad(mask, 1)
    filled = contour_generator(z=padded.astype(np.float64), fill_type=FillType.OuterOffset).filled(LEVEL, 2.0)
    loops = []
    for points, offsets in zip(*filled, strict=True):
        rings = [_whole(points[start : stop - 1]) for start, stop in pairwise(offsets)]
        joined, kept = join_holes(rings, padded, GRID) if len(rings) > 1 else (rings[0], None)
        loops.append(_without_collinear(joined, kept) / GRID - 1.0)
    return loops


def _whole(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """(x, y) points of contourpy as (row, column) in whole numbers of 1/GRID pixel."""
    return np.rint(points[:, ::-1] * GRID).astype(np.int64)


def _without_collinear(loop: NDArray[np.int64], kept: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """The loop without vertices in the middle of a straight line, save those marked in ``kept``."""
    step = np.roll(loop, -1, axis=0) - loop
    before = np.roll(step, 1, axis=0)
    stays: NDArray[np.bool_] = before[:, 0] * step[:, 1] != before[:, 1] * step[:, 0]
    if kept is not None:
        stays |= kept
    return loop[stays]
