"""Fewer points, within a tolerance; and what crosses itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from rtseg.contours import crosses_itself, rasterise, simplify, trace_with_channels

SQUARE = np.array([[0.0, 0.0], [0.0, 4.0], [4.0, 4.0], [4.0, 0.0]])
BOW_TIE = SQUARE[[0, 2, 1, 3]]
NONE = np.zeros(4, dtype=np.bool_)


def test_points_near_a_straight_line_go_and_corners_stay():
    loop = np.insert(SQUARE, 1, [[0.05, 1.0], [-0.05, 2.0]], axis=0)
    fewer = simplify(loop, np.zeros(6, dtype=np.bool_), 0.1)
    assert sorted(map(tuple, fewer.tolist())) == sorted(map(tuple, SQUARE.tolist()))
    assert len(simplify(loop, np.zeros(6, dtype=np.bool_), 0.01)) == 6


def test_a_loop_smaller_than_the_tolerance_stays_as_it_was():
    assert simplify(SQUARE, NONE, 100.0) is SQUARE


def test_no_point_is_further_from_the_loop_than_the_tolerance():
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    circle = 20 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    fewer = simplify(circle, np.zeros(400, dtype=np.bool_), 0.25)
    assert 8 <= len(fewer) < 60  # a sagitta of 0.25 mm on 20 mm is an angle of 18 degrees: 20 points, twice as many at most
    ends = np.roll(fewer, -1, axis=0)
    middle = np.linalg.norm((fewer + ends) / 2, axis=1)
    assert middle.min() > 20 - 0.26


@settings(max_examples=150, deadline=None)
@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_channels_stay_and_nothing_crosses(mask):
    for loop, passed in trace_with_channels(mask):
        fewer = simplify(loop, passed, 0.3)
        assert not crosses_itself(fewer)
        assert {tuple(point) for point in loop[passed]} <= {tuple(point) for point in fewer}


def test_less_than_a_hundredth_of_a_pixel_changes_no_mask():
    row, column = np.indices((60, 60)) - 29.5
    mask = row**2 / 4 + column**2 < 190
    loops = [simplify(loop, passed, 0.01) for loop, passed in trace_with_channels(mask)]
    assert np.array_equal(rasterise(loops, mask.shape), mask)


def test_a_bow_tie_crosses_itself_and_a_square_does_not():
    assert crosses_itself(BOW_TIE)
    assert not crosses_itself(SQUARE)


def test_an_edge_passed_twice_is_a_channel_but_one_that_runs_along_another_is_not():
    channel = np.array([[0, 0], [0, 9], [9, 9], [9, 0], [5, 0], [5, 3], [6, 3], [6, 4], [4, 4], [4, 3], [5, 3], [5, 0]], float)
    assert not crosses_itself(channel)
    beside = np.array([[0, 0], [0, 9], [9, 9], [9, 0], [5, 0], [5, 5], [5, 2], [6, -1]], float)
    assert crosses_itself(beside)


@pytest.mark.parametrize("count", [20_000])
def test_many_points_are_looked_through_in_no_time(count):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    star = (100 + 5 * np.cos(angle * 300))[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    assert not crosses_itself(star)
    star[[100, 5000]] = star[[5000, 100]]
    assert crosses_itself(star)
