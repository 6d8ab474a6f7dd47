"""Figures from surface distances that a human can work out: cubes moved, grown, spheres; and those of other libraries."""

import numpy as np
import pytest

from rtseg.core import Geometry, GeometryError, Mask
from rtseg.metrics import SurfaceModel, centroid_shift_mm, jaccard, precision, recall, surface_distances

GRID = Geometry.regular((40, 50, 60), (3.0, 2.0, 1.0), (10.0, -20.0, 300.0))


def box(slices, rows, columns, grid=GRID):
    array = np.zeros(grid.shape, dtype=np.bool_)
    array[slice(*slices), slice(*rows), slice(*columns)] = True
    return Mask(array, grid)


CUBE = box((10, 20), (10, 25), (10, 40))  # 30 x 30 x 30 mm


@pytest.mark.parametrize("model", SurfaceModel)
def test_a_cube_with_itself_is_nowhere_apart(model):
    found = surface_distances(CUBE, CUBE, model)
    figures = (found.hd_mm, found.hd95_mm, found.hd95_pooled_mm, found.assd_mm, found.msd_mm, found.rmsd_mm)
    assert figures == (0, 0, 0, 0, 0, 0)
    assert found.nsd(0.0) == 1


@pytest.mark.parametrize("model", SurfaceModel)
def test_a_cube_that_is_longer_by_a_slab_has_its_thickness_as_the_largest_distance(model):
    """Two slices of 3 mm more at one end: that face is 6 mm away, everything else lies on the reference or beside it."""
    longer = box((10, 22), (10, 25), (10, 40))
    found = surface_distances(CUBE, longer, model)
    assert found.hd_mm == pytest.approx(6)
    assert found.there.max() == pytest.approx(6)  # the face that went inside
    assert 0 < found.assd_mm < 2
    assert found.assd_mm < found.rmsd_mm < found.hd_mm


def test_a_shift_along_the_columns_moves_two_of_six_faces():
    """By 3 mm: the faces across (2 of 6, 900 mm2 each) are 3 mm away, the others slide along themselves: NSD at 2.9 mm is less,
    at 3 mm it is 1."""
    moved = box((10, 20), (10, 25), (13, 43))
    found = surface_distances(CUBE, moved)
    assert found.hd_mm == pytest.approx(3)
    assert found.hd95_mm == pytest.approx(3)
    assert found.nsd(3.0 + 1e-9) == 1
    assert 0.55 < found.nsd(2.9) < 0.8  # four faces and what is beside the edges
    assert found.assd_mm == pytest.approx(found.msd_mm)  # both surfaces are alike


def test_directed_means_count_alike_in_msd_and_by_their_area_in_assd():
    """A small cube far inside a large one: from the small surface it is far to the large one, and from it too."""
    small = box((14, 16), (16, 19), (22, 28))
    found = surface_distances(CUBE, small)
    assert found.msd_mm == pytest.approx(
        (np.average(found.there, weights=found.there_weights) + np.average(found.back, weights=found.back_weights)) / 2
    )
    assert found.there_weights.sum() > 10 * found.back_weights.sum()
    assert abs(found.assd_mm - np.average(found.there, weights=found.there_weights)) < abs(found.msd_mm - found.assd_mm)


def test_percentiles_of_border_voxels_are_interpolated_and_pooled():
    """Ten voxels in a row against the same row and one voxel 20 mm off: 11 distances back, one of them 20 mm."""
    line = box((5, 6), (5, 6), (10, 20))
    with_speck = Mask(line.array.copy(), GRID)
    with_speck.array[5, 15, 10] = True  # 10 rows of 2 mm away
    found = surface_distances(line, with_speck, SurfaceModel.VOXEL)
    assert sorted(found.back.tolist()) == [0.0] * 10 + [20.0]
    assert found.hd95_mm == pytest.approx(10.0)  # place 9.5 of 0..10: half-way between the last 0 and 20
    assert found.hd95_pooled_mm == pytest.approx(np.percentile([0.0] * 20 + [20.0], 95))
    assert found.hd_mm == 20
    # there 10 noughts, back 10 noughts and 20 mm
    assert found.assd_mm == pytest.approx(20 / 21)
    assert found.msd_mm == pytest.approx((0 + 20 / 11) / 2)
    assert found.rmsd_mm == pytest.approx((20**2 / 21) ** 0.5)
    assert found.nsd(2.0) == pytest.approx(20 / 21)


def test_every_figure_of_two_single_voxels():
    """5 mm apart along a row of 1 mm voxels. Each has 8 pieces of one area at its corners: four are 4 mm from the nearest of the
    other, four 5 mm."""
    grid = Geometry.regular((5, 5, 12), (1.0, 1.0, 1.0))
    one, other = (np.zeros(grid.shape, dtype=np.bool_) for _ in range(2))
    one[2, 2, 2], other[2, 2, 7] = True, True
    found = surface_distances(Mask(one, grid), Mask(other, grid))
    assert sorted(found.there.tolist()) == pytest.approx([4] * 4 + [5] * 4)
    assert (found.hd_mm, found.hd95_mm, found.hd95_pooled_mm) == pytest.approx((5, 5, 5))
    assert (found.assd_mm, found.msd_mm) == pytest.approx((4.5, 4.5))
    assert found.rmsd_mm == pytest.approx(((16 + 25) / 2) ** 0.5)
    assert (found.nsd(3.9), found.nsd(4.1), found.nsd(5.1)) == pytest.approx((0, 0.5, 1))


def test_a_sphere_grown_by_4_mm_is_some_4_mm_away_everywhere():
    grid = Geometry.regular((60, 60, 60), (1.0, 1.0, 1.0))
    away = np.linalg.norm(np.indices(grid.shape).transpose(1, 2, 3, 0) - 29.5, axis=-1)
    found = surface_distances(Mask(away < 18, grid), Mask(away < 22, grid))
    assert 3.4 < found.assd_mm < 4  # pieces lie on a grid of 1 mm: the nearest of several is up to half of that nearer
    assert 3.4 < found.rmsd_mm < 4
    assert found.hd95_mm == pytest.approx(4, abs=0.5)
    assert found.nsd(2.5) < 0.01
    assert found.nsd(5.0) == 1


@pytest.mark.parametrize("model", SurfaceModel)
def test_an_empty_mask_has_no_distance(model):
    empty = box((0, 0), (0, 0), (0, 0))
    for pair in ((CUBE, empty), (empty, CUBE), (empty, empty)):
        assert surface_distances(*pair, model) is None


def test_other_grids_are_refused():
    with pytest.raises(GeometryError, match="one voxel grid only"):
        surface_distances(CUBE, box((0, 1), (0, 1), (0, 1), Geometry.regular((5, 5, 5), (1.0, 1.0, 1.0))))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_deepmind_agrees_on_surfels():
    import surface_distance

    random = np.random.default_rng(3)
    for _ in range(5):
        one, two = (box(*(sorted(random.choice(n, 2, replace=False)) for n in GRID.shape)) for _ in range(2))
        if not (one.array.any() and two.array.any()):
            continue
        found = surface_distances(one, two)
        theirs = surface_distance.compute_surface_distances(one.array, two.array, (3.0, 2.0, 1.0))
        assert found.nsd(4.0) == pytest.approx(surface_distance.compute_surface_dice_at_tolerance(theirs, 4.0), abs=1e-6)
        assert found.hd_mm == pytest.approx(surface_distance.compute_robust_hausdorff(theirs, 100), abs=1e-6)
        mean = surface_distance.compute_average_surface_distance(theirs)
        assert found.msd_mm == pytest.approx(sum(mean) / 2, abs=1e-6)


def test_overlap_in_volumes():
    """Half of the cube is found, and as much again beside it: 15 of 30 mm shared, 45 in the union."""
    moved = box((10, 20), (10, 25), (25, 55))
    assert jaccard(CUBE, moved) == pytest.approx(1 / 3)
    assert precision(CUBE, moved) == recall(CUBE, moved) == pytest.approx(0.5)
    half = box((10, 15), (10, 25), (10, 40))
    assert (precision(CUBE, half), recall(CUBE, half)) == (1, 0.5)
    empty = box((0, 0), (0, 0), (0, 0))
    assert (jaccard(empty, empty), precision(CUBE, empty), recall(empty, CUBE)) == (None, None, None)
    assert (recall(CUBE, empty), precision(empty, CUBE)) == (0, 0)


def test_centres_move_to_the_patients_left_in_every_position():
    from phantoms import axial_geometry, centroid, three_balls

    for position in ("HFS", "HFP", "FFS", "FFP"):
        organs = three_balls(axial_geometry(position)).organs
        right, left = organs.mask("Parotid_R"), organs.mask("Parotid_L")
        shift = centroid_shift_mm(right, left)
        assert shift[0] > 50  # the balls are 56 mm apart, the left one to the left
        assert np.allclose(shift, centroid(left) - centroid(right))
