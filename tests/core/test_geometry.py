"""Indices and millimetres: what a point on a grid is, worked out by hand, and rules that hold for every grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import axial_geometry, oblique_geometry, sagittal_geometry, without_slices

from rtseg.core import AXIAL, Geometry, GeometryError

UNEVEN = Geometry((4, 3, 2), (2.0, 1.5), np.array([0.0, 3.0, 5.0, 15.0]), np.array([10.0, 20.0, 30.0]), AXIAL)
"""Slices at z = 30, 33, 35 and 45; rows 2 mm apart to posterior, columns 1.5 mm apart to the left."""

mm = st.floats(-500, 500, allow_subnormal=False)
index = st.floats(-20, 20, allow_subnormal=False)
gaps = st.floats(0.5, 20)


@st.composite
def grids(draw: st.DrawFn) -> Geometry:
    """Any orientation, right- or left-handed, uneven slices, a single one too."""
    steps = draw(st.lists(gaps, max_size=6))
    seed = draw(st.integers(0, 2**32 - 1))
    direction, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    shape = (len(steps) + 1, draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    positions = draw(mm) + np.cumsum([0.0, *steps])
    return Geometry(shape, (draw(gaps), draw(gaps)), positions, np.array([draw(mm) for _ in range(3)]), direction)


def test_a_voxel_lies_where_its_slice_row_and_column_say() -> None:
    # x = 10 + 1 * 1.5, y = 20 + 2 * 2.0, z = 30 + 5.0
    np.testing.assert_allclose(UNEVEN.points([[2, 2, 1]]), [[11.5, 24.0, 35.0]])


def test_a_fractional_slice_lies_between_its_neighbours() -> None:
    # a quarter of the way from 35 to 45
    np.testing.assert_allclose(UNEVEN.points([[2.25, 0, 0]]), [[10.0, 20.0, 37.5]])


def test_beyond_the_ends_the_neighbouring_gap_goes_on() -> None:
    # first gap 3 mm, last gap 10 mm
    np.testing.assert_allclose(UNEVEN.points([[-2, 0, 0], [3.5, 0, 0]])[:, 2], [30 - 6, 45 + 5])
    np.testing.assert_allclose(UNEVEN.indices([[10, 20, 24], [10, 20, 50]])[:, 0], [-2, 3.5])


@given(grids(), st.lists(st.tuples(index, index, index), min_size=1, max_size=5))
@settings(deadline=None)
def test_indices_undo_points_on_any_grid(grid: Geometry, there: list[tuple[float, float, float]]) -> None:
    np.testing.assert_allclose(grid.indices(grid.points(there)), there, atol=1e-7)


@given(grids(), st.lists(st.tuples(mm, mm, mm), min_size=1, max_size=5))
@settings(deadline=None)
def test_points_undo_indices_on_any_grid(grid: Geometry, there: list[tuple[float, float, float]]) -> None:
    np.testing.assert_allclose(grid.points(grid.indices(there)), there, atol=1e-7)


def test_points_keep_any_leading_axes() -> None:
    every = np.moveaxis(np.indices(UNEVEN.shape), 0, -1)
    assert UNEVEN.points(every).shape == (4, 3, 2, 3)
    np.testing.assert_allclose(UNEVEN.indices(UNEVEN.points(every)), every, atol=1e-12)


def test_corners_are_the_outer_faces() -> None:
    # half a voxel outside: x 10 - 0.75 .. 11.5 + 0.75, y 20 - 1 .. 24 + 1, z 30 - 1.5 .. 45 + 5
    corners = UNEVEN.corners()
    assert corners.shape == (8, 3)
    np.testing.assert_allclose(corners.min(axis=0), [9.25, 19.0, 28.5])
    np.testing.assert_allclose(corners.max(axis=0), [12.25, 25.0, 50.0])


def test_voxels_of_uneven_slices_have_their_own_volume() -> None:
    # faces at -1.5, 1.5, 4, 10, 20: 3, 2.5, 6 and 10 mm thick, 3 mm2 each
    np.testing.assert_allclose(UNEVEN.slice_faces, [-1.5, 1.5, 4, 10, 20])
    np.testing.assert_allclose(UNEVEN.voxel_ml, [0.009, 0.0075, 0.018, 0.030])


def test_a_single_slice_is_taken_as_one_millimetre_thick() -> None:
    grid = UNEVEN.crop((1, 0, 0), (1, 3, 2))
    np.testing.assert_allclose(grid.slice_faces, [2.5, 3.5])
    np.testing.assert_allclose(grid.points([[2, 0, 0]]), [[10, 20, 35]])
    np.testing.assert_allclose(grid.indices([[10, 20, 35]]), [[2, 0, 0]])
    assert not grid.is_regular


def test_slice_spacing_only_where_slices_are_even() -> None:
    assert axial_geometry().slice_spacing == pytest.approx(2.5)
    with pytest.raises(GeometryError, match="not evenly spaced"):
        _ = UNEVEN.slice_spacing


@pytest.mark.parametrize(("moved_mm", "regular"), [(0.006, True), (0.02, False)])
def test_rounded_positions_are_regular_and_a_moved_slice_is_not(moved_mm: float, regular: bool) -> None:
    # one slice of five moved: its gaps differ from the mean by as much as it moved
    positions = np.arange(5) * 3.0
    positions[2] += moved_mm
    assert replace(axial_geometry(shape=(5, 2, 2)), positions=positions).is_regular is regular


@pytest.mark.parametrize("grid", [axial_geometry(), oblique_geometry(), without_slices(sagittal_geometry(), [3, 4, 9])])
def test_voxels_of_a_crop_stay_where_they_were(grid: Geometry) -> None:
    part = grid.crop((2, 5, 7), (9, 10, 11))
    assert part.shape == (9, 10, 11)
    np.testing.assert_allclose(part.points([[0, 0, 0], [8, 9, 10]]), grid.points([[2, 5, 7], [10, 14, 17]]), atol=1e-9)


@pytest.mark.parametrize(
    ("start", "shape"), [((-1, 0, 0), (1, 1, 1)), ((0, 0, 0), (5, 1, 1)), ((3, 2, 1), (1, 1, 2)), ((0, 0, 0), (0, 1, 1))]
)
def test_a_crop_that_reaches_outside_or_holds_nothing_is_refused(start: Any, shape: Any) -> None:
    with pytest.raises(GeometryError):
        UNEVEN.crop(start, shape)


def test_same_grid_within_a_hundredth_of_a_millimetre() -> None:
    near = replace(UNEVEN, origin=np.add(UNEVEN.origin, [0.009, 0, 0]))
    far = replace(UNEVEN, origin=np.add(UNEVEN.origin, [0.011, 0, 0]))
    assert UNEVEN.same_as(near)
    assert not UNEVEN.same_as(far)
    assert UNEVEN.same_as(far, tolerance_mm=0.02)
    assert near != UNEVEN


def test_origin_and_positions_may_share_the_shift_differently() -> None:
    assert UNEVEN.same_as(replace(UNEVEN, origin=UNEVEN.origin - [0, 0, 7], positions=UNEVEN.positions + 7))


def test_one_slice_moved_is_not_the_same_grid() -> None:
    assert not UNEVEN.same_as(replace(UNEVEN, positions=np.array([0.0, 3.0, 5.02, 15.0])))


def test_shapes_differ_so_grids_differ() -> None:
    assert not UNEVEN.same_as(UNEVEN.crop((0, 0, 0), (4, 3, 1)))
    assert UNEVEN != "a grid"


def test_the_far_corner_decides_whether_grids_are_the_same() -> None:
    # 101 x 101 pixels, each spacing 0.00008 mm wider: 0.008 mm at the end of a row or column, 0.0113 mm at the far corner
    grid = Geometry.regular((2, 101, 101), (1.0, 1.0, 1.0))
    assert not grid.same_as(replace(grid, pixel_spacing=(1.00008, 1.00008)))
    assert grid.same_as(replace(grid, pixel_spacing=(1.00008, 1.0)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"positions": [0.0, 3.0, 3.0, 15.0]}, "strictly increasing"),
        ({"positions": [15.0, 5.0, 3.0, 0.0]}, "strictly increasing"),
        ({"positions": [0.0, 3.0, 5.0]}, "positions"),
        ({"positions": [0.0, 3.0, np.nan, 15.0]}, "finite"),
        ({"origin": [0.0, 0.0, np.inf]}, "origin"),
        ({"pixel_spacing": (2.0, 0.0)}, "pixel spacing"),
        ({"pixel_spacing": (2.0, -1.5)}, "pixel spacing"),
        ({"pixel_spacing": (2.0, np.nan)}, "pixel spacing"),
        ({"pixel_spacing": (2.0,)}, "pixel spacing"),
        ({"shape": ()}, "three axes"),
        ({"shape": (4, 3)}, "three axes"),
        ({"shape": (4, 0, 2)}, "at least one voxel"),
        ({"direction": [[0, 0, 1], [0, 1, 0], [2, 0, 0]]}, "right angles"),
        ({"direction": [[0, 0, 1], [0, 1, 0], [0.1, 0, 0.995]]}, "right angles"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        replace(UNEVEN, **changes)


def test_a_grid_cannot_be_changed_after_it_was_made() -> None:
    positions = np.array([0.0, 1.0])
    grid = Geometry((2, 1, 1), (1.0, 1.0), positions, np.zeros(3), AXIAL)
    positions[1] = 9.0
    assert grid.positions[1] == 1.0
    for array in (grid.positions, grid.origin, grid.direction):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5.0
