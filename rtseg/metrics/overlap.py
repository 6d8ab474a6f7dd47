"""Overlap of two masks as sets of voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtseg.core import GeometryError, Mask


def dsc(reference: Mask, predicted: Mask) -> float | None:
    """Dice similarity coefficient, 0 to 1: twice the volume that both share over the sum of their volumes.

    Slices of uneven distance count with their own thickness. 0 if one mask is empty (the organ is missed, or false);
    None if both are (a true absence has no overlap to measure). Raises GeometryError if the grids differ.
    """
    must_share_grid(reference, predicted)
    total = reference.volume_ml + predicted.volume_ml
    if total == 0:
        return None
    return 2 * _shared_ml(reference, predicted) / total


def jaccard(reference: Mask, predicted: Mask) -> float | None:
    """Volume that both share over that of their union; 0 and None as for ``dsc``. Raises GeometryError if the grids differ."""
    dice = dsc(reference, predicted)
    return None if dice is None else dice / (2 - dice)


def precision(reference: Mask, predicted: Mask) -> float | None:
    """Part of the prediction that lies in the reference; None if nothing was predicted. Raises GeometryError as ``dsc``."""
    must_share_grid(reference, predicted)
    return _shared_ml(reference, predicted) / predicted.volume_ml if predicted.array.any() else None


def recall(reference: Mask, predicted: Mask) -> float | None:
    """Part of the reference that was predicted (sensitivity); None for an empty reference. Raises GeometryError as ``dsc``."""
    must_share_grid(reference, predicted)
    return _shared_ml(reference, predicted) / reference.volume_ml if reference.array.any() else None


def centroid_shift_mm(reference: Mask, predicted: Mask) -> NDArray[np.float64] | None:
    """(3,) from the reference's centre of mass to the prediction's, LPS mm: to the left, posterior, superior.

    None if either mask is empty. Raises GeometryError if the grids differ.
    """
    must_share_grid(reference, predicted)
    if not (reference.array.any() and predicted.array.any()):
        return None
    return _centroid(predicted) - _centroid(reference)


def _centroid(mask: Mask) -> NDArray[np.float64]:
    """Mean of the voxel centres, LPS mm, each with the thickness of its slice."""
    places = np.argwhere(mask.array)
    weights = mask.geometry.voxel_ml[places[:, 0]]
    centre: NDArray[np.float64] = np.average(mask.geometry.points(places.astype(np.float64)), axis=0, weights=weights)
    return centre


def _shared_ml(reference: Mask, predicted: Mask) -> float:
    return Mask(np.logical_and(reference.array, predicted.array), reference.geometry).volume_ml


def must_share_grid(reference: Mask, predicted: Mask) -> None:
    """Raises GeometryError unless both masks lie on the same voxel grid."""
    if not reference.geometry.same_as(predicted.geometry):
        raise GeometryError(
            "masks can be compared on one voxel grid only: the reference has shape "
            f"{reference.geometry.shape} at {reference.geometry.points((0, 0, 0)).round(2).tolist()} mm, the prediction "
            f"{predicted.geometry.shape} at {predicted.geometry.points((0, 0, 0)).round(2).tolist()} mm; "
            "resample one onto the other first"
        )
