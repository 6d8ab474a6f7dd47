"""Voxels and their grid belong together, and a mask is not an image."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.core import AXIAL, Geometry, GeometryError, Mask, Volume

GRID = Geometry((3, 2, 2), (2.0, 2.0), np.array([0.0, 2.0, 6.0]), np.zeros(3), AXIAL)


@pytest.mark.parametrize("noun", [Volume, Mask])
@pytest.mark.parametrize("shape", [(2, 2, 3), (3, 2), (3, 2, 2, 1)])
def test_voxels_that_do_not_fit_their_grid_are_refused(noun: type[Volume] | type[Mask], shape: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="does not fit"):
        noun(np.zeros(shape, dtype=np.bool_), GRID)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_mask_of_numbers_is_refused(dtype: type[np.generic]) -> None:
    with pytest.raises(GeometryError, match="boolean"):
        Mask(np.ones(GRID.shape, dtype=dtype), GRID)  # type: ignore[arg-type]


def test_volume_of_a_mask_on_uneven_slices() -> None:
    # 2, 3 and 4 mm thick, 4 mm2 each: one voxel on the first, three on the last = 8 + 48 mm3
    array = np.zeros(GRID.shape, dtype=np.bool_)
    array[0, 0, 0] = array[2, 0, 0] = array[2, 0, 1] = array[2, 1, 1] = True
    assert Mask(array, GRID).volume_ml == pytest.approx(0.056)
    assert Mask(~array & False, GRID).volume_ml == 0.0
