"""From an MR to what training sees of it: the working grid, blank outside of the body, -1 to 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.core import GeometryError, Mask, Volume, bounding_box
from rtseg.imaging.head import head_mask
from rtseg.imaging.intensity import Scale, mr_scale
from rtseg.imaging.landmarks import Landmark, heights_of_mr
from rtseg.imaging.prepare import Prepared, axial_grid
from rtseg.imaging.resample import resample

WHOLE = 0.99
"""A voxel was measured if this share of it was."""


@dataclass(frozen=True, eq=False)
class PreparedMR:
    """An MR in -1..1 on the working grid, cropped to the body; -1 outside of it. scale: from its own values."""

    image: Volume
    scale: Scale
    heights_mm: NDArray[np.float64] | None


def prepare_mr(mr: Volume, spacing_mm: tuple[float, float, float], landmark: Landmark | None) -> PreparedMR:
    """The MR of somebody without CT. Raises GeometryError if there is no body in it to scale it by."""
    working = resample(mr, axial_grid(mr.geometry, spacing_mm), 0.0)
    body = head_mask(working)
    box = bounding_box(body.array)
    if box is None:
        raise GeometryError("the MR holds no body")
    scale = mr_scale(working, body)
    scaled = np.where(body.array, scale(working.array), np.float32(-1.0))[box]
    start, shape = (box[0].start, box[1].start, box[2].start), scaled.shape
    heights = None if landmark is None else heights_of_mr(landmark, body)[box[0]]
    return PreparedMR(Volume(scaled, working.geometry.crop(start, shape)), scale, heights)


def beside_ct(mr: Volume, valid: Mask | None, ready: Prepared) -> tuple[Volume, Mask, Scale]:
    """The MR of a prepared CT's patient, on its grid: the image in -1..1, where it was measured, and its scale.

    valid: where it was, on the MR's own grid; None for all of it. Blank outside of the CT's body. Raises GeometryError if CT and
    MR do not overlap in patient space.
    """
    grid = ready.volume.geometry
    there = np.ones(mr.geometry.shape) if valid is None else valid.array
    share = resample(Volume(there.astype(np.float32), mr.geometry), grid, 0.0).array
    measured = Mask(share > WHOLE, grid)
    inside = Mask(measured.array & ready.body.array, grid)
    if not inside.array.any():
        raise GeometryError(
            "CT and MR do not overlap in patient space: they have no common frame of reference. Register the MR onto the CT first"
        )
    on_grid = resample(mr, grid, 0.0)
    scale = mr_scale(on_grid, inside)
    return Volume(np.where(inside.array, scale(on_grid.array), np.float32(-1.0)), grid), measured, scale
