"""Between grids: values that are known beforehand on the other grid, and things that must stay where they were."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from phantoms import (
    BALLS,
    CENTRE,
    ROW_AND_COLUMN,
    axial_geometry,
    coronal_geometry,
    oblique_geometry,
    sagittal_geometry,
    turned_geometry,
    without_slices,
)

from rtseg.core import AXIAL, Geometry, Volume
from rtseg.imaging import resample

GRIDS = {
    **{position: axial_geometry(position) for position in ROW_AND_COLUMN},
    "sagittal": sagittal_geometry(),
    "coronal": coronal_geometry(),
    "oblique": oblique_geometry(),
    "uneven": without_slices(axial_geometry(), [5, 6, 20]),
}


def noise(grid: Geometry) -> Volume:
    return Volume(np.random.default_rng(7).normal(size=grid.shape).astype(np.float32), grid)


def ramp(grid: Geometry) -> NDArray[np.float64]:
    """2 a mm to the left, -3 a mm to posterior, 0.5 a mm to superior, from the middle of the patient."""
    points = grid.points(np.moveaxis(np.indices(grid.shape), 0, -1)) - CENTRE
    values: NDArray[np.float64] = points @ [2.0, -3.0, 0.5]
    return values


def ball(grid: Geometry, centre: NDArray[np.float64], radius_mm: float) -> Volume:
    """1 inside, falling to 0 over 4 mm, so that its middle does not depend on which voxels it meets."""
    points = grid.points(np.moveaxis(np.indices(grid.shape), 0, -1))
    away = np.linalg.norm(points - centre, axis=-1)
    return Volume(np.clip((radius_mm + 2 - away) / 4, 0, 1).astype(np.float32), grid)


def middle(image: Volume) -> NDArray[np.float64]:
    """Centre of gravity of the values, LPS mm."""
    weights = image.array * image.geometry.voxel_ml[:, None, None]
    points = image.geometry.points(np.moveaxis(np.indices(image.geometry.shape), 0, -1))
    return np.average(points.reshape(-1, 3), axis=0, weights=weights.ravel())


@pytest.mark.parametrize("name", GRIDS)
def test_the_same_grid_gives_the_same_values(name: str) -> None:
    image = noise(GRIDS[name])
    same = resample(image, image.geometry, outside=-1000.0)
    np.testing.assert_array_equal(same.array, image.array)
    assert same.array.base is not image.array


def test_stored_integers_come_back_as_they_were() -> None:
    grid = axial_geometry(shape=(4, 6, 5))
    hu = np.random.default_rng(1).integers(-1024, 3072, grid.shape).astype(np.int16)
    same = resample(Volume(hu, grid), grid, outside=0.0)
    assert same.array.dtype == np.float32
    np.testing.assert_array_equal(same.array, hu)


def test_a_part_of_a_grid_has_the_values_of_that_part() -> None:
    image = noise(GRIDS["FFS"])
    part = resample(image, image.geometry.crop((3, 4, 5), (10, 11, 12)), outside=0.0)
    np.testing.assert_allclose(part.array, image.array[3:13, 4:15, 5:17], atol=1e-5)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("spacing_mm", [(1.5, 1.1, 1.3), (5.0, 4.0, 6.0)])
def test_a_constant_stays_constant(name: str, spacing_mm: tuple[float, float, float]) -> None:
    image = Volume(np.full(GRIDS[name].shape, 37.0, dtype=np.float32), GRIDS[name])
    inside = turned_geometry((1, 0, 0), (0, 1, 0), (8, 9, 7), spacing_mm)
    np.testing.assert_allclose(resample(image, inside, outside=-1000.0).array, 37.0, rtol=1e-5)


@pytest.mark.parametrize("source", GRIDS)
@pytest.mark.parametrize("target", ["FFP", "HFDR", "sagittal", "oblique", "uneven"])
def test_a_linear_ramp_is_reproduced(source: str, target: str) -> None:
    # compared within 25 mm of the middle, far from every border; averaging a line over a symmetric window is the line
    image = Volume(ramp(GRIDS[source]).astype(np.float32), GRIDS[source])
    onto = GRIDS[target]
    near = np.linalg.norm(onto.points(np.moveaxis(np.indices(onto.shape), 0, -1)) - CENTRE, axis=-1) < 25
    np.testing.assert_allclose(resample(image, onto, outside=0.0).array[near], ramp(onto)[near], atol=1e-2)


def test_flipped_and_permuted_axes_only_reorder_voxels() -> None:
    # the same voxels, written with columns first, from the last slice down
    grid = axial_geometry(shape=(6, 5, 4))
    image = noise(grid)
    turned = Geometry.regular(
        (4, 6, 5),
        (2.0, 2.5, 2.2),
        grid.points([[5, 0, 0]])[0],
        np.stack([grid.direction[2], -grid.direction[0], grid.direction[1]]),
    )
    np.testing.assert_allclose(resample(image, turned, outside=0.0).array, image.array[::-1].transpose(2, 0, 1), atol=1e-5)


def nested(factor: int) -> tuple[Geometry, Geometry]:
    """A grid of 2 x 3 x 1.5 mm and the one whose voxels are made of factor^3 of its voxels each."""
    fine = Geometry.regular((24, 36, 24), (2.0, 3.0, 1.5), (1.0, 2.0, 3.0))
    first = fine.points([[(factor - 1) / 2] * 3])[0]
    a, b, c = (n // factor for n in fine.shape)
    return fine, Geometry.regular((a, b, c), (2.0 * factor, 3.0 * factor, 1.5 * factor), first)


def test_twice_coarser_keeps_the_mean() -> None:
    # every sample's weights over the coarse voxels sum to 1/8: they lie in mirrored pairs about the coarse centres
    fine, coarse = nested(2)
    array = np.zeros(fine.shape, dtype=np.float32)
    array[4:-4, 4:-4, 4:-4] = np.random.default_rng(3).normal(size=(16, 28, 16))
    averaged = resample(Volume(array, fine), coarse, outside=0.0)
    assert averaged.array.sum() * 8 == pytest.approx(array.sum(), rel=1e-4)


@pytest.mark.parametrize("factor", [3, 4])
def test_a_smooth_thing_keeps_its_mean_on_a_coarser_grid(factor: int) -> None:
    fine, coarse = nested(factor)
    image = ball(fine, fine.points([[11, 18, 12.5]])[0], 12.0)
    assert resample(image, coarse, outside=0.0).array.sum() * factor**3 == pytest.approx(image.array.sum(), rel=0.01)


def test_a_checkerboard_vanishes_to_its_mean_instead_of_being_picked() -> None:
    fine, coarse = nested(2)
    board = (np.indices(fine.shape).sum(axis=0) % 2 * 1000).astype(np.float32)
    np.testing.assert_allclose(resample(Volume(board, fine), coarse, outside=0.0).array[1:-1, 1:-1, 1:-1], 500.0, atol=1e-2)


@pytest.mark.parametrize("degrees", [(0.0, 0.0), (10.0, 15.0), (45.0, 35.0)])
def test_noise_is_averaged_away_on_a_coarser_grid_however_it_is_turned(degrees: tuple[float, float]) -> None:
    # a voxel of 6 mm holds 27 of 2 mm: 1 / sqrt(27) = 0.19 of the noise; picking leaves (2/3)^1.5 = 0.54 at best
    fine = axial_geometry(shape=(60, 60, 60), spacing_mm=(2.0, 2.0, 2.0))
    row, column = oblique_geometry(degrees).direction[[2, 1]]
    onto = turned_geometry(row, column, (8, 8, 8), (6.0, 6.0, 6.0))
    assert resample(noise(fine), onto, outside=0.0).array.std() < 0.25


def test_a_thin_plate_is_not_lost_between_coarse_slices() -> None:
    # one slice of 1 mm at 1000, wherever it lies: its 1000 mm are shared by slices of 5 mm
    fine = Geometry.regular((60, 2, 2), (1.0, 1.0, 1.0))
    coarse = Geometry.regular((12, 2, 2), (5.0, 1.0, 1.0), (0.0, 0.0, 2.0))
    for k in range(25, 35):
        array = np.zeros(fine.shape, dtype=np.float32)
        array[k] = 1000.0
        assert resample(Volume(array, fine), coarse, outside=0.0).array[:, 0, 0].sum() * 5 == pytest.approx(1000.0, rel=0.12)


def test_a_finer_grid_is_interpolated() -> None:
    image = Volume(np.array([0.0, 10.0, 40.0], dtype=np.float32).reshape(3, 1, 1), Geometry.regular((3, 1, 1), (2.0, 1.0, 1.0)))
    fine = Geometry.regular((5, 1, 1), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(resample(image, fine, outside=0.0).array.ravel(), [0, 5, 10, 25, 40])


def test_across_a_gap_between_slices_the_image_is_linear() -> None:
    # slices at 0, 2, 4 and 14 mm hold their own position
    grid = Geometry((4, 1, 1), (1.0, 1.0), np.array([0.0, 2.0, 4.0, 14.0]), np.zeros(3), AXIAL)
    image = Volume(grid.positions.reshape(4, 1, 1).astype(np.float32), grid)
    onto = Geometry.regular((14, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.5))
    np.testing.assert_allclose(resample(image, onto, outside=0.0).array.ravel(), np.arange(14) + 0.5, atol=1e-5)


def test_a_slice_beside_a_gap_is_not_smeared_over_the_gap() -> None:
    # tissue begins 3 mm above the slice at 6 mm; its neighbours are 2 and 24 mm away, it sees 2 mm at most
    fine = Geometry.regular((40, 1, 1), (1.0, 1.0, 1.0))
    step = Volume((fine.positions >= 9).astype(np.float32).reshape(40, 1, 1), fine)
    uneven = Geometry((5, 1, 1), (1.0, 1.0), np.array([0.0, 2.0, 4.0, 6.0, 30.0]), np.zeros(3), AXIAL)
    np.testing.assert_array_equal(resample(step, uneven, outside=0.0).array.ravel(), [0, 0, 0, 0, 1])


def test_outside_begins_at_the_outer_face() -> None:
    # voxels of 2 mm centred on 0 and 2: inside from -1 to 3
    image = Volume(np.full((2, 2, 2), 5.0, dtype=np.float32), Geometry.regular((2, 2, 2), (2.0, 2.0, 2.0)))
    line = Geometry.regular((1, 1, 7), (1.0, 2.0, 1.0), (-2.0, 0.0, 0.0))
    np.testing.assert_array_equal(resample(image, line, outside=-7.0).array.ravel(), [-7, 5, 5, 5, 5, 5, -7])


def test_outside_an_oblique_image_is_outside() -> None:
    grid = oblique_geometry()
    image = Volume(np.full(grid.shape, 5.0, dtype=np.float32), grid)
    onto = axial_geometry(shape=(60, 80, 90))
    got = resample(image, onto, outside=-7.0).array
    index = grid.indices(onto.points(np.moveaxis(np.indices(onto.shape), 0, -1)))
    beyond = np.maximum(-0.5 - index, index - (np.array(grid.shape) - 0.5)).max(axis=-1)
    np.testing.assert_allclose(got[beyond < -0.01], 5, rtol=1e-6)
    assert (got[beyond > 0.01] == -7).all()


def test_nothing_in_common_is_all_outside() -> None:
    grid = axial_geometry()
    far = replace(grid, origin=grid.origin + np.array([1000.0, 0, 0]))
    assert (resample(noise(grid), far, outside=-3.0).array == -3.0).all()


@pytest.mark.parametrize("onto", [axial_geometry(), oblique_geometry()])
def test_a_single_slice_reaches_half_a_millimetre(onto: Geometry) -> None:
    grid = axial_geometry("FFS", shape=(1, 56, 64))
    seen = resample(Volume(np.ones(grid.shape, dtype=np.float32), grid), onto, outside=0.0).array
    heights = onto.points(np.moveaxis(np.indices(onto.shape), 0, -1))[..., 2]
    assert (np.abs(heights[seen > 0] - CENTRE[2]) <= 0.5).all()


@pytest.mark.parametrize("source", GRIDS)
@pytest.mark.parametrize("target", ["HFP", "FFS", "HFDL", "coronal", "oblique", "uneven"])
def test_a_ball_stays_where_it_was(source: str, target: str) -> None:
    # a shift of half a voxel would be 1 mm or more
    left = BALLS["Parotid_L"]
    image = ball(GRIDS[source], left.centre, left.radius_mm)
    moved = resample(image, GRIDS[target], outside=0.0)
    np.testing.assert_allclose(middle(moved), left.centre, atol=0.3 if "uneven" in (source, target) else 0.1)


@pytest.mark.parametrize("spacing_mm", [(2.0, 1.7, 1.5), (3.0, 3.0, 3.0), (6.0, 5.0, 7.0)])
@pytest.mark.parametrize("source", ["HFS", "FFP", "oblique", "sagittal"])
def test_a_ball_stays_where_it_was_on_finer_and_coarser_grids(source: str, spacing_mm: tuple[float, float, float]) -> None:
    left = BALLS["Parotid_L"]
    shape = tuple(round(130 / mm) for mm in spacing_mm)
    onto = turned_geometry((1, 0, 0), (0, 1, 0), shape, spacing_mm)  # type: ignore[arg-type]
    moved = resample(ball(GRIDS[source], left.centre, left.radius_mm), onto, outside=0.0)
    np.testing.assert_allclose(middle(moved), left.centre, atol=0.1)


def test_a_long_scan_is_never_held_whole_in_float32() -> None:
    grid = Geometry.regular((1200, 128, 256), (1.0, 2.0, 2.0))
    scan = Volume(np.full(grid.shape, 40, np.int16), grid)  # 79 MB, in float32 157 MB
    onto = Geometry.regular((400, 32, 64), (3.0, 8.0, 8.0), (3.0, 3.0, 1.0))
    tracemalloc.start()
    try:
        coarse = resample(scan, onto, -1000.0, (-1000.0, 20.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100e6  # a slab of 34 MB, and what is coarser by then: 39 MB
    np.testing.assert_allclose(coarse.array, 20.0, rtol=1e-6)  # cut first
