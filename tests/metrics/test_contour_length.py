"""Contour that is left to draw: of rectangles, whose length is known."""

import numpy as np
import pytest

from rtseg.core import Geometry, GeometryError, Mask
from rtseg.metrics import added_path_length_mm

GRID = Geometry.regular((10, 60, 80), (3.0, 2.0, 1.0))


def box(slices, rows, columns, grid=GRID):
    array = np.zeros(grid.shape, dtype=np.bool_)
    array[slice(*slices), slice(*rows), slice(*columns)] = True
    return Mask(array, grid)


ORGAN = box((3, 5), (10, 30), (20, 60))
"""Two slices of 40 mm x 40 mm: contours run 0.48 pixel outside the outer pixel centres and cut the corners."""

WHOLE = 2 * (2 * 38 + 2 * 39 + 4 * np.hypot(0.48 * 2, 0.48))
"""19 rows of 2 mm and 39 columns of 1 mm between the outer centres, four corners each."""


def test_the_same_contour_leaves_nothing_to_draw():
    assert added_path_length_mm(ORGAN, ORGAN) == 0


def test_a_missed_organ_has_all_of_its_contour():
    assert added_path_length_mm(ORGAN, box((0, 0), (0, 0), (0, 0))) == pytest.approx(WHOLE)


def test_a_slice_without_a_prediction_counts_whole():
    assert added_path_length_mm(ORGAN, box((3, 4), (10, 30), (20, 60))) == pytest.approx(WHOLE / 2)


def test_a_side_that_lies_elsewhere_is_what_is_drawn():
    """The right side is 10 mm short: 40 mm of it and twice some 10 mm to the corners, less the tolerance of 2 mm."""
    short = box((3, 5), (10, 30), (20, 50))
    assert added_path_length_mm(ORGAN, short) == pytest.approx(2 * (40 + 2 * (10 - 2)), abs=4)


def test_what_lies_within_the_tolerance_is_not_drawn():
    moved = box((3, 5), (10, 30), (23, 63))
    assert added_path_length_mm(ORGAN, moved, 3.5) == 0
    assert added_path_length_mm(ORGAN, moved, 2.0) == pytest.approx(
        2 * 2 * 40, abs=14
    )  # two upright sides of 40 mm on each slice


def test_a_hole_is_contour_and_the_way_to_it_is_not():
    ring = Mask(ORGAN.array.copy(), GRID)
    ring.array[3:5, 18:22, 35:45] = False
    hole = 2 * (2 * 6 + 2 * 9 + 4 * np.hypot(0.52 * 2, 0.52))
    assert added_path_length_mm(ring, box((0, 0), (0, 0), (0, 0))) == pytest.approx(WHOLE + hole)
    assert added_path_length_mm(ring, ORGAN) == pytest.approx(hole, rel=0.02)


def test_nothing_to_draw_and_other_grids():
    assert added_path_length_mm(box((0, 0), (0, 0), (0, 0)), ORGAN) is None
    with pytest.raises(GeometryError):
        added_path_length_mm(ORGAN, box((0, 1), (0, 1), (0, 1), Geometry.regular((5, 5, 5), (1.0, 1.0, 1.0))))
