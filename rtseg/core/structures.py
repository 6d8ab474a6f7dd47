"""Organs on a grid, each stored as the crop around it: forty organs must not cost forty volumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtseg.core.errors import GeometryError
from rtseg.core.geometry import Geometry
from rtseg.core.volume import Mask

Offset = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Structure:
    """One organ as the crop of a grid: boolean ``mask`` (slices, rows, columns) beginning at voxel ``offset``.

    ``probability`` (same shape, float) is there if a model made the organ; then ``mask == (probability > 0.5)``.
    An organ that was looked for and not found has a mask without a voxel set (or of size 0).
    Raises GeometryError if mask and probability disagree.
    """

    mask: NDArray[np.bool_]
    offset: Offset
    probability: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        if self.mask.dtype != np.bool_ or self.mask.ndim != 3:
            raise GeometryError(f"a structure's mask is boolean with three axes, got {self.mask.dtype} {self.mask.shape}")
        if self.probability is not None and not np.array_equal(self.mask, self.probability > 0.5):
            raise GeometryError("a structure's mask must be where its probability is above 0.5")

    @classmethod
    def from_full(cls, array: NDArray[np.bool_]) -> Structure:
        """The tight crop of a mask over the whole grid; a crop of size 0 if nothing is set."""
        box = bounding_box(array)
        if box is None:
            return EMPTY
        return cls(np.ascontiguousarray(array[box]), (box[0].start, box[1].start, box[2].start))

    @property
    def is_empty(self) -> bool:
        return not self.mask.any()

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the crop lies in the whole grid, to index arrays with."""
        a, b, c = (slice(o, o + n) for o, n in zip(self.offset, self.mask.shape, strict=True))
        return a, b, c


EMPTY = Structure(np.zeros((0, 0, 0), dtype=np.bool_), (0, 0, 0))
"""The structure of an organ that was looked for and not found."""


@dataclass(frozen=True, eq=False)
class StructureSet:
    """Organs by name (TG-263) on one grid. Raises GeometryError if a crop reaches outside the grid."""

    geometry: Geometry
    structures: Mapping[str, Structure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, organ in self.structures.items():
            ends = (o + n for o, n in zip(organ.offset, organ.mask.shape, strict=True))
            if min(organ.offset) < 0 or any(end > n for end, n in zip(ends, self.geometry.shape, strict=True)):
                raise GeometryError(f"{name} at {organ.offset} reaches outside the grid {self.geometry.shape}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.structures)

    def __len__(self) -> int:
        return len(self.structures)

    def __getitem__(self, name: str) -> Structure:
        return self.structures[name]

    def mask(self, name: str) -> Mask:
        """One organ over the whole grid."""
        full = np.zeros(self.geometry.shape, dtype=np.bool_)
        organ = self.structures[name]
        full[organ.box] = organ.mask
        return Mask(full, self.geometry)

    def volume_ml(self, name: str) -> float:
        """Volume of one organ, ml; 0 if it is empty. Each slice counts with its thickness in the whole grid."""
        organ = self.structures[name]
        return float(organ.mask.sum(axis=(1, 2)) @ self.geometry.voxel_ml[organ.box[0]])

    def subset(self, names: list[str]) -> StructureSet:
        """The organs named, in that order. Raises KeyError for one that is not there."""
        return StructureSet(self.geometry, {name: self.structures[name] for name in names})


def with_rim(box: tuple[slice, slice, slice]) -> tuple[slice, slice, slice]:
    """The box with a row and a column more on each side, as far as there are any: a border within voxels lies between those of an
    organ and their neighbours outside."""
    slices, rows, columns = box
    return slices, slice(max(0, rows.start - 1), rows.stop + 1), slice(max(0, columns.start - 1), columns.stop + 1)


def bounding_box(array: NDArray[np.bool_]) -> tuple[slice, slice, slice] | None:
    """Slices of the smallest box that holds every voxel set in (slices, rows, columns); None if there is none."""
    sides = []
    for axis in range(3):
        hit = np.flatnonzero(array.any(axis=tuple(a for a in range(3) if a != axis)))
        if hit.size == 0:
            return None
        sides.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return sides[0], sides[1], sides[2]
