"""The stretches of a scan that go on from slice to slice: padding and slices of another scan are parted from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, Volume
from rtseg.imaging.body import body_mask
from rtseg.imaging.resample import resample

AIR_HU, BRIGHT_HU = -1000.0, 300.0
"""Slices are compared between air and soft bone: streaks of metal come and go from slice to slice."""

JUMP_HU = 300.0
"""Mean difference of two neighbouring slices within their bodies above which there may be a break: 293 is the largest in 194
head-and-neck scans, 492 the smallest where slices of another of these patients were appended."""

JUMP_RATIO = 5.0
"""How many times more than those around them two slices of a break differ: at most 5.1 in these scans, 10.7 and more between two
patients."""

AROUND = 8
"""Gaps on either side of a gap that it is compared with."""

SAME_HU = 0.5
"""A slice that differs less from its neighbour is a copy of it: noise alone differs more in a scan."""

PADDING_MM = 50.0
"""Copies at an end over this length are padding; a phantom may well be the same over less."""

SHORTEST_MM = 20.0
"""A shorter stretch is a disturbed slice or an end too short to hold an organ: there the scan is not parted."""

UPRIGHT = 0.9
"""Stacks whose slices are tilted further (cosine to the patient's axis) are not looked at."""


@dataclass(frozen=True)
class Stretch:
    """Slices ``first`` to ``end`` (not included) of a CT, which show a body without a break.

    shown   how many slices of the CT show a body or a copy of one: this stretch's, others' and padding
    """

    first: int
    end: int
    shown: int

    @property
    def left_out(self) -> int:
        """Slices that show a body and do not belong to this stretch."""
        return self.shown - (self.end - self.first)


def stretches(ct: Volume, pixel_mm: float) -> tuple[Stretch, ...]:
    """The stretches of a CT from its first slice to its last, looked at on pixels of ``pixel_mm``; one in nearly every scan.

    Slices without a body at the ends belong to none, nor do copies of an end. Raises GeometryError if there is no body.
    """
    coarse = resample(ct, _coarse_grid(ct.geometry, pixel_mm), AIR_HU, (AIR_HU, BRIGHT_HU))
    body = body_mask(coarse).array
    shows = np.asarray(body.any(axis=(1, 2)))
    parts = [(0, len(shows))]
    if abs(float(ct.geometry.direction[0, 2])) >= UPRIGHT:
        differences = _differences(coarse.array, body)
        parts = [_without_copies(differences, ct.geometry.positions, *part) for part in _unbroken(differences, ct.geometry)]
    return tuple(Stretch(*_ends(shows, *part), int(shows.sum())) for part in parts if shows[slice(*part)].any())


def _coarse_grid(grid: Geometry, pixel_mm: float) -> Geometry:
    """The same slices with pixels of ``pixel_mm`` or the CT's own if they are larger, centred on the CT's."""
    spacing = np.maximum(grid.pixel_spacing, pixel_mm)
    extent = np.array(grid.shape[1:]) * grid.pixel_spacing
    counts = np.maximum(1, np.ceil(extent / spacing - 1e-3)).astype(int)
    first = (extent - grid.pixel_spacing - (counts - 1) * spacing) / 2
    origin = grid.origin + first @ grid.direction[1:]
    shape = (grid.shape[0], int(counts[0]), int(counts[1]))
    return Geometry(shape, (float(spacing[0]), float(spacing[1])), grid.positions, origin, grid.direction)


def _differences(array: NDArray[np.float32], body: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(slices - 1,) mean difference in HU of each slice and the next within the body of either; 0 where neither has one."""
    gaps = zip(array, array[1:], body, body[1:], strict=False)
    return np.array([np.abs(b - a)[p | q].mean() if (p | q).any() else 0.0 for a, b, p, q in gaps])


def _unbroken(differences: NDArray[np.float64], grid: Geometry) -> Iterator[tuple[int, int]]:
    """First and last+1 slice of each stretch between breaks. Over a gap in the stack more difference is usual."""
    gaps_mm = np.diff(grid.positions)
    usual = differences / np.maximum(1, gaps_mm / np.median(gaps_mm)) if len(gaps_mm) else differences
    cuts = [0, *(1 + k for k in range(len(usual)) if _is_break(usual, k)), len(usual) + 1]
    while len(cuts) > 2 and (lengths := np.diff(grid.slice_faces[cuts])).min() < SHORTEST_MM:
        shortest = int(lengths.argmin())
        cuts = [cut for i, cut in enumerate(cuts) if i in (0, len(cuts) - 1) or i not in (shortest, shortest + 1)]
    yield from pairwise(cuts)


def _is_break(differences: NDArray[np.float64], gap: int) -> bool:
    """Whether two neighbours differ much, and much more than others around them do; copies do not tell what is usual."""
    if differences[gap] <= JUMP_HU:
        return False
    around = np.r_[differences[max(0, gap - AROUND) : max(0, gap - 1)], differences[gap + 2 : gap + 2 + AROUND]]
    usual = around[around > SAME_HU]
    return len(usual) == 0 or bool(differences[gap] > JUMP_RATIO * np.median(usual))


def _without_copies(differences: NDArray[np.float64], positions: NDArray[np.float64], first: int, end: int) -> tuple[int, int]:
    """A stretch of slices without the copies at its ends; all of it if it holds nothing else."""
    differ = np.flatnonzero(differences[first : end - 1] > SAME_HU)
    if len(differ) == 0:
        return first, end
    low, high = first + int(differ[0]), first + int(differ[-1]) + 2
    return (
        low if positions[low] - positions[first] >= PADDING_MM else first,
        high if positions[end - 1] - positions[high - 1] >= PADDING_MM else end,
    )


def _ends(shows: NDArray[np.bool_], first: int, end: int) -> tuple[int, int]:
    """A stretch without the slices at its ends that show no body."""
    held = np.flatnonzero(shows[first:end])
    return first + int(held[0]), first + int(held[-1]) + 1
