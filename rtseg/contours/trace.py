"""From the mask of a slice to the loops around its parts: marching squares, holes joined by keyholes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from rtseg.contours.keyhole import Ring, join_holes

Loop = NDArray[np.float64]

LEVEL = 0.52
"""Level of the marching squares between background 0 and organ 1. Just past half, so that no vertex lies on a half
pixel, where readers that round to pixels differ; surface bias -0.02 pixel (measured; any level to 0.60 is exact)."""

GRID = 25
"""Vertices of a binary mask at LEVEL lie on whole multiples of 1/25 pixel (0.48 and 0.52): whole numbers make
"exactly collinear" and "the same point" exact."""

HALF = 0.5
"""Level of the marching squares through probabilities; a voxel belongs to an organ above it."""

NOT_HALF = 1e-6
"""A probability of exactly one half, which is outside, is taken as so much less: the border then has a place."""

NEAREST = 0.02
"""A border within a voxel comes no nearer to a pixel centre than this, in pixels: rounded to 3 decimals of a millimetre it stays
on its side."""


def trace(mask: NDArray[np.bool_], probability: NDArray[np.floating] | None = None) -> list[Loop]:
    """The loops around a slice's parts: one polygon for each part, so that even-odd at pixel centres gives the mask.

    mask         boolean (rows, columns); a part may touch the border, the loop then lies half a pixel outside
    probability  same shape, above one half where the mask is: each vertex then lies where the probability, linear between
                 two pixel centres, is one half, at most 0.98 pixel from either. Beyond the border it is taken as 0

    Parts that touch only by a corner are parts of their own. Holes are joined to their part by channels of width
    zero (`keyhole`); islands in a hole are polygons of their own. Vertices exactly on a straight line are dropped.
    Returns loops of float64 (n, 2) points (row, column) with n >= 4 in pixels; none for an empty mask.
    Working memory is of the order of ``mask``: hand in the organ's crop.
    """
    return [loop for loop, _ in trace_with_channels(mask, probability)]


def trace_with_channels(
    mask: NDArray[np.bool_], probability: NDArray[np.floating] | None = None
) -> list[tuple[Loop, NDArray[np.bool_]]]:
    """As ``trace``, with boolean (n,) beside each loop: the vertices that a channel passes, which have to stay."""
    padded = np.pad(mask, 1)
    seen = None if probability is None else np.pad(probability, 1).astype(np.float64)
    filled = contour_generator(z=padded.astype(np.float64), fill_type=FillType.OuterOffset).filled(LEVEL, 2.0)
    loops = []
    for points, offsets in zip(*filled, strict=True):
        rings = [_whole(points[start : stop - 1]) for start, stop in pairwise(offsets)]
        alone = rings[0], np.zeros(len(rings[0]), dtype=np.bool_)
        ring, passed = join_holes(rings, padded, GRID) if len(rings) > 1 else alone
        loop = ring if seen is None else _moved(ring, padded, seen)
        stays = _bends(loop) | passed
        loops.append((loop[stays] / GRID - 1.0, passed[stays]))
    return loops


def _whole(points: NDArray[np.float64]) -> Ring:
    """(x, y) points of contourpy as (row, column) in whole numbers of 1/GRID pixel."""
    return np.rint(points[:, ::-1] * GRID).astype(np.int64)


def _moved(ring: Ring, mask: NDArray[np.bool_], probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ring, in 1/GRID pixel, with each vertex where the probability is one half between the two pixels that it parts.

    A vertex between two pixels of the part is the bend of a channel, and stays.
    """
    before, after = ring // GRID, -(-ring // GRID)
    near, far = tuple(before.T), tuple(after.T)
    low, high = (np.where(p == HALF, HALF - NOT_HALF, p) for p in (probability[near], probability[far]))
    parted = mask[near] != mask[far]
    step = np.where(parted, high - low, 1.0)
    share = np.clip((HALF - low) / step, NEAREST, 1 - NEAREST)
    placed = (before + (after - before) * share[:, None]) * GRID
    return np.where(parted[:, None], placed, ring)


def _bends(loop: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.bool_]:
    """The vertices that are not in the middle of a straight line."""
    step = np.roll(loop, -1, axis=0) - loop
    before = np.roll(step, 1, axis=0)
    bends: NDArray[np.bool_] = before[:, 0] * step[:, 1] != before[:, 1] * step[:, 0]
    return bends
