"""From an organ's voxels to the contours that are written, and to the voxels that these enclose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.contours import Loop, rasterise, simplify, trace_with_channels
from rtseg.core import EMPTY, Finding, Geometry, Structure
from rtseg.dicom.export import Export


@dataclass(frozen=True, eq=False)
class Drawing:
    """An organ's contours: (slice, loop in pixels of the whole image), slices ascending.

    meant     the organ as it has to read back
    exact     whether it has to read back to the voxel: not where points were left out
    """

    contours: tuple[tuple[int, Loop], ...]
    meant: Structure
    exact: bool
    findings: tuple[Finding, ...]


def draw(name: str, organ: Structure, grid: Geometry, export: Export, *, is_external: bool) -> Drawing:
    """Contours of an organ; working memory is of the order of one slice of its crop.

    is_external: the outline of the body, of which every point is kept. Findings: ``contour_not_subvoxel`` (no probability to
    contour by), ``island_left_out``, ``contour_simplified`` (value: DSC with what it was).
    """
    findings = []
    if export.subvoxel and organ.probability is None:
        words = f"{name}: no probability is known, so its contours run halfway between voxels"
        findings.append(Finding("contour_not_subvoxel", words, name))
    slices = [_Slice(*each) for each in _traced(organ, grid, export)]
    left_out = sum(len(each.islands) for each in slices)
    if left_out:
        largest = max(area for each in slices for area in each.islands)
        words = (
            f"{name}: {left_out} parts of a slice were left out, each below {export.min_area_mm2:g} mm2 (largest {largest:.1f})"
        )
        findings.append(Finding("island_left_out", words, name, float(left_out), 0.0))
        organ = _without_islands(organ, slices)
    is_simplified = export.simplify_mm > 0 and not is_external
    if is_simplified:
        simpler = [each.simplified(grid, export.simplify_mm) for each in slices]
        findings += _simplified(name, organ, slices, simpler)
        slices = simpler
    start = np.array(organ.offset[1:])
    contours = tuple((each.index, loop + start) for each in slices for loop in each.loops)
    return Drawing(contours, organ, not is_simplified, tuple(findings))


@dataclass(frozen=True, eq=False)
class _Slice:
    """Contours of a slice in pixels of the organ's crop, which of their points channels pass, areas of parts left out in mm2."""

    index: int
    loops: list[Loop]
    passed: list[NDArray[np.bool_]]
    islands: list[float]

    def simplified(self, grid: Geometry, tolerance_mm: float) -> _Slice:
        scale = np.array(grid.pixel_spacing)
        pairs = zip(self.loops, self.passed, strict=True)
        loops = [simplify(loop * scale, passed, tolerance_mm) / scale for loop, passed in pairs]
        return _Slice(self.index, loops, self.passed, self.islands)

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        return rasterise(self.loops, shape)


def _traced(
    organ: Structure, grid: Geometry, export: Export
) -> Iterator[tuple[int, list[Loop], list[NDArray[np.bool_]], list[float]]]:
    pixel_mm2 = float(np.prod(grid.pixel_spacing))
    by_slice = organ.probability if export.subvoxel and organ.probability is not None else [None] * len(organ.mask)
    for index, (mask, probability) in enumerate(zip(organ.mask, by_slice, strict=True), start=organ.offset[0]):
        found = trace_with_channels(mask, probability)
        areas = [_area(loop) * pixel_mm2 for loop, _ in found] if export.min_area_mm2 else [np.inf] * len(found)
        kept = [pair for pair, area in zip(found, areas, strict=True) if area >= export.min_area_mm2]
        islands = [area for area in areas if area < export.min_area_mm2]
        yield index, [loop for loop, _ in kept], [passed for _, passed in kept], islands


def _area(loop: Loop) -> float:
    """Area enclosed, pixels (shoelace formula); holes on channels count against it."""
    following = np.roll(loop, -1, axis=0)
    return float(abs((loop[:, 0] * following[:, 1] - loop[:, 1] * following[:, 0]).sum()) / 2)


def _without_islands(organ: Structure, slices: list[_Slice]) -> Structure:
    mask = np.stack([each.mask(organ.mask.shape[1:]) for each in slices])
    if not mask.any():
        return EMPTY
    probability = organ.probability
    if probability is not None:
        probability = np.where(mask, probability, np.minimum(probability, probability.dtype.type(0.5)))
    return Structure(mask, organ.offset, probability)


def _simplified(name: str, organ: Structure, before: list[_Slice], after: list[_Slice]) -> list[Finding]:
    """The finding that tells how many points went and what it cost; none if no point went."""
    points = [sum(len(loop) for each in slices for loop in each.loops) for slices in (before, after)]
    if points[0] == points[1]:
        return []
    shape = organ.mask.shape[1:]
    pairs = [(mask, each.mask(shape)) for mask, each in zip(organ.mask, after, strict=True)]
    both, total = sum(int((a & b).sum()) for a, b in pairs), sum(int(a.sum() + b.sum()) for a, b in pairs)
    dsc = 2 * both / total
    words = f"{name}: {points[1]} of {points[0]} contour points are left, DSC {dsc:.4f} with what it was"
    return [Finding("contour_simplified", words, name, dsc, 1.0)]
