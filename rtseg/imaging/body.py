"""The patient's body in a CT: couch, immobilisation mask and head-rest are left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtseg.core import GeometryError, Mask, Volume

TISSUE_HU = -300.0
"""Border between air and tissue, half-way for fat at half a voxel; couch foam and cushions lie below it."""

THIN_MM = 9.0
"""What vanishes when this much is taken from each side is no body: couch plates, shells, head-rests' walls."""

PIECE = 0.1
"""Pieces smaller than this share of the largest are no body; a second leg or an arm is larger."""


def body_mask(ct: Volume) -> Mask:
    """The body in a CT on an axial grid of some millimetres: (slices, rows, columns) boolean.

    Tissue is opened by THIN_MM in the axial plane, so that plates and shells part from the body; the largest
    piece (and others of its order) is kept, grown back within the tissue and filled slice by slice.
    Raises GeometryError if the CT holds no tissue.
    """
    from scipy import ndimage

    tissue = ct.array > TISSUE_HU
    core = _disc_distance(tissue, ct.geometry.pixel_spacing) > THIN_MM
    if not core.any():
        core = tissue
    labels, count = ndimage.label(core)
    if count == 0:
        raise GeometryError(f"nothing in this CT is above {TISSUE_HU:g} HU: no body to be found; are the values HU?")
    sizes = np.bincount(labels.ravel())[1:]
    kept = np.isin(labels, 1 + np.flatnonzero(sizes >= PIECE * sizes.max()))
    grown = tissue & (_disc_distance(~kept, ct.geometry.pixel_spacing) <= THIN_MM + max(ct.geometry.pixel_spacing))
    return Mask(np.stack([ndimage.binary_fill_holes(plane) for plane in grown]), ct.geometry)


def grown(mask: Mask, margin_mm: float) -> Mask:
    """The mask and everything within ``margin_mm`` of it in its own slice."""
    return Mask(_disc_distance(~mask.array, mask.geometry.pixel_spacing) <= margin_mm, mask.geometry)


def _disc_distance(array: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> NDArray[np.float64]:
    """Distance in mm of each set voxel to the nearest unset one of its slice, 0 where unset.

    The border of the picture counts as neither: a body cut by it goes on. In a slice without an unset voxel it is infinite.
    """
    from scipy import ndimage

    planes = np.zeros(array.shape)
    for k, plane in enumerate(array):
        if plane.all():
            planes[k] = np.inf
        elif plane.any():
            planes[k] = ndimage.distance_transform_edt(plane, sampling=spacing_mm)
    return planes
