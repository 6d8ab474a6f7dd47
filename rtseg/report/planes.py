"""Planes through a patient as a radiologist sees them: axial, coronal, sagittal pictures of a grid of any orientation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtseg.core import Geometry, Structure, StructureSet, Volume

AIR_HU = -1000.0
"""What lies outside of the CT."""

MANY_VOXELS = 4_000_000
"""Of a structure with a larger crop only every n-th voxel is looked at to find its middle and extent."""


@dataclass(frozen=True)
class View:
    """A way to look: LPS directions of a picture's columns and rows, and the letters at its left, right, top and bottom."""

    name: str
    across: tuple[int, int, int]
    down: tuple[int, int, int]
    letters: str

    @property
    def normal(self) -> int:
        """The LPS axis (0, 1, 2) that the picture does not show."""
        return next(axis for axis in range(3) if self.across[axis] == self.down[axis] == 0)


AXIAL = View("axial", (1, 0, 0), (0, 1, 0), "RLAP")
CORONAL = View("coronal", (1, 0, 0), (0, 0, -1), "RLSI")
SAGITTAL = View("sagittal", (0, 1, 0), (0, 0, -1), "APSI")
VIEWS = (AXIAL, CORONAL, SAGITTAL)


@dataclass(frozen=True, eq=False)
class Raster:
    """The square pixels of a picture: ``corner`` is the LPS centre of the top left one, mm; shape is (rows, columns)."""

    view: View
    corner: NDArray[np.float64]
    shape: tuple[int, int]
    pixel_mm: float

    @classmethod
    def around(cls, view: View, low: ArrayLike, high: ArrayLike, at: ArrayLike, pixel_mm: float) -> Raster:
        """The picture of the LPS box from ``low`` to ``high`` on the plane through the point ``at``, all in mm."""
        ends = np.array([low, high], dtype=np.float64)
        across, down = np.array(view.across), np.array(view.down)
        lengths = [float(np.ptp(ends @ direction)) for direction in (down, across)]
        rows, columns = (max(1, round(length / pixel_mm)) for length in lengths)
        corner = np.where(down + across < 0, ends[1], ends[0]) + (down + across) * pixel_mm / 2
        corner[view.normal] = np.asarray(at, dtype=np.float64)[view.normal]
        return cls(view, corner, (rows, columns), pixel_mm)

    def points(self) -> NDArray[np.float64]:
        """(rows, columns, 3) LPS centres of the pixels, mm."""
        rows, columns = (np.arange(n)[:, None] * self.pixel_mm for n in self.shape)
        points: NDArray[np.float64] = self.corner + (rows * self.view.down)[:, None] + (columns * self.view.across)[None]
        return points


def located(geometry: Geometry, raster: Raster) -> NDArray[np.float64]:
    """(rows, columns, 3) where the pixels lie in a grid, as fractional voxel indices (slice, row, column)."""
    return geometry.indices(raster.points())


def image_at(volume: Volume, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows, columns) values between the voxel centres, linear; AIR_HU outside of the image. Places as ``located`` gives."""
    from scipy.ndimage import map_coordinates

    values: NDArray[np.float64] = map_coordinates(volume.array, np.moveaxis(places, -1, 0), np.float64, order=1, mode="nearest")
    return np.where(_inside(nearest_voxels(places), volume.array.shape), values, AIR_HU)


def mask_at(structure: Structure, voxels: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(rows, columns) whether a structure holds the voxels that ``nearest_voxels`` gives for places in its grid."""
    voxels = voxels - structure.offset
    inside = _inside(voxels, structure.mask.shape)
    shown = np.zeros(inside.shape, dtype=np.bool_)
    shown[inside] = structure.mask[tuple(voxels[inside].T)]
    return shown


def nearest_voxels(places: NDArray[np.float64]) -> NDArray[np.intp]:
    """Whole voxel indices of fractional ones; a place half-way belongs to the higher."""
    voxels: NDArray[np.intp] = np.floor(places + 0.5).astype(np.intp)
    return voxels


def voxel_points(structures: StructureSet, name: str) -> NDArray[np.float64]:
    """(n, 3) LPS centres of a structure's voxels, mm; every n-th of a very large one; none if it is empty."""
    structure = structures[name]
    step = int(np.ceil((structure.mask.size / MANY_VOXELS) ** (1 / 3))) or 1
    index = np.argwhere(structure.mask[::step, ::step, ::step]) * step + structure.offset
    return structures.geometry.points(index)


def _inside(voxels: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.asarray(((voxels >= 0) & (voxels < shape)).all(axis=-1), dtype=np.bool_)
