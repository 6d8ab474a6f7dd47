"""How much of a reference contour a correction would have to draw anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Mask, bounding_box
from rtseg.metrics.overlap import must_share_grid

PIECE = 0.25
"""Contours are looked at in pieces of at most this length, in pixels."""

Points = NDArray[np.float64]


def added_path_length_mm(reference: Mask, predicted: Mask, tolerance_mm: float | None = None) -> float | None:
    """Length of the reference's contour, slice by slice, that lies further than the tolerance from the predicted contour, mm.

    Added path length (Vaassen 2020, Phys Imaging Radiat Oncol 13:1-6), in millimetres of contour rather than pixels.
    tolerance_mm: one pixel (the larger side) if not given; tables name it (``apl_T_mm``). A slice without a prediction counts
    whole; a missed organ has all of its contour. None for an empty reference: there is nothing to draw. Raises GeometryError
    if the grids differ.
    """
    must_share_grid(reference, predicted)
    box = bounding_box(reference.array)
    if box is None:
        return None
    spacing = np.array(reference.geometry.pixel_spacing)
    tolerance = float(spacing.max()) if tolerance_mm is None else tolerance_mm
    slices = zip(reference.array[box[0]], predicted.array[box[0]], strict=True)
    return float(sum(_added(ours, theirs, spacing, tolerance) for ours, theirs in slices if ours.any()))


def _added(ours: NDArray[np.bool_], theirs: NDArray[np.bool_], spacing: Points, tolerance_mm: float) -> float:
    from scipy.spatial import cKDTree

    places, lengths = _pieces(ours, spacing)
    if not theirs.any():
        return float(lengths.sum())
    away = cKDTree(_pieces(theirs, spacing)[0]).query(places)[0]
    half = PIECE / 2 * float(spacing.max())  # of the pieces it is measured between
    return float(lengths[away > tolerance_mm + half].sum())


def _pieces(mask: NDArray[np.bool_], spacing: Points) -> tuple[Points, Points]:
    """Middles (n, 2) and lengths (n,) of short pieces of a slice's contour, mm; channels to holes are no contour."""
    starts, ends = _edges(mask)
    counts = np.maximum(1, np.ceil(np.linalg.norm(ends - starts, axis=1) / PIECE)).astype(int)
    edge = np.repeat(np.arange(len(starts)), counts)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (number + 0.5) / counts[edge]
    middles = starts[edge] + share[:, None] * (ends - starts)[edge]
    lengths = np.linalg.norm((ends - starts) * spacing, axis=1) / counts
    return middles * spacing, lengths[edge]


def _edges(mask: NDArray[np.bool_]) -> tuple[Points, Points]:
    from rtseg.contours import trace  # a training knows nothing of contours

    loops = trace(mask)
    starts = np.concatenate(loops)
    ends = np.concatenate([np.roll(loop, -1, axis=0) for loop in loops])
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    up = (starts == low).all(axis=1) | (ends == low).all(axis=1)
    _, first, count = np.unique(np.column_stack([low, high, up]).round(6), axis=0, return_inverse=True, return_counts=True)
    once = count[first.ravel()] == 1  # an edge that is passed there and back is a channel
    return starts[once], ends[once]
