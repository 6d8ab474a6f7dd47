"""Slices in order: from the headers of one CT series to a Geometry, or a refusal that names the slice that does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, GeometryError, InputError
from rtseg.core.geometry import ORTHONORMAL, SAME_POSITION_MM
from rtseg.dicom.decimal_text import FAR_MM
from rtseg.dicom.slice_header import SliceHeader

OUT_OF_LINE_MM = 0.1
"""Largest sideways place of a slice against a straight stack along the normal: rounded cosines over half a metre stay
below it (1e-4 x 500 mm = 0.05 mm), the smallest gantry tilt in use (0.5 degrees) passes it within 12 mm."""

SAME_SPACING_MM = 1e-5
"""Pixel spacings of a series agree to this: over 1000 pixels it moves a voxel by SAME_POSITION_MM."""

HOLE_RATIO = 2.0
"""A gap between slices larger than so many times its smaller neighbour is a hole: more than one slice is missing."""

HOLE_TOLERANCE = 0.01
"""Rounded positions do not make a hole of exactly one missing slice."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Stack:
    """Slices of one series ascending along the normal, and their grid."""

    headers: tuple[SliceHeader, ...]
    geometry: Geometry


@dataclass(frozen=True)
class Gap:
    """The gap after slice ``below``, mm, beside the smaller of its neighbouring gaps."""

    below: int
    gap_mm: float
    neighbour_mm: float

    @property
    def ratio(self) -> float:
        return self.gap_mm / self.neighbour_mm

    @property
    def is_hole(self) -> bool:
        """Whether so much is missing that nothing should be contoured across it unasked."""
        return self.ratio > HOLE_RATIO + HOLE_TOLERANCE


def stack_slices(headers: Sequence[SliceHeader]) -> Stack:
    """Sorts slices along the normal (row direction x column direction) and makes their grid.

    Any orientation, uneven gaps. Position and directions are the file's own numbers (PS3.3 C.7.6.2.1.1).
    Raises InputError for missing attributes, mixed sizes or spacings, a single slice; GeometryError for orientations
    that are not at right angles or differ, two slices at one position, and gantry tilt.
    """
    directions = _one_orientation(headers)
    rows_columns, spacing = _one_size(headers), _one_spacing(headers)
    places = _near_places(headers)
    if len(headers) < 2:
        raise InputError(f"{headers[0].path} is the only slice of its series: two at least are needed. Export the whole series.")
    along = places @ directions[0]
    order = np.argsort(along, kind="stable")
    ordered = tuple(headers[i] for i in order)
    _refuse_doubles(ordered, along[order])
    _refuse_tilt(ordered, places[order], along[order], directions[0])
    origin = places[order[0]] - along[order[0]] * directions[0]
    return Stack(ordered, Geometry((len(headers), *rows_columns), spacing, along[order], origin, directions))


def largest_gap(geometry: Geometry) -> Gap | None:
    """The gap that is largest against its smaller neighbour; None with fewer than three slices."""
    gaps = np.diff(geometry.positions)
    if len(gaps) < 2:
        return None
    padded = np.concatenate([[np.inf], gaps, [np.inf]])
    neighbours = np.minimum(padded[:-2], padded[2:])
    worst = int(np.argmax(gaps / neighbours))
    return Gap(worst, float(gaps[worst]), float(neighbours[worst]))


def _one_orientation(headers: Sequence[SliceHeader]) -> Points:
    """(3, 3) unit vectors of slices, rows and columns."""
    cosines = np.array([header.numbers("ImageOrientationPatient", 6) for header in headers]).reshape(-1, 2, 3)
    products = cosines @ cosines.transpose(0, 2, 1)
    skew = np.abs(products - np.eye(2)).max(axis=(1, 2)) > ORTHONORMAL
    if skew.any():
        bad = int(np.argmax(skew))
        raise GeometryError(
            f"ImageOrientationPatient of {headers[bad].path} is {cosines[bad].ravel().tolist()}: two unit vectors "
            "at right angles were expected. Export the series again; an image without true orientation cannot be contoured."
        )
    other = np.abs(cosines - cosines[0]).max(axis=(1, 2)) > ORTHONORMAL
    if other.any():
        bad = int(np.argmax(other))
        raise GeometryError(
            f"slices of one series have different orientations: {cosines[0].ravel().tolist()} in {headers[0].path.name}, "
            f"{cosines[bad].ravel().tolist()} in {headers[bad].path.name} "
            f"({int(other.sum())} of {len(headers)} differ from the first). Keep the slices of one orientation only."
        )
    to_column, to_row = cosines[0]  # first triple: where the column index grows
    normal = np.cross(to_column, to_row)
    return np.stack([normal / np.linalg.norm(normal), to_row, to_column])


def _one_size(headers: Sequence[SliceHeader]) -> tuple[int, int]:
    sizes = [(header.integers.get("Rows", 0), header.integers.get("Columns", 0)) for header in headers]
    for header, size in zip(headers, sizes, strict=True):
        if min(size) < 1:
            raise InputError(f"Rows or Columns is 0 in {header.path}: it is no image. Remove it or export it again.")
        if size != sizes[0]:
            raise InputError(
                f"slices of one series have different sizes: {sizes[0][0]} x {sizes[0][1]} in {headers[0].path.name}, "
                f"{size[0]} x {size[1]} in {header.path.name}. Keep the slices of one reconstruction only."
            )
    return sizes[0]


def _one_spacing(headers: Sequence[SliceHeader]) -> tuple[float, float]:
    spacings = np.array([header.numbers("PixelSpacing", 2) for header in headers])
    for header, spacing in zip(headers, spacings, strict=True):
        if spacing.min() <= 0:
            raise InputError(
                f"PixelSpacing is {spacing.tolist()} in {header.path}: positive millimetres were expected. Export it again."
            )
        if np.abs(spacing - spacings[0]).max() > SAME_SPACING_MM:
            raise InputError(
                f"slices of one series have different PixelSpacing: {spacings[0].tolist()} mm in {headers[0].path.name}, "
                f"{spacing.tolist()} mm in {header.path.name}. Keep the slices of one reconstruction only."
            )
    return float(spacings[0, 0]), float(spacings[0, 1])


def _near_places(headers: Sequence[SliceHeader]) -> Points:
    """(n, 3) positions of the slices, LPS mm."""
    places = np.array([header.numbers("ImagePositionPatient", 3) for header in headers])
    far = np.abs(places).max(axis=1) > FAR_MM
    if far.any():
        bad = int(np.argmax(far))
        raise InputError(
            f"ImagePositionPatient is {places[bad].tolist()} mm in {headers[bad].path}: no patient lies so far from the origin. "
            "Export the series again."
        )
    return places


def _refuse_doubles(ordered: Sequence[SliceHeader], along: Points) -> None:
    close = np.flatnonzero(np.diff(along) <= SAME_POSITION_MM)
    if len(close) == 0:
        return
    one, two = ordered[close[0]], ordered[close[0] + 1]
    same = ", the same image twice (equal SOPInstanceUID)" if one.text("SOPInstanceUID") == two.text("SOPInstanceUID") else ""
    pairs = "1 such pair" if len(close) == 1 else f"{len(close)} such pairs"
    raise GeometryError(
        f"two slices at one position ({along[close[0]]:.3f} mm along the normal): {one.path} and {two.path}{same}; {pairs}. "
        "Keep one of each."
    )


def _refuse_tilt(ordered: Sequence[SliceHeader], places: Points, along: Points, normal: Points) -> None:
    steps = along - along[0]
    sideways = np.linalg.norm(places - places[0] - steps[:, None] * normal, axis=1)
    worst = int(np.argmax(sideways))
    if sideways[worst] <= OUT_OF_LINE_MM:
        return
    degrees = float(np.degrees(np.arctan2(sideways[worst], steps[worst])))
    raise GeometryError(
        f"gantry tilt: the slices are not stacked along their normal. {ordered[worst].path.name} lies {sideways[worst]:.2f} mm "
        f"beside the line of {ordered[0].path.name} ({degrees:.1f} degrees); at most {OUT_OF_LINE_MM} mm are allowed. "
        "Have the scan reconstructed without tilt, or resample it to a straight stack first."
    )
