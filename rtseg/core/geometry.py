"""Voxel grids in patient space: the only place where indices become millimetres and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtseg.core.errors import GeometryError

SAME_POSITION_MM = 0.01
"""Two grids are the same if no voxel centre differs by more (DICOM positions are rounded to 0.001 mm or so)."""

REGULAR_MM = 0.01
"""A stack is regular if no gap differs from the mean gap by more (rounded positions stay below it)."""

ORTHONORMAL = 1e-4
"""Largest error of unit length and right angles in a direction (highdicom's tolerance for ImageOrientationPatient)."""

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Geometry:
    """A voxel grid in patient space: LPS (x to the left, y to posterior, z to superior), millimetres, any orientation.

    Arrays on it are ``(slices, rows, columns)``. The centre of voxel ``(i, j, k)`` lies at
    ``origin + positions[i] * direction[0] + j * pixel_spacing[0] * direction[1] + k * pixel_spacing[1] * direction[2]``.

    shape          (slices, rows, columns)
    pixel_spacing  (between rows, between columns), mm
    positions      (slices,) places of the slices along ``direction[0]``, mm, strictly increasing, not always even
    origin         (3,) LPS point that positions are counted from, in line with voxel ``(., 0, 0)``
    direction      (3, 3) ``direction[k]`` is the LPS unit vector of array axis ``k``; right- or left-handed

    Raises GeometryError if the parts do not fit together.
    """

    shape: tuple[int, int, int]
    pixel_spacing: tuple[float, float]
    positions: Points
    origin: Points
    direction: Points

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "pixel_spacing", tuple(float(mm) for mm in self.pixel_spacing))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GeometryError(f"a grid has three axes with at least one voxel each, got {self.shape}")
        if len(self.pixel_spacing) != 2 or not all(0 < mm < np.inf for mm in self.pixel_spacing):
            raise GeometryError(f"pixel spacing is two positive numbers of millimetres, got {self.pixel_spacing}")
        for name, shape in (("positions", (self.shape[0],)), ("origin", (3,)), ("direction", (3, 3))):
            value = np.array(getattr(self, name), dtype=np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise GeometryError(f"{name} of a grid of shape {self.shape} must be {shape} finite numbers, got {value.shape}")
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        if (np.diff(self.positions) <= 0).any():
            raise GeometryError("slice positions must be strictly increasing")
        if np.abs(self.direction @ self.direction.T - np.eye(3)).max() > ORTHONORMAL:
            raise GeometryError(f"directions must be unit vectors at right angles, got {self.direction.tolist()}")

    @classmethod
    def regular(
        cls,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        origin: ArrayLike = (0.0, 0.0, 0.0),
        direction: ArrayLike | None = None,
    ) -> Geometry:
        """An evenly spaced grid; ``origin`` is the centre of voxel (0, 0, 0).

        Without ``direction`` it is axial: slices towards superior, rows towards posterior, columns towards left.
        """
        return cls(
            shape,
            (spacing_mm[1], spacing_mm[2]),
            np.arange(shape[0], dtype=np.float64) * spacing_mm[0],
            np.asarray(origin, dtype=np.float64),
            AXIAL if direction is None else np.asarray(direction, dtype=np.float64),
        )

    @property
    def is_regular(self) -> bool:
        """Whether all gaps between slices agree to REGULAR_MM; a single slice is not regular."""
        gaps = np.diff(self.positions)
        return len(gaps) > 0 and bool(np.abs(gaps - gaps.mean()).max() <= REGULAR_MM)

    @property
    def slice_spacing(self) -> float:
        """Distance between neighbouring slices, mm. Raises GeometryError unless the stack is regular."""
        if not self.is_regular:
            raise GeometryError("slices are not evenly spaced: use positions or slice_thicknesses")
        return float(self.positions[-1] - self.positions[0]) / (self.shape[0] - 1)

    @property
    def slice_faces(self) -> Points:
        """(slices + 1,) borders between slices along ``direction[0]``, mm: half-way to each neighbour.

        The outer faces lie half the neighbouring gap outside; a single slice is taken as 1 mm thick.
        """
        if self.shape[0] == 1:
            return np.concatenate([self.positions - 0.5, self.positions + 0.5])
        middle = (self.positions[:-1] + self.positions[1:]) / 2
        return np.concatenate([[2 * self.positions[0] - middle[0]], middle, [2 * self.positions[-1] - middle[-1]]])

    @property
    def voxel_ml(self) -> Points:
        """(slices,) volume of one voxel of each slice, ml."""
        return np.diff(self.slice_faces) * self.pixel_spacing[0] * self.pixel_spacing[1] / 1000

    def axis_coordinates(self, axis: int) -> Points:
        """(n,) places of the voxel centres of an array axis along its own direction, mm from the origin."""
        if axis == 0:
            return self.positions
        return np.arange(self.shape[axis], dtype=np.float64) * self.pixel_spacing[axis - 1]

    def points(self, indices: ArrayLike) -> Points:
        """LPS points (n, 3), mm, of fractional indices (n, 3) as (slice, row, column).

        Between slices the place is interpolated; beyond the first or last slice the neighbouring gap goes on.
        """
        index = np.asarray(indices, dtype=np.float64)
        along = _extended_interp(index[..., 0], np.arange(self.shape[0], dtype=np.float64), self.positions)
        offsets = np.stack([along, index[..., 1] * self.pixel_spacing[0], index[..., 2] * self.pixel_spacing[1]], axis=-1)
        points: Points = self.origin + offsets @ self.direction
        return points

    def indices(self, points: ArrayLike) -> Points:
        """Fractional indices (n, 3) as (slice, row, column) of LPS points (n, 3) in mm; the inverse of ``points``."""
        offsets = (np.asarray(points, dtype=np.float64) - self.origin) @ np.linalg.inv(self.direction)
        slices = _extended_interp(offsets[..., 0], self.positions, np.arange(self.shape[0], dtype=np.float64))
        return np.stack([slices, offsets[..., 1] / self.pixel_spacing[0], offsets[..., 2] / self.pixel_spacing[1]], axis=-1)

    def corners(self) -> Points:
        """(8, 3) LPS points of the grid's outer corners (outer faces of the outer voxels), mm."""
        faces = self.slice_faces
        along = [
            (faces[0], faces[-1]),
            *((-0.5 * mm, (n - 0.5) * mm) for n, mm in zip(self.shape[1:], self.pixel_spacing, strict=True)),
        ]
        offsets = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 3)
        corners: Points = self.origin + offsets @ self.direction
        return corners

    def crop(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Geometry:
        """The part of this grid that begins at voxel ``start`` and has ``shape`` voxels.

        Raises GeometryError if it would reach outside.
        """
        stop = tuple(a + n for a, n in zip(start, shape, strict=True))
        if min(start) < 0 or any(b > n for b, n in zip(stop, self.shape, strict=True)):
            raise GeometryError(f"crop from {start} to {stop} reaches outside the grid {self.shape}")
        shift = start[1] * self.pixel_spacing[0] * self.direction[1] + start[2] * self.pixel_spacing[1] * self.direction[2]
        return Geometry(shape, self.pixel_spacing, self.positions[start[0] : stop[0]], self.origin + shift, self.direction)

    def same_as(self, other: Geometry, tolerance_mm: float = SAME_POSITION_MM) -> bool:
        """Whether both grids have the same shape and no voxel centre differs by more than ``tolerance_mm``."""
        if self.shape != other.shape:
            return False
        slices, rows, columns = self.shape
        every_slices_corners = np.stack(np.meshgrid(range(slices), [0, rows - 1], [0, columns - 1]), axis=-1)
        apart = self.points(every_slices_corners) - other.points(every_slices_corners)
        return bool(np.linalg.norm(apart, axis=-1).max() <= tolerance_mm)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Geometry) and self.same_as(other, tolerance_mm=0.0)

    __hash__ = None  # type: ignore[assignment]  # equality is by value on arrays


AXIAL: Points = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""Directions of an axial stack: slices to superior, rows to posterior, columns to left."""
AXIAL.setflags(write=False)


def _extended_interp(x: Points, xp: Points, fp: Points) -> Points:
    """Linear interpolation that goes on with the outermost slope; one sample means a slope of 1."""
    if len(xp) == 1:
        return fp + (x - xp)
    low, high = x < xp[0], x > xp[-1]
    y: Points = np.interp(x, xp, fp)
    y = np.where(low, fp[0] + (x - xp[0]) * (fp[1] - fp[0]) / (xp[1] - xp[0]), y)
    return np.where(high, fp[-1] + (x - xp[-1]) * (fp[-1] - fp[-2]) / (xp[-1] - xp[-2]), y)
