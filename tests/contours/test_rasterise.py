"""Even-odd at pixel centres: expected pixels counted by hand, and against matplotlib's own rule."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Polygon

from rtseg.contours import rasterise

POLYGONS = arrays(
    np.float64, st.tuples(st.integers(3, 9), st.just(2)), elements=st.floats(-3, 14).map(lambda x: round(x, 1) + 0.03)
)
"""Crooked, self-crossing, partly outside; no vertex in line with a row or column of centres."""


def box(top, left, bottom, right):
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)], dtype=np.float64)


@settings(max_examples=200, deadline=None)
@given(POLYGONS)
def test_any_polygon_is_filled_as_matplotlib_fills_it(loop):
    centres = np.argwhere(np.ones((12, 11), dtype=bool))
    expected = Polygon(np.vstack([loop, loop[:1]]), closed=True).contains_points(centres).reshape(12, 11)
    edge = np.array([distance_to_edges(centre, loop) < 1e-6 for centre in centres]).reshape(12, 11)
    assert np.array_equal(rasterise([loop], (12, 11))[~edge], expected[~edge])


def distance_to_edges(point, loop):
    start, step = loop, np.roll(loop, -1, axis=0) - loop
    along = np.clip(((point - start) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), 1e-12), 0, 1)
    return np.linalg.norm(start + along[:, None] * step - point, axis=1).min()


def test_a_centre_on_an_edge_counts_once():
    """Two boxes share the edges of column 4 and row 3: together they hold each of 6 x 8 centres once."""
    parts = [box(0, 0, 3, 4), box(0, 4, 3, 8), box(3, 0, 6, 4), box(3, 4, 6, 8)]
    counts = sum(rasterise([part], (10, 10)).astype(int) for part in parts)
    expected = np.zeros((10, 10), dtype=int)
    expected[:6, :8] = 1
    assert np.array_equal(counts, expected)


def test_loops_of_a_plane_are_combined_by_xor():
    mask = rasterise([box(0.5, 0.5, 7.5, 7.5), box(2.5, 2.5, 5.5, 5.5)], (9, 9))
    assert mask.sum() == 7 * 7 - 3 * 3
    assert not mask[4, 4]


def test_what_lies_outside_is_cut_off():
    assert rasterise([box(-5, -5, 20, 3.5)], (6, 7)).sum() == 6 * 4
    assert not rasterise([box(-5, -5, -1, -1)], (6, 7)).any()
    assert not rasterise([box(20, 20, 25, 25)], (6, 7)).any()
    assert rasterise([box(-9, -9, 90, 90)], (6, 7)).all()


def test_no_loop_gives_an_empty_mask():
    assert not rasterise([], (4, 5)).any()
    assert rasterise([], (4, 5)).shape == (4, 5)


def test_direction_and_first_point_repeated_make_no_difference():
    loop = box(0.5, 0.5, 4.5, 6.5)
    expected = rasterise([loop], (8, 8))
    assert expected.sum() == 4 * 6
    assert np.array_equal(rasterise([loop[::-1]], (8, 8)), expected)
    assert np.array_equal(rasterise([np.vstack([loop, loop[:1]])], (8, 8)), expected)
