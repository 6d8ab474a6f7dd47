"""HD95 and the surface model: truths by hand, rules that hold for every mask, agreement with surface-distance."""

from __future__ import annotations

import warnings
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtseg.core import AXIAL, Geometry, GeometryError, Mask
from rtseg.metrics import hd95_mm
from rtseg.metrics.surface import weighted_percentile
from rtseg.metrics.surfels import surfel_areas_mm2, surfels


def box(grid: Geometry, *sides: tuple[int, int]) -> Mask:
    array: NDArray[np.bool_] = np.zeros(grid.shape, dtype=np.bool_)
    array[tuple(slice(*side) for side in sides)] = True
    return Mask(array, grid)


def ball(grid: Geometry, radius_mm: float) -> Mask:
    axes = [grid.axis_coordinates(axis) for axis in range(3)]
    squares = [(axis - axis.mean()) ** 2 for axis in axes]
    return Mask(squares[0][:, None, None] + squares[1][:, None] + squares[2] <= radius_mm**2, grid)


def blob(seed: int, grid: Geometry) -> Mask:
    """A smooth random shape, often in pieces and cut by the border."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).normal(size=grid.shape), (1.5, 2.5, 2.5))
    return Mask(noise > np.quantile(noise, 0.8), grid)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_cube_shifted_by_3_mm(axis: int) -> None:
    # Of 2400 mm2, 14 x 14 mm2 of the front and of the back are 3 mm away (nearer the edges a side is nearer): 16 % > 5 %.
    grid = Geometry.regular((30, 30, 30), (1.0, 1.0, 1.0))
    sides = [(4, 24), (4, 24), (4, 24)]
    shifted = [(a + 3, b + 3) if n == axis else (a, b) for n, (a, b) in enumerate(sides)]
    assert hd95_mm(box(grid, *sides), box(grid, *shifted)) == pytest.approx(3.0)


def test_anisotropic_shift_by_one_slice() -> None:
    # 20 mm cube in slices of 4 mm, one slice up: 12 x 12 mm2 of front and back are 4 mm away, 12 % of 2400 mm2.
    grid = Geometry.regular((9, 24, 12), (4.0, 1.0, 2.0))
    assert hd95_mm(box(grid, (1, 6), (2, 22), (1, 11)), box(grid, (2, 7), (2, 22), (1, 11))) == pytest.approx(4.0)


def test_concentric_balls() -> None:
    grid = Geometry.regular((60, 60, 60), (1.0, 1.0, 1.0))
    assert hd95_mm(ball(grid, 20), ball(grid, 25)) == pytest.approx(5.0, abs=0.7)


def test_surfels_of_a_ball_lie_on_its_sphere() -> None:
    grid = Geometry.regular((21, 60, 30), (3.0, 1.0, 2.0))
    middle = np.array([30.0, 29.5, 29.0])
    radii = np.linalg.norm(surfels(ball(grid, 20)).places_mm - middle, axis=1)
    assert np.abs(radii - 20).max() < sqrt(3**2 + 1 + 2**2) / 2  # half the diagonal of a voxel
    assert radii.mean() == pytest.approx(20, abs=0.3)


def test_surface_of_a_cube_is_that_of_a_cube_with_cut_edges() -> None:
    # 10 voxels a side: 6 faces of 9 x 9 whole surfels, 12 edges of 9 at 45 degrees, 8 corners cut to a triangle.
    grid = Geometry.regular((12, 12, 12), (1.0, 1.0, 1.0))
    area = surfels(box(grid, (1, 11), (1, 11), (1, 11))).areas_mm2.sum()
    assert area == pytest.approx(6 * 81 + 12 * 9 * sqrt(0.5) + 8 * sqrt(3) / 8)


def test_area_of_one_corner_in_a_long_voxel() -> None:
    # middles of three edges of a 2 x 4 x 6 mm voxel: legs 1, 2, 3 mm; area is half the length of (2 x 3, 1 x 3, 1 x 2)
    areas = surfel_areas_mm2((2.0, 4.0, 6.0))
    assert areas[1] == pytest.approx(sqrt(36 + 9 + 4) / 2)
    assert areas[0] == areas[255] == 0
    assert np.allclose(areas, areas[::-1])  # a hole has the surface of what fills it
    assert areas[1:255].min() > 0


def test_single_voxels_5_mm_apart() -> None:
    # half the surfels (far corners) are 5 mm away, half (near corners) 4 mm
    grid = Geometry.regular((3, 3, 9), (1.0, 1.0, 1.0))
    assert hd95_mm(box(grid, (1, 2), (1, 2), (1, 2)), box(grid, (1, 2), (1, 2), (6, 7))) == pytest.approx(5.0)


def test_border_of_the_image_changes_nothing() -> None:
    small, large = Geometry.regular((8, 9, 10), (2.0, 1.0, 1.5)), Geometry.regular((12, 13, 14), (2.0, 1.0, 1.5))
    one, two = blob(1, small), blob(2, small)
    padded = [Mask(np.pad(mask.array, 2), large) for mask in (one, two)]
    assert hd95_mm(one, two) == pytest.approx(hd95_mm(*padded))
    full = box(small, (0, 8), (0, 9), (0, 10))
    assert hd95_mm(full, full) == 0


def test_uneven_slices_are_taken_where_they_are() -> None:
    # Slices at 0, 2, 4, 10 mm. A voxel of slice 2 has corners at 3 and 7 mm, one of slice 3 at 7 and 13 mm (the gap goes on).
    # There: 0 mm from 7, 4 mm from 3. Back: 0 mm from 7, 6 mm from 13, half of the area.
    grid = Geometry((4, 3, 3), (1.0, 1.0), np.array([0.0, 2.0, 4.0, 10.0]), np.zeros(3), AXIAL)
    one, two = box(grid, (2, 3), (1, 2), (1, 2)), box(grid, (3, 4), (1, 2), (1, 2))
    assert hd95_mm(one, two) == pytest.approx(6.0)
    corners = surfels(one)
    area_2, area_6 = sqrt(1 + 2**2 + 2**2) / 8, sqrt(1 + 6**2 + 6**2) / 8
    assert sorted(corners.areas_mm2) == pytest.approx([area_2] * 4 + [area_6] * 4)
    assert set(corners.places_mm[:, 0]) == {3.0, 7.0}


def test_single_slice_is_1_mm_thick() -> None:
    grid = Geometry.regular((1, 9, 9), (5.0, 1.0, 1.0))
    one, two = box(grid, (0, 1), (2, 5), (2, 5)), box(grid, (0, 1), (2, 5), (4, 7))
    assert hd95_mm(one, two) == pytest.approx(2.0)
    assert set(surfels(one).places_mm[:, 0]) == {-0.5, 0.5}


def test_empty_masks_have_no_distance() -> None:
    grid = Geometry.regular((3, 3, 3), (1.0, 1.0, 1.0))
    organ, nothing = box(grid, (1, 2), (1, 2), (1, 2)), Mask(np.zeros((3, 3, 3), dtype=np.bool_), grid)
    assert hd95_mm(organ, nothing) is hd95_mm(nothing, organ) is hd95_mm(nothing, nothing) is None


def test_other_grid_is_refused() -> None:
    organ = box(Geometry.regular((3, 3, 3), (1.0, 1.0, 1.0)), (1, 2), (1, 2), (1, 2))
    with pytest.raises(GeometryError, match="one voxel grid"):
        hd95_mm(organ, Mask(organ.array, Geometry.regular((3, 3, 3), (1.0, 1.0, 1.1))))


def test_weighted_percentile_by_hand() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.05, 0.9, 0.05])
    assert weighted_percentile(values, weights, 95) == 2.0  # 0.9 + 0.05 reaches 95 %
    assert weighted_percentile(values, weights, 96) == 3.0
    assert weighted_percentile(values, weights, 50) == 1.0


spacings = st.tuples(*[st.floats(0.5, 5.0)] * 3)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, spacing=spacings)
def test_symmetry_identity_and_order_of_axes(seed: int, spacing: tuple[float, float, float]) -> None:
    grid = Geometry.regular((7, 9, 11), spacing)
    one, two = blob(seed, grid), blob(seed + 1, grid)
    distance = hd95_mm(one, two)
    assert distance is not None
    assert hd95_mm(two, one) == distance
    assert hd95_mm(one, one) == 0
    turned = Geometry.regular((11, 7, 9), (spacing[2], spacing[0], spacing[1]), direction=AXIAL[[2, 0, 1]])
    masks = [Mask(np.ascontiguousarray(mask.array.transpose(2, 0, 1)), turned) for mask in (one, two)]
    assert hd95_mm(*masks) == pytest.approx(distance)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, spacing=spacings, shift=st.tuples(*[st.integers(0, 4)] * 3))
def test_moving_both_masks_changes_nothing(seed: int, spacing: tuple[float, float, float], shift: tuple[int, int, int]) -> None:
    grid = Geometry.regular((7, 9, 11), spacing)
    larger = Geometry.regular((11, 13, 15), spacing)
    one, two = blob(seed, grid), blob(seed + 1, grid)
    moved = [Mask(np.pad(mask.array, [(n, 4 - n) for n in shift]), larger) for mask in (one, two)]
    assert hd95_mm(*moved) == pytest.approx(hd95_mm(one, two))


def peer_hd95_mm(one: Mask, two: Mask, spacing: tuple[float, float, float]) -> float:
    peer = pytest.importorskip("surface_distance", reason="surface-distance is not installed: HD95 not compared")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls scipy by names that scipy has deprecated
        return float(peer.compute_robust_hausdorff(peer.compute_surface_distances(one.array, two.array, spacing), 95))


@pytest.mark.parametrize("seed", range(30))
def test_agrees_with_surface_distance(seed: int) -> None:
    from scipy.ndimage import shift

    random = np.random.default_rng(seed)
    spacing = tuple(random.uniform(0.5, 4.0, 3).tolist())
    grid = Geometry.regular((14, 24, 28), spacing)
    one = blob(seed, grid)
    inner = np.pad(one.array[1:, 1:, 1:], [(0, 1)] * 3)  # the peer loses the outer surface of a mask at the far border
    moved = shift(inner.astype(np.float64), random.uniform(-3, 3, 3), order=1) > random.uniform(0.3, 0.7)
    moved[[0, -1]], moved[:, [0, -1]], moved[:, :, [0, -1]] = False, False, False
    one, two = Mask(inner, grid), Mask(moved, grid)
    assert hd95_mm(one, two) == pytest.approx(peer_hd95_mm(one, two, spacing), abs=1e-6)


def test_areas_agree_with_surface_distance() -> None:
    tables = pytest.importorskip("surface_distance.lookup_tables", reason="surface-distance is not installed: areas not compared")
    spacing = (2.5, 0.7, 1.3)
    peer = tables.create_table_neighbour_code_to_surface_area(spacing)
    weights = tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL.reshape(-1)  # its bits in our order of corners
    code = np.array([sum(int(w) for bit, w in enumerate(weights) if ours >> bit & 1) for ours in range(256)])
    assert np.abs(surfel_areas_mm2(spacing) - peer[code]).max() < 1e-12
