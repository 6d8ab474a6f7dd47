"""Distances between the surfaces of two masks, in millimetres: first the distances, then one figure from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Mask
from rtseg.metrics.overlap import must_share_grid
from rtseg.metrics.surfels import Surfels, border_voxels, surfels

SAME_WEIGHT = 1e-9
"""A cumulative weight reaches its mark if it lacks no more than this share of it (rounding of sums)."""

Array = NDArray[np.float64]


class SurfaceModel(StrEnum):
    """What the surface of a mask is made of.

    SURFEL  pieces of the marching-cubes surface, weighted by their area (Nikolov 2021); the model of every figure without a name
    VOXEL   border voxels (the mask less its 6-connected erosion, nothing beyond the image), each counting the same; older papers
    """

    SURFEL = "surfel"
    VOXEL = "voxel"


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances of two surfaces to each other, mm, with the weight of the piece that each starts from.

    there: from the reference's pieces to the nearest of the prediction's; back: the other way round.
    """

    there: Array
    there_weights: Array
    back: Array
    back_weights: Array
    model: SurfaceModel

    @property
    def hd_mm(self) -> float:
        """Hausdorff distance: the largest in either direction."""
        return float(max(self.there.max(), self.back.max()))

    @property
    def hd95_mm(self) -> float:
        """The larger of the two directed 95th percentiles (Nikolov 2021; with border voxels MONAI's form)."""
        return max(self._percentile(self.there, self.there_weights, 95), self._percentile(self.back, self.back_weights, 95))

    @property
    def hd95_pooled_mm(self) -> float:
        """95th percentile of both directions' distances together (with border voxels MedPy's form)."""
        return self._percentile(*self._pooled, 95)

    @property
    def assd_mm(self) -> float:
        """Average symmetric surface distance: the mean of both directions' distances together."""
        distances, weights = self._pooled
        return float(np.average(distances, weights=weights))

    @property
    def msd_mm(self) -> float:
        """Mean of the two directed means (the MSD of Dong 2019)."""
        there, back = np.average(self.there, weights=self.there_weights), np.average(self.back, weights=self.back_weights)
        return float((there + back) / 2)

    @property
    def rmsd_mm(self) -> float:
        """Root mean square of both directions' distances together."""
        distances, weights = self._pooled
        return float(np.sqrt(np.average(distances**2, weights=weights)))

    def nsd(self, tolerance_mm: float) -> float:
        """Normalised surface Dice (Nikolov 2021): the part of both surfaces that lies within the tolerance of the other."""
        distances, weights = self._pooled
        return float(weights[distances <= tolerance_mm].sum() / weights.sum())

    @property
    def _pooled(self) -> tuple[Array, Array]:
        return np.concatenate([self.there, self.back]), np.concatenate([self.there_weights, self.back_weights])

    def _percentile(self, distances: Array, weights: Array, percent: float) -> float:
        if self.model is SurfaceModel.VOXEL:
            return float(np.percentile(distances, percent, method="linear"))
        return weighted_percentile(distances, weights, percent)


def surface_distances(reference: Mask, predicted: Mask, model: SurfaceModel = SurfaceModel.SURFEL) -> SurfaceDistances | None:
    """The distances of two surfaces, exact, from each piece to the nearest of the other; uneven slices are taken where they are.

    None if either mask is empty: the caller counts ``missed`` or ``false_organ`` (METRICS.md), never drops the row.
    Raises GeometryError if the grids differ.
    """
    must_share_grid(reference, predicted)
    if not (reference.array.any() and predicted.array.any()):
        return None
    pieces = surfels if model is SurfaceModel.SURFEL else border_voxels
    ours, theirs = pieces(reference), pieces(predicted)
    there, back = distances_mm(ours, theirs), distances_mm(theirs, ours)
    return SurfaceDistances(there, ours.areas_mm2, back, theirs.areas_mm2, model)


def hd95_mm(reference: Mask, predicted: Mask) -> float | None:
    """The headline HD95, in mm: ``SurfaceDistances.hd95_mm`` of surfels; None if either mask is empty.

    Raises GeometryError if the grids differ.
    """
    distances = surface_distances(reference, predicted)
    return None if distances is None else distances.hd95_mm


def distances_mm(start: Surfels, end: Surfels) -> Array:
    """(n,) distance from each piece of ``start`` to the nearest of ``end``, mm, exact. Neither may be without pieces."""
    from scipy.spatial import cKDTree

    nearest: Array = cKDTree(end.places_mm, balanced_tree=False).query(start.places_mm)[0]
    return nearest


def weighted_percentile(values: Array, weights: Array, percent: float) -> float:
    """Smallest value at which the weight up to and with it reaches ``percent`` of the whole weight; no interpolation."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    mark = percent / 100 * reached[-1] * (1 - SAME_WEIGHT)
    return float(values[order][np.searchsorted(reached, mark)])
