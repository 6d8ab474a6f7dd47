"""The loops around a mask: where they lie by hand, and that they give back any mask."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from rtseg.contours import rasterise, trace

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=14))


def area(loop):
    """Area enclosed by a loop, pixels (shoelace formula); holes on channels count against it."""
    following = np.roll(loop, -1, axis=0)
    return abs((loop[:, 0] * following[:, 1] - loop[:, 1] * following[:, 0]).sum()) / 2


def disc(radius, size):
    row, column = np.indices((size, size)) - (size - 1) / 2
    return row**2 + column**2 <= radius**2


@settings(max_examples=300, deadline=None)
@given(MASKS)
def test_any_mask_comes_back_from_its_loops(mask):
    assert np.array_equal(rasterise(trace(mask), mask.shape), mask)


@pytest.mark.parametrize("density", [0.1, 0.4, 0.6, 0.8, 0.95])
def test_noise_comes_back_from_its_loops(density):
    mask = np.random.default_rng(7).random((200, 170)) < density
    assert np.array_equal(rasterise(trace(mask), mask.shape), mask)


@settings(max_examples=100, deadline=None)
@given(MASKS)
def test_loops_have_area_no_point_twice_in_a_row_and_no_straight_middle(mask):
    for loop in trace(mask):
        step = np.roll(loop, -1, axis=0) - loop
        assert len(loop) >= 4
        assert np.linalg.norm(step, axis=1).min() > 0.4
        assert area(loop) > 0.4  # the smallest part, one pixel, has 2 x 0.48 x 0.48


def test_one_pixel_is_a_diamond_of_four_points():
    (loop,) = trace(np.ones((1, 1), dtype=np.bool_))
    assert sorted(map(tuple, np.round(loop, 12).tolist())) == [(-0.48, 0), (0, -0.48), (0, 0.48), (0.48, 0)]


def test_an_empty_mask_has_no_loop():
    assert trace(np.zeros((5, 6), dtype=np.bool_)) == []
    assert trace(np.zeros((0, 6), dtype=np.bool_)) == []


def test_the_full_image_keeps_its_border():
    """Eight vertices, 0.48 pixel outside the outermost centres; the four corners are cut."""
    (loop,) = trace(np.ones((30, 40), dtype=np.bool_))
    assert len(loop) == 8
    assert np.allclose(loop.min(axis=0), -0.48)
    assert np.allclose(loop.max(axis=0), (29.48, 39.48))


def test_parts_that_touch_by_a_corner_are_loops_of_their_own():
    assert len(trace(np.eye(5, dtype=np.bool_))) == 5


def test_a_long_diagonal_is_one_straight_line():
    """Stairs of one pixel each lie on a line of 45 degrees: a triangle has 3 sides and cut corners, whatever its size."""
    small, large = (trace(np.tri(n, dtype=np.bool_))[0] for n in (10, 60))
    assert len(small) == len(large) <= 8


def test_an_island_in_a_hole_is_a_loop_of_its_own():
    mask = disc(20, 50) & ~disc(12, 50) | disc(5, 50)
    assert sorted(round(area(loop)) for loop in trace(mask)) == sorted(
        (round(area(trace(disc(5, 50))[0])), round(area(trace(disc(20, 50))[0]) - hole_area(12)))
    )


def hole_area(radius):
    """A hole is smaller by the level: its loop lies 0.52 pixel from the pixels in it."""
    mask = ~disc(radius, 50)
    (loop,) = trace(mask)
    return area(trace(np.ones((50, 50), dtype=np.bool_))[0]) - area(loop)


def test_a_ball_of_20_mm_has_the_volume_of_its_radius():
    """4/3 pi 20^3 = 33.51 ml; the level just past half takes 0.02 pixel from the radius, about 0.3 per cent of the volume."""
    step_mm = 0.8
    size = 61
    heights = (np.arange(size) - 30) * step_mm
    discs = (
        disc(math.sqrt(max(20**2 - z**2, 0)) / step_mm, size) if abs(z) <= 20 else np.zeros((size, size), bool) for z in heights
    )
    volume_ml = sum(area(loop) for mask in discs for loop in trace(mask)) * step_mm**3 / 1000
    assert volume_ml == pytest.approx(33.51, rel=0.01)
