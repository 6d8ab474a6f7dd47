"""Holes joined by channels: one polygon, nothing lost, whatever rule of filling the reader has."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rtseg.contours import rasterise, trace

THICK = arrays(np.bool_, (12, 13), elements=st.sampled_from([True, True, True, True, False]))
"""Mostly full masks: many holes, also one behind the other and at equal heights."""


def ring(outer, inner, size=31):
    row, column = np.indices((size, size)) - size // 2
    radius = np.hypot(row, column)
    return (radius <= outer) & (radius > inner)


def winding(loop, shape):
    """Winding number at each pixel centre: signed crossings of the ray to the left."""
    number = np.zeros(shape, dtype=int)
    for (r0, c0), (r1, c1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
        for row in range(max(int(np.ceil(min(r0, r1))), 0), min(int(np.ceil(max(r0, r1))), shape[0])):
            crossing = c0 + (row - r0) * (c1 - c0) / (r1 - r0)
            number[row, max(int(np.ceil(crossing)), 0) :] += 1 if r1 > r0 else -1
    return number


def test_a_ring_is_one_polygon():
    (loop,) = trace(ring(12, 5))
    assert np.array_equal(rasterise([loop], (31, 31)), ring(12, 5))


def test_a_square_ring_has_the_channel_drawn_by_hand():
    """3 x 3 without its middle: the hole's vertices lie 0.48 from the pixels round it, the topmost at (0.48, 1).

    In the cell to its right both rows are part up to column 2, the last; so the channel bends at column 2 and ends at the
    vertex above it, 0.48 to the right.
    """
    mask = np.ones((3, 3), dtype=np.bool_)
    mask[1, 1] = False
    (loop,) = trace(mask)
    points = [tuple(point) for point in np.round(loop, 12).tolist()]
    at = points.index((0.48, 1.0))
    assert points[at - 2 : at] == [(0.0, 2.48), (0.48, 2.0)]
    assert points[at + 1 : at + 7] == [(1.0, 0.48), (1.52, 1.0), (1.0, 1.52), (0.48, 1.0), (0.48, 2.0), (0.0, 2.48)]


@settings(max_examples=200, deadline=None)
@given(THICK)
def test_holes_are_kept_by_readers_that_count_windings_too(mask):
    """A walk that crossed itself would wind twice or not at all round some pixel."""
    numbers = [winding(loop, mask.shape) for loop in trace(mask)]
    total = sum(numbers, np.zeros(mask.shape, dtype=int))
    assert np.array_equal(total != 0, mask)
    assert all(len(np.unique(number)) <= 2 for number in numbers)


@settings(max_examples=200, deadline=None)
@given(THICK)
def test_channels_meet_no_pixel_centre_and_are_passed_forth_and_back(mask):
    for loop in trace(mask):
        edges = Counter(zip(map(tuple, loop), map(tuple, np.roll(loop, -1, axis=0)), strict=True))
        for (start, end), count in edges.items():
            assert count == 1
            if (end, start) in edges:
                assert abs(start[0] % 1) > 0.4 or abs(end[0] % 1) > 0.4
        centres = np.argwhere(mask)
        distance = np.abs(loop[:, None, :] - centres[None]).max(axis=2).min(axis=1)
        assert (distance > 0.4).all()


@settings(max_examples=200, deadline=None)
@given(THICK)
def test_a_reader_that_rounds_points_to_pixels_stays_inside_the_part(mask):
    """Rounded, every vertex and every channel lies on pixels of the mask."""
    for loop in trace(mask):
        pixels = np.rint(loop).astype(int)
        assert mask[pixels[:, 0], pixels[:, 1]].all()


@pytest.mark.parametrize("spacing", [2, 3])
def test_a_sieve_of_many_holes_is_one_polygon(spacing):
    """Holes in rows: each channel but the last ends at the next hole."""
    mask = np.ones((61, 61), dtype=np.bool_)
    mask[1:-1:spacing, 1:-1:spacing] = False
    mask[:, -1] = mask[-1, :] = True
    (loop,) = trace(mask)
    assert np.array_equal(rasterise([loop], mask.shape), mask)


def test_rings_within_rings_are_one_polygon_each():
    mask = ring(14, 11) | ring(8, 5) | ring(2, -1)
    loops = trace(mask)
    assert len(loops) == 3
    assert np.array_equal(rasterise(loops, mask.shape), mask)
