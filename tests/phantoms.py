"""Phantoms in patient coordinates: three unequal balls at uneven places, so that each axis and each side is told apart.

Every grid shows the same patient round CENTRE, whatever way it is turned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtseg.core import Geometry, Mask, Structure, StructureSet, Volume

CENTRE = np.array([11.0, -23.0, 640.0])
"""Middle of the patient, LPS mm; nowhere near the origin."""

AIR_HU, BODY_HU = -1000, 0

BODY_AXES_MM = (52.0, 44.0)
"""Half axes of the body to the left and to posterior; along z it goes on without end."""


@dataclass(frozen=True)
class Ball:
    """offset_mm: centre against CENTRE, LPS (left, posterior, superior are positive)."""

    offset_mm: tuple[float, float, float]
    radius_mm: float
    hu: int

    @property
    def centre(self) -> NDArray[np.float64]:
        return CENTRE + self.offset_mm


BALLS = {
    "Parotid_L": Ball((30.0, -8.0, 12.0), 14.0, 60),
    "Parotid_R": Ball((-26.0, 6.0, -9.0), 10.0, 120),
    "Brainstem": Ball((4.0, 22.0, 5.0), 7.0, 200),
}
"""The largest lies left, the next right, the smallest posterior; their heights differ."""

ROW_AND_COLUMN = {
    "HFS": ((1, 0, 0), (0, 1, 0)),
    "HFP": ((-1, 0, 0), (0, -1, 0)),
    "FFS": ((-1, 0, 0), (0, 1, 0)),
    "FFP": ((1, 0, 0), (0, -1, 0)),
    "HFDR": ((0, 1, 0), (-1, 0, 0)),
    "HFDL": ((0, -1, 0), (1, 0, 0)),
}
"""Direction cosines (along a row, down a column) of pictures seen from the foot end of the couch, patient lying as named."""


@dataclass(frozen=True, eq=False)
class Phantom:
    """The scan and the organs in it."""

    ct: Volume
    organs: StructureSet


def three_balls(geometry: Geometry) -> Phantom:
    """BALLS in a body of 0 HU in air, int16, on any grid; a voxel belongs to a ball if its centre does."""
    centres = geometry.points(np.moveaxis(np.indices(geometry.shape), 0, -1))  # (slices, rows, columns, 3)
    sideways = ((centres[..., :2] - CENTRE[:2]) / BODY_AXES_MM) ** 2
    hu = np.where(sideways.sum(axis=-1) <= 1, BODY_HU, AIR_HU).astype(np.int16)
    organs = {}
    for name, ball in BALLS.items():
        inside = np.linalg.norm(centres - ball.centre, axis=-1) <= ball.radius_mm
        hu[inside] = ball.hu
        organs[name] = Structure.from_full(inside)
    return Phantom(Volume(hu, geometry), StructureSet(geometry, organs))


def centroid(mask: Mask) -> NDArray[np.float64]:
    """LPS point, mm: mean of the voxel centres, each with the thickness of its slice."""
    index = np.argwhere(mask.array)
    weights = mask.geometry.voxel_ml[index[:, 0]]
    return np.average(mask.geometry.points(index), axis=0, weights=weights)


def turned_geometry(
    row: ArrayLike,
    column: ArrayLike,
    shape: tuple[int, int, int] = (34, 56, 64),
    spacing_mm: tuple[float, float, float] = (2.5, 2.2, 2.0),
) -> Geometry:
    """A grid round CENTRE with these direction cosines along a row and down a column; slices along row x column."""
    row, column = np.asarray(row, dtype=np.float64), np.asarray(column, dtype=np.float64)
    direction = np.stack([np.cross(row, column), column, row])
    half = (np.array(shape) - 1) / 2 * spacing_mm
    return Geometry.regular(shape, spacing_mm, CENTRE - half @ direction, direction)


def axial_geometry(
    patient_position: str = "HFS",
    shape: tuple[int, int, int] = (34, 56, 64),
    spacing_mm: tuple[float, float, float] = (2.5, 2.2, 2.0),
) -> Geometry:
    """The grid a scanner writes for a patient lying as ``patient_position`` says."""
    row, column = ROW_AND_COLUMN[patient_position]
    return turned_geometry(row, column, shape, spacing_mm)


def sagittal_geometry() -> Geometry:
    """Rows run to posterior, columns down to inferior; 46 slices of 2.5 mm towards the right or left."""
    return turned_geometry((0, 1, 0), (0, 0, -1), (46, 44, 60), (2.5, 2.0, 1.8))


def coronal_geometry() -> Geometry:
    """Rows run to the left, columns down to inferior; 40 slices of 2.5 mm towards posterior."""
    return turned_geometry((1, 0, 0), (0, 0, -1), (40, 44, 64), (2.5, 2.0, 1.8))


def oblique_geometry(degrees: tuple[float, float] = (12.0, -20.0)) -> Geometry:
    """Axial, then turned about the left-right axis and about the long axis of the patient."""
    tip, spin = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(tip), -np.sin(tip)], [0, np.sin(tip), np.cos(tip)]])
    about_z = np.array([[np.cos(spin), -np.sin(spin), 0], [np.sin(spin), np.cos(spin), 0], [0, 0, 1]])
    turn = about_z @ about_x
    return turned_geometry(turn[:, 0], turn[:, 1], (40, 64, 72))


def without_slices(geometry: Geometry, left_out: Iterable[int]) -> Geometry:
    """The grid with some slices left out, the rest in its true place."""
    kept = np.setdiff1d(np.arange(geometry.shape[0]), list(left_out))
    shape = (len(kept), *geometry.shape[1:])
    return Geometry(shape, geometry.pixel_spacing, geometry.positions[kept], geometry.origin, geometry.direction)
