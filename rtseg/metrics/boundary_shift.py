"""How far the edges of a synthetic MR lie from those of the CT it was made from; needs no real MR (METRICS.md, Images)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, GeometryError, Volume

BODY_HU, BONE_HU = -300.0, 250.0
"""CT boundaries that are looked at: skin against air, bone against soft tissue."""

REACH_MM, STEP_MM = 8.0, 0.25
"""Profiles run so far to either side of the CT's boundary, and are sampled at this step."""

MOST_POINTS = 20_000
"""So many boundary points are looked at, evenly picked: the mean of more is the same."""

FAINTEST = 0.02
"""An edge is found where the image changes by more than this part of its range (1st to 99th percentile) per mm."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BoundaryShift:
    """Shifts along outward normals, mm, positive where the boundary has grown.

    n, not_found    boundary points with an edge in both images, and without one: counted, not dropped
    mean_signed_mm  growth; blind to a shift as a whole, which displacement_mm tells: the vector (left, posterior, superior) that
                    explains the shifts best (least squares)
    None where no point was found.
    """

    n: int
    not_found: int
    mean_signed_mm: float | None
    mean_absolute_mm: float | None
    percentile_95_mm: float | None
    displacement_mm: tuple[float, float, float] | None


def boundary_shift(ct: Volume, synthetic: Volume, boundary_hu: float = BODY_HU) -> BoundaryShift:
    """The shift of ``synthetic``'s edges from ``ct``'s along the normals of the CT's surface at ``boundary_hu``.

    Along each normal the place of the steepest change is taken in either image, within a sample's parts: the synthetic MR has no
    unit, so no common value could tell its boundary. Raises GeometryError if the grids differ.
    """
    if not ct.geometry.same_as(synthetic.geometry):
        raise GeometryError("the synthetic MR lies on another grid than the CT: resample it onto the CT first")
    index, normals = _boundary(ct, boundary_hu)
    ours, found_ours = _edges(ct, index, normals)
    theirs, found_theirs = _edges(synthetic, index, normals)
    found = found_ours & found_theirs
    shifts, along = (theirs - ours)[found], normals[found]
    if not found.any():
        return BoundaryShift(0, len(found), None, None, None, None)
    left, posterior, superior = np.linalg.lstsq(along, shifts, rcond=None)[0]
    return BoundaryShift(
        n=len(shifts),
        not_found=int((~found).sum()),
        mean_signed_mm=float(shifts.mean()),
        mean_absolute_mm=float(np.abs(shifts).mean()),
        percentile_95_mm=float(np.percentile(np.abs(shifts), 95)),
        displacement_mm=(float(left), float(posterior), float(superior)),
    )


def _boundary(ct: Volume, level: float) -> tuple[Array, Array]:
    """Fractional indices (n, 3) where the CT crosses the level between two voxels, and unit normals (LPS) towards lower HU."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    array = ct.array.astype(np.float64)
    places = []
    for axis in range(3):
        a, b = (np.take(array, range(first, array.shape[axis] - 1 + first), axis) for first in (0, 1))
        crossing = np.argwhere((a >= level) != (b >= level)).astype(np.float64)
        at = tuple(crossing.astype(int).T)
        crossing[:, axis] += (level - a[at]) / (b[at] - a[at])
        places.append(crossing)
    index = np.concatenate(places)
    index = index[:: max(1, len(index) // MOST_POINTS)]
    smooth = gaussian_filter(array, 1.0)
    axes = [axis for axis, n in enumerate(array.shape) if n > 1]
    slopes = np.gradient(smooth, *[_coordinates(ct.geometry, axis) for axis in axes], axis=axes)
    gradient = np.zeros((len(index), 3))
    for axis, slope in zip(axes, slopes if len(axes) > 1 else [slopes], strict=True):
        gradient[:, axis] = map_coordinates(slope, index.T, order=1, mode="nearest")
    normals = -gradient @ ct.geometry.direction
    length = np.linalg.norm(normals, axis=1)
    return index[length > 0], normals[length > 0] / length[length > 0, None]


def _coordinates(grid: Geometry, axis: int) -> Array:
    coordinates: Array = grid.axis_coordinates(axis)
    return coordinates


def _edges(image: Volume, index: Array, normals: Array) -> tuple[Array, NDArray[np.bool_]]:
    """(n,) place of the steepest change along each normal, mm from the CT's boundary, and whether there is an edge."""
    from scipy.ndimage import map_coordinates

    array = image.array.astype(np.float64)
    offsets = np.arange(-REACH_MM, REACH_MM + STEP_MM / 2, STEP_MM)
    points = image.geometry.points(index)[:, None] + offsets[:, None] * normals[:, None]
    where = image.geometry.indices(points.reshape(-1, 3)).T
    values = map_coordinates(array, where, order=3, mode="nearest")  # smooth slopes: linear ones jump at each voxel
    values = values.reshape(len(index), -1)
    steepness = np.abs(np.gradient(values, STEP_MM, axis=1))
    steepness = steepness[:, 1:-1]  # one-sided at the ends
    top = steepness.argmax(axis=1)
    inner = np.clip(top, 1, steepness.shape[1] - 2)
    before, at, after = (steepness[np.arange(len(top)), inner + k] for k in (-1, 0, 1))
    bend = before - 2 * at + after
    part = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1), 0.0)
    low, high = np.percentile(array, (1, 99))
    is_edge = (top == inner) & (at > FAINTEST * (high - low)) & bool(high > low)
    return offsets[1 + inner] + np.clip(part, -0.5, 0.5) * STEP_MM, is_edge
