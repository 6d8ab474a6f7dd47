"""Values there and back: soft tissue has its range, hot voxels do not darken the rest, nonsense is refused."""

import numpy as np
import pytest

from rtseg.core import ConfigError, Geometry, InputError, Mask, Volume
from rtseg.imaging.intensity import CT_SCALE, Scale, mr_scale

GRID = Geometry.regular((10, 10, 10), (1.0, 1.0, 1.0))
WHOLE = Mask(np.ones(GRID.shape, dtype=np.bool_), GRID)


def test_a_ct_between_its_knots():
    """Half-way between -200 and 150 HU is half-way between -0.6 and 0.5; beyond the ends it is cut."""
    assert CT_SCALE(np.array([-2000, -1000, -600, -25, 150, 1500, 3000])).tolist() == pytest.approx(
        [-1, -1, -0.8, -0.05, 0.5, 1, 1]
    )


def test_there_and_back_is_the_same_within_the_ends():
    hu = np.linspace(-1000, 1500, 301)
    assert np.abs(CT_SCALE.back(CT_SCALE(hu)) - hu).max() < 0.01


def test_an_mr_is_scaled_by_its_own_percentiles():
    """Of 0, 1, ... 999 the percentiles 0.5 and 99.5 are 4.995 and 994.005; one hot voxel changes them by a thousandth."""
    array = np.arange(1000.0).reshape(GRID.shape)
    scale = mr_scale(Volume(array, GRID), WHOLE)
    assert scale.values == pytest.approx((4.995, 994.005))
    hot = array.copy()
    hot[0, 0, 0] = 1e6
    assert mr_scale(Volume(hot, GRID), WHOLE).values[1] == pytest.approx(995.005)
    assert scale.back(scale(np.array([500.0]))) == pytest.approx([500.0], abs=0.01)


def test_only_the_inside_counts():
    array = np.where(np.arange(10)[:, None, None] < 5, 0.0, np.arange(1000.0).reshape(GRID.shape))
    inside = Mask(array > 0, GRID)
    assert mr_scale(Volume(array, GRID), inside).values[0] > 500


@pytest.mark.parametrize(("array", "inside"), [(np.zeros(GRID.shape), False), (np.full(GRID.shape, 7.0), True)])
def test_an_mr_without_values_is_refused(array, inside):
    with pytest.raises(InputError, match="nothing to scale it by"):
        mr_scale(Volume(array, GRID), Mask(np.full(GRID.shape, inside), GRID))


@pytest.mark.parametrize(("values", "onto"), [((0.0,), (1.0,)), ((0.0, 1.0), (1.0, -1.0)), ((0.0, 1.0, 2.0), (0.0, 1.0))])
def test_a_map_that_does_not_rise_is_refused(values, onto):
    with pytest.raises(ConfigError, match="rising"):
        Scale(values, onto)
