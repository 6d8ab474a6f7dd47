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

TIP_ML = 5.0
"""Tissue outside the body mask up to this volume may be the tip of an ear or a nose."""

PLATE_MM = 200.0
"""What is at least so wide, the same in every slice and flat is a couch, however thick it is."""

FLAT = 0.25
"""A plate is no thicker, on average, than this share of its width; the part of a body that all slices share is thicker."""

ALWAYS = 0.95
"""Tissue in this share of the slices is the same in every slice: noise may take a voxel at the edge."""

WITHIN_A_SLICE = np.array([np.zeros((3, 3)), [[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.zeros((3, 3))])
"""Voxels of a hole hang together through faces, in their own slice only."""

CAVITY = 0.5
"""A hole in a slice belongs to the body if more than this share of its wall does: a lung or a sinus behind a thin wall
does, the gap under an immobilisation mask and the inside of a couch do not."""


def body_mask(ct: Volume) -> Mask:
    """The body in a CT on an axial grid of some millimetres: (slices, rows, columns) boolean.

    Tissue is opened by THIN_MM in the axial plane, so that plates and shells part from the body; the largest
    piece (and others of its order) is kept, grown back within the tissue and filled slice by slice. This is done
    twice: the second time the body's own cavities count as tissue, so that no thin wall of theirs is taken for a shell.
    A couch as thick as a body part is told by its shape.
    Raises GeometryError if the CT holds no tissue.
    """
    from scipy import ndimage

    tissue = ct.array > TISSUE_HU
    if not tissue.any():
        raise GeometryError(f"nothing in this CT is above {TISSUE_HU:g} HU: no body to be found; are the values HU?")
    tissue &= ~_plates(tissue, ct.geometry.pixel_spacing)
    body = _thick_pieces(tissue, ct.geometry.pixel_spacing)
    body = _thick_pieces(tissue | _cavities(tissue, body), ct.geometry.pixel_spacing)
    return Mask(np.stack([ndimage.binary_fill_holes(plane) for plane in body]), ct.geometry)


def _plates(tissue: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """(rows, columns) wide and flat pieces that are in every slice that holds tissue; none if there is nothing else."""
    from scipy import ndimage

    shared = tissue[tissue.any(axis=(1, 2))].mean(axis=0) >= ALWAYS
    labels, _ = ndimage.label(shared)
    plates = np.zeros_like(shared)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        piece = labels == label
        width = (box[1].stop - box[1].start) * spacing_mm[1]
        thickness = int(piece.sum()) * spacing_mm[0] * spacing_mm[1] / width
        if width >= PLATE_MM and thickness <= FLAT * width:
            plates |= piece
    return plates if (tissue & ~plates).any() else np.zeros_like(plates)


def _thick_pieces(tissue: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """Tissue without what is thinner than twice THIN_MM and without small pieces; all of it if nothing is thicker."""
    from scipy import ndimage

    core = _disc_distance(tissue, spacing_mm) > THIN_MM
    labels, _ = ndimage.label(core if core.any() else tissue)
    sizes = np.bincount(labels.ravel())[1:]
    kept = np.isin(labels, 1 + np.flatnonzero(sizes >= PIECE * sizes.max()))
    return tissue & (_disc_distance(~kept, spacing_mm) <= THIN_MM + max(spacing_mm))


def _cavities(tissue: NDArray[np.bool_], body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The holes in the slices of ``tissue`` whose wall, counted in voxel faces, is ``body`` for the most part."""
    from scipy import ndimage

    holes = np.stack([ndimage.binary_fill_holes(plane) for plane in tissue]) & ~tissue
    labels, count = ndimage.label(holes, structure=WITHIN_A_SLICE)
    wall, own = np.zeros(count + 1), np.zeros(count + 1)
    for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):  # a hole never touches the border, so nothing wraps round
        faces = holes & np.roll(tissue, step, axis)
        wall += np.bincount(labels[faces], minlength=count + 1)
        own += np.bincount(labels[faces & np.roll(body, step, axis)], minlength=count + 1)
    return np.asarray((own > CAVITY * wall)[labels])


def foreign_mask(ct: Volume, body: Mask, near: Mask) -> Mask:
    """What is as dense as tissue, is no body, and is too much to be the tip of an ear or a nose: couch, shell, head-rest.

    near: body and margin. A piece is foreign if it goes on beyond the margin or is larger than TIP_ML.
    """
    from scipy import ndimage

    rest = (ct.array > TISSUE_HU) & ~body.array
    labels, count = ndimage.label(rest, np.ones((3, 3, 3)))
    far = np.bincount(labels[~near.array].ravel(), minlength=count + 1) > 0
    sizes_ml = np.stack([np.bincount(plane.ravel(), minlength=count + 1) for plane in labels]).T @ ct.geometry.voxel_ml
    foreign = far | (sizes_ml > TIP_ML)
    foreign[0] = False
    return Mask(foreign[labels], ct.geometry)


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
