"""What is measured of heads' translators: statistics of known images."""

from __future__ import annotations

import head_translators
import numpy as np
import pytest


def test_statistics_of_known_images() -> None:
    """Half of the voxels in one range of values; a ramp of 0.1 a voxel is as steep everywhere."""
    image = np.zeros((4, 6, 20), np.float32)
    image[:] = np.arange(20) * 0.1 - 1
    inside = np.ones_like(image, dtype=bool)
    shape, steep = head_translators.statistics(image, inside)
    assert steep == pytest.approx(0.1, rel=1e-5)
    assert shape.sum() == pytest.approx(1)
    assert (shape > 0).all()
