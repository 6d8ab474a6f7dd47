"""Figures between the reference's ends: a cord that goes on beyond them, in any stack; misses and empty masks."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
import pytest
from numpy.typing import NDArray

from rtseg.core import AXIAL, Geometry, GeometryError, Mask
from rtseg.metrics import dsc, dsc_in_reference_range, hd95_in_reference_range_mm, hd95_mm

GRID = Geometry.regular((30, 24, 24), (3.0, 1.0, 1.0))
"""Axial, slices of 3 mm to superior."""


def box(*sides: tuple[int, int], grid: Geometry = GRID) -> Mask:
    array: NDArray[np.bool_] = np.zeros(grid.shape, dtype=np.bool_)
    array[tuple(slice(*side) for side in sides)] = True
    return Mask(array, grid)


def turned(degrees: float) -> Geometry:
    """The same grid leant back by an angle: its slices go to superior and posterior."""
    a = radians(degrees)
    return Geometry.regular((30, 24, 24), (3.0, 1.0, 1.0), direction=[[0, sin(a), cos(a)], [0, cos(a), -sin(a)], [1, 0, 0]])


CORD = box((10, 20), (4, 14), (4, 14))
LONG_CORD = box((0, 30), (4, 14), (4, 14))
EMPTY = box((0, 0), (0, 0), (0, 0))


def test_a_cord_that_goes_on_agrees_where_the_reference_is() -> None:
    # 10 of 30 slices: 2 * 10 / (10 + 30); between the ends both are the same
    assert dsc(CORD, LONG_CORD) == pytest.approx(0.5)
    assert dsc_in_reference_range(CORD, LONG_CORD) == pytest.approx(1.0)
    # 30 mm on: two of three parts of the long surface lie beyond, the 95th percentile far beyond
    plain = hd95_mm(CORD, LONG_CORD)
    assert plain is not None
    assert plain > 20
    assert hd95_in_reference_range_mm(CORD, LONG_CORD) == 0


def test_a_shift_in_the_slices_is_measured_without_what_goes_on() -> None:
    # 10 x 10 mm, 3 mm to the side: 7 of 10 columns shared, 2 * 7 / 20. Two sides of 10 x 30 mm of the 1400 mm2 are 3 mm away.
    shifted = box((0, 30), (4, 14), (7, 17))
    assert dsc_in_reference_range(CORD, shifted) == pytest.approx(0.7)
    assert hd95_in_reference_range_mm(CORD, shifted) == pytest.approx(3.0)


def test_a_cord_that_ends_early_is_not_forgiven() -> None:
    # 6 of 10 slices: 2 * 6 / 16; the lost end is 4 slices of 3 mm long
    short = box((14, 30), (4, 14), (4, 14))
    assert dsc_in_reference_range(CORD, short) == pytest.approx(2 * 6 / 16)
    distance = hd95_in_reference_range_mm(CORD, short)
    assert distance == hd95_mm(CORD, box((14, 20), (4, 14), (4, 14)))
    assert distance is not None
    assert 9 < distance <= 12


def test_gaps_within_the_reference_are_between_its_ends() -> None:
    gap = Mask(CORD.array & ~box((14, 16), (0, 24), (0, 24)).array, GRID)
    assert dsc_in_reference_range(gap, LONG_CORD) == pytest.approx(2 * 8 / (8 + 10))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
@pytest.mark.parametrize("upwards", [1, -1])
def test_any_stack_is_cut_along_superior(order: tuple[int, int, int], upwards: int) -> None:
    # axial, coronal and sagittal stacks, head first and feet first, of one patient
    spacing = np.array([3.0, 1.0, 1.0])[list(order)]
    shape = tuple(GRID.shape[axis] for axis in order)
    direction = AXIAL * np.array([1, 1, upwards])
    grid = Geometry(shape, (spacing[1], spacing[2]), np.arange(shape[0]) * spacing[0], np.zeros(3), direction[list(order)])
    reference, predicted = (
        Mask(np.ascontiguousarray(mask.array.transpose(order)), grid) for mask in (CORD, box((0, 30), (4, 14), (7, 17)))
    )
    assert dsc_in_reference_range(reference, predicted) == pytest.approx(0.7)
    assert hd95_in_reference_range_mm(reference, predicted) == pytest.approx(3.0)


@pytest.mark.parametrize("degrees", [-20, 10, 45])
def test_an_oblique_stack_is_cut_at_its_slices(degrees: float) -> None:
    # contours end on a slice: leant by 10 degrees, a plane of equal height would cut through 24 rows, some 4 mm
    grid = turned(degrees)
    reference, predicted = Mask(CORD.array, grid), Mask(LONG_CORD.array, grid)
    assert dsc_in_reference_range(reference, predicted) == pytest.approx(1.0)
    assert hd95_in_reference_range_mm(reference, predicted) == 0


def test_uneven_slices_keep_their_thickness() -> None:
    # positions 0, 1, 2, 6, 10 mm: slices 1 and 2 (1 and 2.5 mm) against 2 (2.5 mm); 3 and 4 are beyond the end
    grid = Geometry((5, 4, 4), (1.0, 1.0), np.array([0.0, 1.0, 2.0, 6.0, 10.0]), np.zeros(3), AXIAL)
    one, two = box((1, 3), (1, 3), (1, 3), grid=grid), box((2, 5), (1, 3), (1, 3), grid=grid)
    assert dsc_in_reference_range(one, two) == pytest.approx(2 * 2.5 / (3.5 + 2.5))


def test_nothing_between_the_ends_is_a_miss() -> None:
    beyond = box((20, 30), (4, 14), (4, 14))
    for missed in (beyond, EMPTY):
        assert dsc_in_reference_range(CORD, missed) == 0
        assert hd95_in_reference_range_mm(CORD, missed) is None


def test_an_empty_reference_has_no_ends() -> None:
    assert dsc_in_reference_range(EMPTY, CORD) == 0  # a false organ
    assert dsc_in_reference_range(EMPTY, EMPTY) is None  # a true absence
    assert hd95_in_reference_range_mm(EMPTY, CORD) is hd95_in_reference_range_mm(EMPTY, EMPTY) is None


def test_other_grid_is_refused() -> None:
    other = Mask(CORD.array, turned(10))
    for figure in (dsc_in_reference_range, hd95_in_reference_range_mm):
        with pytest.raises(GeometryError, match="one voxel grid"):
            figure(CORD, other)
