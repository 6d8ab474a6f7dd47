"""Where the head is in an MR, and how high above the jaw a slice lies, in CT and MR: what both sides of a translation must share.

A critic of unpaired images learns first what differs between two sets of data: how far down they reach, and what lies outside of
the body. Rules and figures were found on OpenKBP's CTs and IXI's MRs. Grids are axial: slices go up, rows to the back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtseg.core import GeometryError, Mask, Volume

SMOOTH_VOXELS = 0.7
BRIGHT, OF_PERCENTILE = 0.10, 99.0
"""Head is what is brighter than this part of this percentile."""

REPEATED = 4
"""The lowest slice is repeated downwards: without it the cut neck is eaten by the opening."""

CLOSED = 3

VERTEX_ABOVE_JAW_MM = 202.0
"""The vertex lies so far above the jaw's lower border (212 mm above the chin, SD 9 mm in 34 people; the jaw 10 mm above it)."""

BONE_HU, BONE_CM2, BONE_SLICES = 300.0, 2.0, 4
"""A jaw begins with the first of so many slices in a row that hold so much bone in the front of the outline."""

FRONT = 0.4
"""Part of the body's outline, from the front, that is searched for the jaw."""

BELOW_NECK_MM = 10.0
TOP_MM, TOP_PART = 45.0, 0.4
"""The neck is not looked for in the upper part of the scan: this long, or this part of it, whichever is longer."""

Bools = NDArray[np.bool_]


def head_mask(mr: Volume) -> Mask:
    """The head in a T1 MR on an axial grid of some millimetres; filled, with the cut neck whole.

    Smoothed, above a tenth of the 99th percentile; opened, largest piece, closed, largest piece; filled along every axis. Raises
    GeometryError if nothing is bright.
    """
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(mr.array.astype(np.float32), SMOOTH_VOXELS)
    bright = smooth > BRIGHT * np.percentile(mr.array, OF_PERCENTILE)
    if not bright.any():
        raise GeometryError("the MR holds nothing bright: no head to find")
    below = np.repeat(bright[:1], REPEATED, axis=0)
    piece = _largest(ndimage.binary_opening(np.concatenate([below, bright])))
    closed = ndimage.binary_closing(np.pad(piece, CLOSED), iterations=CLOSED)[CLOSED:-CLOSED, CLOSED:-CLOSED, CLOSED:-CLOSED]
    head = _largest(closed)[REPEATED:]
    for axis in (0, 2, 1):
        head = np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(head, axis, 0)])
        head = np.moveaxis(head, 0, axis)
    return Mask(np.ascontiguousarray(head), mr.geometry)


def heights_in_mr(head: Mask) -> NDArray[np.float64]:
    """(slices,) mm above the jaw's lower border of each slice of a head that is whole at the vertex."""
    there = np.flatnonzero(head.array.any(axis=(1, 2)))
    positions = head.geometry.positions
    heights: NDArray[np.float64] = positions - (positions[there[-1]] - VERTEX_ABOVE_JAW_MM)
    return heights


def heights_in_ct(ct: Volume, body: Mask) -> NDArray[np.float64] | None:
    """(slices,) mm above the jaw's lower border, from the bone in front of the neck; None where no jaw is found.

    Going up from 10 mm below the smallest cross-section, the jaw begins with the first of four slices in a row that have 2 cm2 of
    bone in the front 40 % of the body's outline.
    """
    from scipy import ndimage

    positions = ct.geometry.positions
    pixel_cm2 = ct.geometry.pixel_spacing[0] * ct.geometry.pixel_spacing[1] / 100
    low = positions[_neck(body)] - BELOW_NECK_MM
    outline = np.stack([ndimage.binary_closing(plane, iterations=CLOSED) for plane in body.array])
    bone_cm2 = np.array([_bone_in_front(hu, inside) for hu, inside in zip(ct.array, outline, strict=True)]) * pixel_cm2
    is_jaw = (bone_cm2 >= BONE_CM2) & (positions >= low)
    for first in np.flatnonzero(is_jaw):
        if first + BONE_SLICES <= len(is_jaw) and is_jaw[first : first + BONE_SLICES].all():
            heights: NDArray[np.float64] = positions - positions[first]
            return heights
    return None


def _neck(body: Mask) -> int:
    """The slice of the smallest cross-section, smoothed over two slices, below the upper part of the scan."""
    from scipy import ndimage

    areas = ndimage.uniform_filter1d(body.array.sum(axis=(1, 2)).astype(np.float64), 2)
    positions = body.geometry.positions
    extent = float(positions[-1] - positions[0])
    below = positions <= positions[-1] - max(TOP_MM, TOP_PART * extent)
    return int(np.where(below & (areas > 0), areas, np.inf).argmin())


def _bone_in_front(hu: NDArray[Any], inside: Bools) -> int:
    """Voxels of bone in the front of a slice's outline; rows go from the front to the back."""
    rows = np.flatnonzero(inside.any(axis=1))
    if not rows.size:
        return 0
    last = rows[0] + int(np.ceil(FRONT * (rows[-1] - rows[0] + 1)))
    return int(((hu[rows[0] : last] > BONE_HU) & inside[rows[0] : last]).sum())


def _largest(mask: Bools) -> Bools:
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest: Bools = labels == sizes.argmax()
    return largest
