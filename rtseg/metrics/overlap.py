"""Overlap of two masks as sets of voxels."""

from __future__ import annotations

import numpy as np

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
    return 2 * Mask(np.logical_and(reference.array, predicted.array), reference.geometry).volume_ml / total


def must_share_grid(reference: Mask, predicted: Mask) -> None:
    """Raises GeometryError unless both masks lie on the same voxel grid."""
    if not reference.geometry.same_as(predicted.geometry):
        raise GeometryError(
            "masks can be compared on one voxel grid only: the reference has shape "
            f"{reference.geometry.shape} at {reference.geometry.points((0, 0, 0)).round(2).tolist()} mm, the prediction "
            f"{predicted.geometry.shape} at {predicted.geometry.points((0, 0, 0)).round(2).tolist()} mm; "
            "resample one onto the other first"
        )
