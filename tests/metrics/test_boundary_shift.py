"""Edges of a ball that are where they are, moved, grown or gone."""

import numpy as np
import pytest

from rtseg.core import Geometry, GeometryError, Volume
from rtseg.metrics import boundary_shift

GRID = Geometry.regular((50, 70, 70), (2.0, 1.5, 1.5), (-51.0, -52.0, -49.0))


def ball(radius_mm=35.0, centre=(0.0, 0.0, 0.0), inside=0.0, outside=-1000.0, grid=GRID):
    """Values fall over some 4 mm through the surface, as a scanner's do."""
    away = np.linalg.norm(grid.points(np.moveaxis(np.indices(grid.shape), 0, -1)) - np.array(centre), axis=-1) - radius_mm
    return Volume((outside + (inside - outside) / (1 + np.exp(away / 0.8))).astype(np.float32), grid)


CT = ball()


def mr(*args, **words):
    """The same with an MR's values: bright inside, nothing outside."""
    return ball(*args, inside=300.0, outside=2.0, **words)


def test_edges_that_are_where_they_are():
    found = boundary_shift(CT, mr())
    assert found.n > 2000
    assert found.not_found == 0
    assert abs(found.mean_signed_mm) < 0.02
    assert found.percentile_95_mm < 0.1
    assert np.abs(found.displacement_mm).max() < 0.02


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_3_mm_along_each_axis_is_a_displacement_and_no_growth(axis):
    moved = np.zeros(3)
    moved[axis] = 3.0
    found = boundary_shift(CT, mr(centre=moved))
    assert found.displacement_mm == pytest.approx(moved, abs=0.15)
    assert abs(found.mean_signed_mm) < 0.2  # blind: one side goes out, the other in
    assert 1.0 < found.mean_absolute_mm < 2.0  # the mean of 3 |cos| over a sphere is 1.5


def test_2_mm_of_growth_is_growth_and_no_displacement():
    found = boundary_shift(CT, mr(37.0))
    assert found.mean_signed_mm == pytest.approx(2, abs=0.1)
    assert found.mean_absolute_mm == pytest.approx(2, abs=0.1)
    assert np.abs(found.displacement_mm).max() < 0.1


def test_left_is_the_patients_left_whichever_way_the_rows_run():
    turned = Geometry.regular(GRID.shape, (2.0, 1.5, 1.5), (52.0, 52.0, -49.0), [[0, 0, 1], [0, -1, 0], [-1, 0, 0]])
    found = boundary_shift(ball(grid=turned), mr(centre=(3, 0, 0), grid=turned))
    assert found.displacement_mm == pytest.approx((3, 0, 0), abs=0.15)


def test_an_edge_that_is_gone_is_counted():
    flat = Volume(np.full(GRID.shape, 100.0, np.float32), GRID)
    found = boundary_shift(CT, flat)
    assert found.n == 0
    assert found.not_found > 2000
    assert found.mean_signed_mm is found.displacement_mm is None


def test_an_edge_out_of_reach_is_counted_and_not_moved_to_the_end():
    found = boundary_shift(CT, mr(50.0))
    assert found.n < 0.1 * found.not_found


def test_bone_and_other_grids():
    skull = Volume(np.where(np.abs(CT.array) < 300, ball(25.0, inside=900.0, outside=0.0).array, CT.array), GRID)
    assert boundary_shift(skull, mr(25.0), 250.0).percentile_95_mm < 0.2
    with pytest.raises(GeometryError, match="on another grid than the CT"):
        boundary_shift(CT, Volume(CT.array, Geometry.regular(GRID.shape, (2.0, 1.5, 1.6))))
