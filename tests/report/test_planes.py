"""Planes through the patient: left is right on the picture, whatever way the grid lies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from rtseg.core import AXIAL as AXIAL_STACK
from rtseg.core import Geometry, Structure, StructureSet, Volume
from rtseg.report.planes import AIR_HU, AXIAL, CORONAL, SAGITTAL, Raster, image_at, located, mask_at, nearest_voxels, voxel_points

OBLIQUE = np.linalg.qr(np.array([[0.1, 0.2, 1.0], [0.0, 1.0, -0.1], [1.0, 0.1, 0.2]]).T)[0].T
ORIENTATIONS = [
    np.diag(signs) @ AXIAL_STACK[list(order)]
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
] + [OBLIQUE]


def grid(direction: NDArray[np.float64]) -> Geometry:
    """A grid of 3 x 2 x 1 mm voxels about 120 mm wide around the LPS point (10, -20, 30) mm."""
    shape, spacing = (40, 60, 120), (3.0, 2.0, 1.0)
    half = np.array([(n - 1) * mm / 2 for n, mm in zip(shape, spacing, strict=True)])
    return Geometry.regular(shape, spacing, np.array([10.0, -20.0, 30.0]) - half @ direction, direction)


def ball(geometry: Geometry, centre: tuple[float, float, float], radius_mm: float) -> Structure:
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    return Structure.from_full(np.linalg.norm(geometry.points(index) - centre, axis=-1) < radius_mm)


@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_ball_lies_where_the_letters_say(direction: NDArray[np.float64]) -> None:
    # 20 mm to the left (x), 12 mm to anterior (y), 16 mm to superior (z) of the middle of the pictures
    geometry = grid(direction)
    middle = np.array([10.0, -20.0, 30.0])
    centre = middle + np.array([20.0, -12.0, 16.0])
    organ = ball(geometry, tuple(centre), 8)
    expected = {AXIAL.name: (-12.0, 20.0), CORONAL.name: (-16.0, 20.0), SAGITTAL.name: (-16.0, -12.0)}  # mm down, mm across
    for view in (AXIAL, CORONAL, SAGITTAL):
        raster = Raster.around(view, middle - 45, middle + 45, centre, 0.5)
        rows, columns = np.nonzero(mask_at(organ, nearest_voxels(located(geometry, raster))))
        down, across = ((hit.mean() - (n - 1) / 2) * 0.5 for hit, n in zip((rows, columns), raster.shape, strict=True))
        assert (down, across) == pytest.approx(expected[view.name], abs=1.0)
        assert len(rows) * 0.25 == pytest.approx(np.pi * 8**2, rel=0.1)  # a disc in true proportion


def test_letters() -> None:
    # left, right, top, bottom of the picture; LPS: +x left, +y posterior, +z superior
    words = {(1, 0, 0): "RL", (0, 1, 0): "AP", (0, 0, -1): "SI"}
    for view in (AXIAL, CORONAL, SAGITTAL):
        assert view.letters == words[view.across] + words[view.down]


@pytest.mark.parametrize("direction", ORIENTATIONS[::7])
def test_image_is_sampled_at_the_points_of_the_picture(direction: NDArray[np.float64]) -> None:
    geometry = grid(direction)
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    left, posterior, superior = np.moveaxis(geometry.points(index), -1, 0)
    ramp = Volume(left + 100 * posterior + 10_000 * superior, geometry)
    for view in (AXIAL, CORONAL, SAGITTAL):
        raster = Raster.around(view, (0, -30, 20), (20, -10, 40), (11.3, -21.2, 31.7), 1.3)
        points = raster.points()
        seen = image_at(ramp, located(geometry, raster))
        assert seen == pytest.approx(points @ (1, 100, 10_000))
        assert (points[..., view.normal] == (11.3, -21.2, 31.7)[view.normal]).all()


def test_outside_of_the_image_is_air() -> None:
    geometry = Geometry.regular((4, 10, 10), (3.0, 1.0, 1.0))
    raster = Raster.around(AXIAL, (-20, -20, 0), (-10, -10, 0), (0, 0, 3), 1.0)
    places = located(geometry, raster)
    assert (image_at(Volume(np.zeros(geometry.shape, np.int16), geometry), places) == AIR_HU).all()
    assert not mask_at(Structure(np.ones(geometry.shape, np.bool_), (0, 0, 0)), nearest_voxels(places)).any()


def test_uneven_slices_are_shown_where_they_are() -> None:
    # slices at 0, 2, 4, 10 mm, the last one set: it reaches from 7 to 13 mm
    geometry = Geometry((4, 9, 9), (1.0, 1.0), np.array([0.0, 2.0, 4.0, 10.0]), np.zeros(3), AXIAL_STACK)
    organ = Structure(np.ones((1, 9, 9), np.bool_), (3, 0, 0))
    raster = Raster.around(CORONAL, (3, 0, 0), (5, 0, 20), (0, 4, 0), 0.5)
    rows = np.flatnonzero(mask_at(organ, nearest_voxels(located(geometry, raster))).any(axis=1))
    heights = raster.points()[rows, 0, 2]
    assert (heights.min(), heights.max()) == (7.25, 12.75)


def test_voxels_of_a_crop_lie_where_they_are() -> None:
    geometry = grid(OBLIQUE)
    structures = StructureSet(geometry, {"Larynx": ball(geometry, (15.0, -25.0, 33.0), 10)})
    assert voxel_points(structures, "Larynx").mean(axis=0) == pytest.approx((15.0, -25.0, 33.0), abs=0.3)
