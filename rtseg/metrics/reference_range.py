"""Agreement between the reference's ends only, for organs whose contours end where a protocol says (cord, oesophagus)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtseg.core import Geometry, Mask
from rtseg.metrics.overlap import dsc, must_share_grid
from rtseg.metrics.surface import hd95_mm

SAME_COSINE = 6
"""Decimals to which two axes are compared for which is nearer to superior: of two alike, the slices' own wins."""


def dsc_in_reference_range(reference: Mask, predicted: Mask) -> float | None:
    """``dsc`` of the slices between the reference's ends. Beside ``dsc``, never instead of it.

    Slices are those along the grid's axis nearest to the patient's superior axis, whichever way the stack lies. 0 if the
    prediction has nothing there. An empty reference has no ends: the answer is that of ``dsc``. Raises GeometryError if
    the grids differ.
    """
    return dsc(reference, in_reference_range(reference, predicted))


def hd95_in_reference_range_mm(reference: Mask, predicted: Mask) -> float | None:
    """``hd95_mm`` of the slices between the reference's ends, in mm. Beside ``hd95_mm``, never instead of it.

    Where the prediction goes on beyond an end it is cut, and closes there as the reference does. None if the reference is
    empty, or the prediction has nothing there: the caller counts ``missed`` or ``false_organ``. Raises GeometryError if
    the grids differ.
    """
    return hd95_mm(reference, in_reference_range(reference, predicted))


def in_reference_range(reference: Mask, predicted: Mask) -> Mask:
    """The prediction without what lies beyond the first and the last slice of the reference; whole if that is empty."""
    must_share_grid(reference, predicted)
    axis = _superior_axis(reference.geometry)
    there = np.flatnonzero(reference.array.any(axis=tuple(other for other in range(3) if other != axis)))
    if there.size == 0:
        return predicted
    between = np.zeros(reference.array.shape[axis], dtype=np.bool_)
    between[there[0] : there[-1] + 1] = True
    shape = tuple(-1 if other == axis else 1 for other in range(3))
    return replace(predicted, array=predicted.array & between.reshape(shape))


def _superior_axis(grid: Geometry) -> int:
    """The array axis that runs nearest to the patient's superior axis (LPS z), up or down."""
    return int(np.abs(grid.direction[:, 2]).round(SAME_COSINE).argmax())
