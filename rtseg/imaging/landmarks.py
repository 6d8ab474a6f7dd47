"""How high a slice lies above a landmark that CT and MR share, by the landmark's name."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Mask, StructureSet, Volume
from rtseg.imaging.head import heights_in_ct, heights_in_mr

Landmark = Literal["jaw"]
"""jaw: the lower border of the mandible."""

JAW = "Bone_Mandible"


def heights_of_ct(landmark: Landmark, ct: Volume, body: Mask, drawn: StructureSet | None = None) -> NDArray[np.float64]:
    """(slices,) mm above the landmark, NaN if it is not found. drawn: contours, axial; those of the jaw are believed."""
    del landmark  # there is one
    if drawn is not None and JAW in drawn and not drawn[JAW].is_empty:
        jaw = drawn[JAW]
        there = np.flatnonzero(jaw.mask.any(axis=(1, 2))) + jaw.offset[0]
        indices = np.stack([there, np.zeros_like(there), np.zeros_like(there)], axis=-1)
        lowest = float(drawn.geometry.points(indices)[:, 2].min())
        heights: NDArray[np.float64] = ct.geometry.positions + ct.geometry.origin[2] - lowest
        return heights
    found = heights_in_ct(ct, body)
    return np.full(ct.geometry.shape[0], np.nan) if found is None else found


def heights_of_mr(landmark: Landmark, body: Mask) -> NDArray[np.float64]:
    """(slices,) mm above the landmark in an MR that is whole at the vertex."""
    del landmark
    return heights_in_mr(body)
