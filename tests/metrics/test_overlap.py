"""Dice coefficient: truths by hand, empty masks, grids that differ."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rtseg.core import AXIAL, Geometry, GeometryError, Mask
from rtseg.metrics import dsc

GRID = Geometry.regular((4, 5, 6), (3.0, 1.0, 1.0))


def box(*sides: tuple[int, int], grid: Geometry = GRID) -> Mask:
    array: NDArray[np.bool_] = np.zeros(grid.shape, dtype=np.bool_)
    array[tuple(slice(*side) for side in sides)] = True
    return Mask(array, grid)


EMPTY = Mask(np.zeros(GRID.shape, dtype=np.bool_), GRID)


def test_half_overlap() -> None:
    # 2 x 2 x 2 and 2 x 2 x 2 voxels that share 2 x 2 x 1: 2 * 4 / (8 + 8)
    assert dsc(box((0, 2), (0, 2), (0, 2)), box((0, 2), (0, 2), (1, 3))) == pytest.approx(0.5)


def test_identical_disjoint_and_empty() -> None:
    organ = box((0, 2), (0, 2), (0, 2))
    assert dsc(organ, organ) == pytest.approx(1)
    assert dsc(organ, box((2, 4), (0, 2), (0, 2))) == 0
    assert dsc(organ, EMPTY) == 0
    assert dsc(EMPTY, organ) == 0
    assert dsc(EMPTY, EMPTY) is None


def test_thick_slice_weighs_more() -> None:
    # positions 0, 1, 2, 6 mm: slices are 1, 1, 2.5, 4 mm thick; slices 2-3 against slice 3 alone: 2 * 4 / (6.5 + 4)
    uneven = Geometry((4, 5, 6), (1.0, 1.0), np.array([0.0, 1.0, 2.0, 6.0]), np.zeros(3), AXIAL)
    two, one = box((2, 4), (0, 2), (0, 2), grid=uneven), box((3, 4), (0, 2), (0, 2), grid=uneven)
    assert dsc(two, one) == pytest.approx(8 / 10.5)


def test_other_grid_is_refused() -> None:
    elsewhere = Geometry.regular((4, 5, 6), (3.0, 1.0, 1.0), origin=(0.0, 0.0, 1.0))
    with pytest.raises(GeometryError, match="one voxel grid"):
        dsc(EMPTY, Mask(EMPTY.array, elsewhere))
