"""The first look: which slices are kept, whichever way a stack runs."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.core import AXIAL, Geometry
from rtseg.imaging import Probabilities, Stretch
from rtseg.segmentation.find import ROOM_MM, around

COARSE = Geometry.regular((100, 8, 8), (6.0, 6.0, 6.0), (0.0, 0.0, 0.0))
WHOLE = Stretch(10, 190, 180)


def seen(first: int, end: int) -> Probabilities:
    array = np.zeros((2, *COARSE.shape), np.float32)
    array[1, first:end, 2:6, 2:6] = 0.9
    return Probabilities(("Bladder", "Prostate"), array, COARSE)


def stack(upwards: bool, direction: np.ndarray = AXIAL) -> Geometry:
    """200 slices of 3 mm over the same 600 mm."""
    turned = direction * np.array([[1.0 if upwards else -1.0], [1.0], [1.0]])
    return Geometry.regular((200, 8, 8), (3.0, 6.0, 6.0), (0.0, 0.0, 0.0 if upwards else 597.0), turned)


@pytest.mark.parametrize("upwards", [True, False])
def test_slices_around_what_was_found_are_kept(upwards):
    """Found from 300 to 354 mm: slices from 240 to 414 mm are kept."""
    geometry = stack(upwards)
    kept = around(seen(50, 60), geometry, WHOLE)
    heights = geometry.points([(i, 0, 0) for i in range(kept.first, kept.end)])[:, 2]
    assert heights.min() == pytest.approx(300 - ROOM_MM, abs=3)
    assert heights.max() == pytest.approx(354 + ROOM_MM, abs=3)
    assert kept.left_out == WHOLE.left_out


def test_the_stretch_is_not_left():
    kept = around(seen(0, 3), stack(True), WHOLE)
    assert (kept.first, kept.left_out) == (10, 0)


def test_where_nothing_is_found_all_is_looked_at():
    assert around(seen(50, 50), stack(True), WHOLE) == WHOLE


def test_a_stack_that_is_not_axial_is_looked_at_whole():
    sagittal = Geometry.regular((200, 8, 8), (3.0, 6.0, 6.0), (0.0, 0.0, 0.0), AXIAL[[2, 1, 0]])
    assert around(seen(50, 60), sagittal, WHOLE) == WHOLE
