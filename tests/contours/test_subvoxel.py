"""Contours through probabilities: where they lie by hand, and that they give back what is above one half."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from rtseg.contours import crosses_itself, rasterise, trace

PROBABILITIES = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=14),
    elements=st.one_of(st.sampled_from([0.0, 0.49999997, 0.5, 0.50000006, 1.0]), st.floats(0, 1, width=32)),
)


@settings(max_examples=300, deadline=None)
@given(PROBABILITIES)
def test_even_odd_gives_what_is_above_one_half(probability):
    mask = probability > 0.5
    loops = trace(mask, probability)
    assert np.array_equal(rasterise(loops, mask.shape), mask)
    for loop in loops:
        rounded = np.round(loop, 3)  # as millimetres are, with pixels of 1 mm
        assert not crosses_itself(loop)
        assert np.array_equal(rasterise([rounded], mask.shape), rasterise([loop], mask.shape))


def test_a_border_lies_where_the_probability_is_one_half():
    """From 0.9 to 0.4 the border is 0.8 of the way, beyond the picture from 0.9 to 0 it is 0.4/0.9."""
    (loop,) = trace(np.array([[True, False]]), np.array([[0.9, 0.4]]))
    assert sorted(map(tuple, np.round(loop, 6).tolist())) == [(-0.444444, 0), (0, -0.444444), (0, 0.8), (0.444444, 0)]


def test_a_border_never_reaches_a_pixel_centre():
    (loop,) = trace(np.array([[True, False]]), np.array([[1.0, 0.5]]))
    assert loop[:, 1].max() == pytest.approx(0.98)
    (loop,) = trace(np.array([[True, False]]), np.array([[0.50001, 0.0]]))
    assert loop[:, 1].max() == pytest.approx(0.02)


def test_a_disc_is_as_round_as_its_probability():
    """Probability falls linearly through the border, so each vertex lies on the circle but for the clamp's 0.02 pixel."""
    row, column = np.indices((61, 61)) - 30.0
    probability = np.clip(0.5 + (20.3 - np.hypot(row, column)) / 4, 0, 1)
    (loop,) = trace(probability > 0.5, probability)
    off = np.hypot(*(loop - 30.0).T) - 20.3
    assert np.sqrt((off**2).mean()) < 0.01
    assert abs(off).max() < 0.03


def test_holes_keep_their_channels():
    probability = np.ones((9, 9)) * 0.9
    probability[3:6, 3:6] = 0.2
    (loop,) = trace(probability > 0.5, probability)
    assert np.array_equal(rasterise([loop], (9, 9)), probability > 0.5)
    assert not crosses_itself(loop)
