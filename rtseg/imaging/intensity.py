"""Values of images as networks see them, -1 to 1, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtseg.core import ConfigError, InputError, Mask, Volume

LOW, HIGH = 0.5, 99.5
"""Percentiles inside the body that become -1 and 1: a few hot voxels at a coil must not darken the rest (ours)."""


@dataclass(frozen=True)
class Scale:
    """A rising map in straight pieces: ``values`` become ``onto``, what lies beyond is cut.

    Raises ConfigError unless both rise and have as many numbers, two at least.
    """

    values: tuple[float, ...]
    onto: tuple[float, ...]

    def __post_init__(self) -> None:
        both_rise = all(np.all(np.diff(numbers) > 0) for numbers in (self.values, self.onto))
        if len(self.values) != len(self.onto) or len(self.values) < 2 or not both_rise:
            raise ConfigError(f"a scale maps rising values onto as many rising ones, got {self.values} and {self.onto}")

    def __call__(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """The array, mapped, float32."""
        return np.asarray(np.interp(array, self.values, self.onto), dtype=np.float32)

    def back(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """The inverse of what was not cut."""
        return np.asarray(np.interp(array, self.onto, self.values), dtype=np.float32)


CT_SCALE = Scale((-1000.0, -200.0, 150.0, 1500.0), (-1.0, -0.6, 0.5, 1.0))
"""HU: soft tissue has more than half of the range, air and bone share the rest (ours; a straight map leaves bone as it is)."""


def mr_scale(mr: Volume, inside: Mask) -> Scale:
    """The scale of one MR, which has no unit: percentiles of what lies inside the body.

    Raises InputError if nothing lies inside, or all of it has one value.
    """
    values = mr.array[inside.array]
    if not values.size:
        raise InputError("the MR has no voxel inside the body: nothing to scale it by")
    low, high = (float(value) for value in np.percentile(values, (LOW, HIGH)))
    if low >= high:
        raise InputError(f"the MR has one value inside the body ({low:g}): nothing to scale it by")
    return Scale((low, high), (-1.0, 1.0))
