"""Distances between the surfaces of two masks, in millimetres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Mask
from rtseg.metrics.overlap import must_share_grid
from rtseg.metrics.surfels import Surfels, surfels

SAME_WEIGHT = 1e-9
"""A cumulative weight reaches its mark if it lacks no more than this share of it (rounding of sums)."""


def hd95_mm(reference: Mask, predicted: Mask) -> float | None:
    """Larger of the two directed, area-weighted 95th percentiles of surface distance, in mm (Nikolov 2021).

    Surface model ``surfel`` (see rtseg.metrics.surfels); distances are exact, from each surfel to the nearest surfel of the
    other surface; unevenly spaced slices are taken where they are. None if either mask is empty: the caller counts
    ``missed`` or ``false_organ``, never drops the row. Raises GeometryError if the grids differ.
    """
    must_share_grid(reference, predicted)
    if not (reference.array.any() and predicted.array.any()):
        return None
    ours, theirs = surfels(reference), surfels(predicted)
    there = weighted_percentile(distances_mm(ours, theirs), ours.areas_mm2, 95)
    back = weighted_percentile(distances_mm(theirs, ours), theirs.areas_mm2, 95)
    return max(there, back)


def distances_mm(start: Surfels, end: Surfels) -> NDArray[np.float64]:
    """(n,) distance from each surfel of ``start`` to the nearest of ``end``, mm, exact. Neither may be without surfels."""
    from scipy.spatial import cKDTree

    nearest: NDArray[np.float64] = cKDTree(end.places_mm, balanced_tree=False).query(start.places_mm)[0]
    return nearest


def weighted_percentile(values: NDArray[np.float64], weights: NDArray[np.float64], percent: float) -> float:
    """Smallest value at which the weight up to and with it reaches ``percent`` of the whole weight; no interpolation."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    mark = percent / 100 * reached[-1] * (1 - SAME_WEIGHT)
    return float(values[order][np.searchsorted(reached, mark)])
