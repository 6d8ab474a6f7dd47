"""From a planning CT to the model's working grid, and the way back, organ by organ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.core import AXIAL, EMPTY, Geometry, GeometryError, Mask, Structure, StructureSet, Volume, bounding_box, with_rim
from rtseg.imaging.body import body_mask, foreign_mask, grown
from rtseg.imaging.continuity import Stretch
from rtseg.imaging.resample import reach, resample

AIR_HU = -1000.0

Box = tuple[tuple[int, int, int], tuple[int, int, int]]
"""Start and shape of a part of a grid, in voxels."""

Crop = tuple[NDArray[np.float32], tuple[int, int, int]]
"""An organ's probability on a part of a grid, and the voxel at which the part starts."""


@dataclass(frozen=True)
class Preparation:
    """How a CT is brought onto a model's working grid.

    spacing_mm  (slices, rows, columns) of the axial working grid
    window_hu   values are cut to this range
    margin_mm   air kept around the body; everything further out becomes air (couch, shell, head-rest)
    """

    spacing_mm: tuple[float, float, float]
    window_hu: tuple[float, float]
    margin_mm: float


@dataclass(frozen=True, eq=False)
class Prepared:
    """A CT on the working grid (HU, cropped to the body), the body there, the grid it came from, and the couch, shell or
    head-rest that was blanked beside the body.
    """

    volume: Volume
    body: Mask
    source: Geometry
    foreign: Mask


@dataclass(frozen=True, eq=False)
class Probabilities:
    """What a model saw: ``array`` (organs, slices, rows, columns) in 0..1 on the working grid, organs by name."""

    organs: tuple[str, ...]
    array: NDArray[np.float32]
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.array.shape != (len(self.organs), *self.geometry.shape):
            raise GeometryError(f"probabilities {self.array.shape} do not fit {len(self.organs)} organs on {self.geometry.shape}")


def prepare(ct: Volume, how: Preparation, stretch: Stretch | None = None) -> Prepared:
    """Average the CT onto the axial working grid, find the body, blank what lies outside it and its margin, crop to it.

    Works for any orientation of ``ct``: the working grid is axial in patient space (LPS), so that left is left.
    stretch: only these slices, on a working grid that does not move with the borders of the picture: they may be wide
    enough for a couch, or not. Without it all slices, on a working grid amidst them. Raises GeometryError if there is no body.
    """
    if stretch is None:
        grid = axial_grid(ct.geometry, how.spacing_mm)
    else:
        ct = _slices(ct, stretch)
        grid = _fixed_grid(ct.geometry, how.spacing_mm)
    working = resample(ct, grid, AIR_HU, (AIR_HU, how.window_hu[1]))  # padding and metal would reach their neighbours
    body = body_mask(working)
    near = grown(body, how.margin_mm)
    box = bounding_box(near.array)
    if box is None:
        raise GeometryError("no body was found in this CT")
    cropped = working.geometry.crop(*_start_and_shape(box))
    foreign = foreign_mask(working, body, near).array[box]
    shown = near.array[box] & ~foreign
    hu = np.clip(np.where(shown, working.array[box], np.float32(AIR_HU)), *how.window_hu)
    return Prepared(Volume(hu, cropped), Mask(body.array[box], cropped), ct.geometry, Mask(foreign, cropped))


def _slices(ct: Volume, stretch: Stretch) -> Volume:
    geometry = ct.geometry.crop((stretch.first, 0, 0), (stretch.end - stretch.first, *ct.geometry.shape[1:]))
    return Volume(ct.array[stretch.first : stretch.end], geometry)


def restore(seen: Probabilities, ready: Prepared) -> StructureSet:
    """The organs on the CT's own grid: each within its box, where its probability is above one half.

    Organs may overlap here. One that is nowhere above one half is empty.
    """
    crops: dict[str, Crop] = {}
    for organ, array in zip(seen.organs, seen.array, strict=True):
        image = Volume(array, seen.geometry)
        box = _organ_box(image, ready.source)
        if box is not None:
            grid = ready.source.crop(*box)
            crops[organ] = resample(_around(image, grid), grid, 0.0).array, box[0]
    return StructureSet(ready.source, {organ: _structure(crops.get(organ)) for organ in seen.organs})


def restore_mask(mask: Mask, ready: Prepared) -> Structure:
    """A mask of the working grid on the CT's own grid: where more than half of a voxel is inside."""
    seen = Probabilities(("mask",), mask.array[None].astype(np.float32), mask.geometry)
    return restore(seen, ready)["mask"]


def to_working_grid(structures: StructureSet, ready: Prepared, organs: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    """Each organ as the share of every working voxel that it fills (0..1): soft labels to train with."""
    shares = {}
    for organ in organs:
        if structures[organ].is_empty:
            shares[organ] = np.zeros(ready.volume.geometry.shape, dtype=np.float32)
        else:
            full = structures.mask(organ)
            shares[organ] = resample(Volume(full.array.astype(np.float32), full.geometry), ready.volume.geometry, 0.0).array
    return shares


def axial_grid(source: Geometry, spacing_mm: tuple[float, float, float]) -> Geometry:
    """The axial grid of this spacing that covers the source's box, centred on it."""
    corners = source.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = np.array(spacing_mm)[::-1]
    counts = np.maximum(1, np.ceil((high - low) / step - 1e-3)).astype(int)
    first = (low + high) / 2 - (counts - 1) * step / 2
    return Geometry.regular((int(counts[2]), int(counts[1]), int(counts[0])), spacing_mm, first, AXIAL)


def _fixed_grid(source: Geometry, spacing_mm: tuple[float, float, float]) -> Geometry:
    """The axial grid of this spacing that covers the source's box, its voxels on multiples of the spacing in patient space.

    Slices are counted from the lower end of the source: where a scan begins is told by its slices, not by its borders.
    """
    corners = source.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = np.array(spacing_mm)[::-1]
    zero = np.array([0.0, 0.0, low[2] + step[2] / 2])
    first, last = np.floor((low - zero) / step + 0.5 + 1e-3), np.ceil((high - zero) / step - 0.5 - 1e-3)
    counts = np.maximum(1, last - first + 1).astype(int)
    return Geometry.regular((int(counts[2]), int(counts[1]), int(counts[0])), spacing_mm, zero + first * step, AXIAL)


def _organ_box(image: Volume, onto: Geometry) -> Box | None:
    """The box of ``onto`` that holds every voxel whose value, resampled from ``image``, can be above one half.

    One voxel more on each side: alone or beside a gap, the outer slices of a box may be thicker than in the whole grid.
    """
    box = bounding_box(image.array > 0.5)
    if box is None:
        return None
    margin = reach(image.geometry, onto)
    ends = [(s.start - more, s.stop - 1 + more) for s, more in zip(box, margin, strict=True)]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1)
    return _start_and_shape(_box_of(onto.indices(image.geometry.points(corners)), onto, 1))


def _around(image: Volume, grid: Geometry) -> Volume:
    """The part of an image that the values on a grid are made of."""
    box = _box_of(image.geometry.indices(grid.corners()), image.geometry, reach(image.geometry, grid))
    return Volume(image.array[box], image.geometry.crop(*_start_and_shape(box)))


def _box_of(indices: NDArray[np.float64], grid: Geometry, margin: NDArray[np.float64] | int) -> tuple[slice, slice, slice]:
    """The smallest box of a grid, one voxel at least, round fractional indices (..., 3) with a margin of voxels."""
    low, high = indices.reshape(-1, 3).min(axis=0) - margin, indices.reshape(-1, 3).max(axis=0) + margin
    last = np.array(grid.shape) - 1
    ends = zip(np.clip(np.floor(low), 0, last), np.clip(np.ceil(high), 0, last), strict=True)
    a, b, c = (slice(int(first), int(final) + 1) for first, final in ends)
    return a, b, c


def _start_and_shape(box: tuple[slice, slice, slice]) -> Box:
    a, b, c = box
    return (a.start, b.start, c.start), (a.stop - a.start, b.stop - b.start, c.stop - c.start)


def _structure(crop: Crop | None) -> Structure:
    if crop is None:
        return EMPTY
    probability, start = crop
    box = bounding_box(probability > 0.5)
    if box is None:
        return EMPTY
    box = with_rim(box)
    tight = np.ascontiguousarray(probability[box])
    a, b, c = (first + side.start for first, side in zip(start, box, strict=True))
    return Structure(tight > 0.5, (a, b, c), tight)
