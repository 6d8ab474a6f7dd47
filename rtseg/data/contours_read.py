"""Contours of one patient in any form, read onto one grid and called by their organs' names."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from rtseg.core import Finding, Geometry, GeometryError, InputError, Structure, StructureSet, Volume, bounding_box
from rtseg.data.contour_sources import ContourSource, Form
from rtseg.data.mask_folder import on_grid, read_masks
from rtseg.data.organ_names import OrganNames
from rtseg.dicom.rtstruct_reader import read_rtstruct
from rtseg.dicom.series import series_grid
from rtseg.imaging import resample

HALF = 0.5
"""A resampled mask is where half of a voxel or more of it lies."""


@dataclass(frozen=True, eq=False)
class ContoursRead:
    """Organs on one grid. An organ without a voxel was looked for and is absent; labels: organ -> what the source calls it."""

    organs: StructureSet
    labels: dict[str, str]
    findings: tuple[Finding, ...] = ()
    resampled: bool = False


def read_contours(source: ContourSource, names: OrganNames) -> ContoursRead:
    """The contours on their own grid, by TG-263 names; a label that means no organ known keeps its own.

    Raises an RtsegError if they cannot be read, and InputError where two labels with voxels mean one organ.
    """
    structures, findings = _read(source)
    labels = _labels(structures, names, source)
    organs = {organ: structures[label] for organ, label in labels.items()}
    kept = tuple(finding for finding in findings if finding.organ is None or finding.organ in labels.values())
    return ContoursRead(StructureSet(structures.geometry, organs), labels, kept)


def on_common_grid(read: ContoursRead, grid: Geometry, called: str, *, resampling: bool) -> ContoursRead:
    """The contours on ``grid``: as they are if it is theirs, however its axes lie; else resampled, if that was asked for.

    Raises GeometryError showing both grids if it was not.
    """
    own = read.organs.geometry
    if own.same_as(grid):
        return read
    try:
        turned = {name: Structure.from_full(on_grid(_volume(read, name), grid, called) > 0) for name in read.organs}
        return ContoursRead(StructureSet(grid, turned), read.labels, read.findings)
    except GeometryError as error:
        if not resampling:
            raise GeometryError(
                f"{called} lies on another grid than the reference: {described(own)} against {described(grid)}. "
                "Ask for resampling (--resample), or bring both onto one grid first"
            ) from error
    moved = {name: Structure.from_full(_resampled(_volume(read, name), grid)) for name in read.organs}
    return ContoursRead(StructureSet(grid, moved), read.labels, read.findings, resampled=True)


def described(grid: Geometry) -> str:
    """A grid in words: voxels, spacing, and the first voxel's place, all (slices, rows, columns) but the last, which is LPS."""
    gaps = np.diff(grid.positions)
    spacing = "one slice" if not len(gaps) else f"{gaps.mean():.4g}" if grid.is_regular else f"{gaps.min():.4g}-{gaps.max():.4g}"
    rows, columns = grid.pixel_spacing
    first = ", ".join(f"{mm:.2f}" for mm in grid.points((0, 0, 0)))
    return f"{' x '.join(map(str, grid.shape))} voxels of {spacing} x {rows:.4g} x {columns:.4g} mm from ({first}) mm"


def _read(source: ContourSource) -> tuple[StructureSet, tuple[Finding, ...]]:
    if source.form is Form.RTSTRUCT:
        if source.ct is None:
            raise InputError(f"{source.path}: on which CT? Name its folder with --ct")
        contents = read_rtstruct(source.path, series_grid(source.ct))
        return contents.structures, contents.findings
    if source.form is Form.MASKS:
        return read_masks(source.path), ()
    assert source.case is not None
    case = source.case.read()
    organs = [name for name in case.contoured if name in case.structures]
    return case.structures.subset(organs), ()


def _labels(structures: StructureSet, names: OrganNames, source: ContourSource) -> dict[str, str]:
    """Organ -> label. Of several labels for one organ the only one with voxels counts."""
    meant: dict[str, list[str]] = defaultdict(list)
    for label in structures:
        organ = names.organ(label) if names.knows(label) else label
        if organ is not None:
            meant[organ].append(label)
    for organ, labels in meant.items():
        drawn = [label for label in labels if not structures[label].is_empty]
        if len(drawn) > 1:
            raise InputError(
                f"{source.path}: {' and '.join(map(repr, drawn))} both mean {organ}; "
                "name the wrong one null in a file of names (--map)"
            )
        meant[organ] = drawn or labels
    return {organ: labels[0] for organ, labels in meant.items()}


def _volume(read: ContoursRead, name: str) -> Volume:
    return Volume(read.organs.mask(name).array, read.organs.geometry)


def _resampled(mask: Volume, grid: Geometry) -> np.ndarray:
    image = Volume(mask.array.astype(np.float32), mask.geometry)
    return np.asarray(resample(image, grid, outside=0.0).array >= HALF)


def is_cut(structure: Structure, grid: Geometry) -> bool:
    """Whether an organ reaches the edge of the scan: some of it may lie beyond."""
    box = bounding_box(structure.mask)
    if box is None:
        return False
    return any(
        side.start + first == 0 or side.stop + first == n
        for side, first, n in zip(box, structure.offset, grid.shape, strict=True)
    )
