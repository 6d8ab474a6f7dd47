"""What `rtseg check` does: look into a folder, tell what is there, whether its CT can be contoured, and what is odd about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtseg.core import Finding, Geometry, RtsegError
from rtseg.dicom.find_series import FolderScan, scan_folder
from rtseg.dicom.series import planning_ct_of
from rtseg.dicom.stack import largest_gap


@dataclass(frozen=True)
class SeriesRow:
    """One series of the folder; ``left_out`` tells why it is not a planning CT, None if it may be."""

    modality: str
    series_instance_uid: str
    images: int
    description: str
    left_out: str | None


@dataclass(frozen=True)
class GridSummary:
    """The chosen CT in plain numbers: voxels, mm, LPS; ``has_hole``: `contour` asks for permission to go on."""

    slices: int
    rows: int
    columns: int
    row_spacing_mm: float
    column_spacing_mm: float
    smallest_gap_mm: float
    largest_gap_mm: float
    has_hole: bool
    centre_mm: tuple[float, float, float]
    size_mm: tuple[float, float, float]
    slice_direction: tuple[float, float, float]
    row_direction: tuple[float, float, float]
    column_direction: tuple[float, float, float]
    lowest_hu: float
    highest_hu: float


@dataclass(frozen=True)
class CheckResult:
    """What was found in a folder. Either ``grid`` or ``error`` is there: the CT was read, or the words why not."""

    name: str
    series: tuple[SeriesRow, ...]
    other_files: int
    grid: GridSummary | None
    findings: tuple[Finding, ...]
    error: str | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: plain dicts, lists, numbers and texts."""
        return asdict(self)


def check_folder(folder: Path, series: str | None = None) -> CheckResult:
    """Looks into ``folder`` and reads its planning CT, voxels included, exactly as `contour` would.

    Raises nothing that a user can mend: such an error stands in the result's ``error``.
    """
    try:
        scan = scan_folder(folder)
    except RtsegError as error:
        return CheckResult(folder.name, (), 0, None, (), str(error))
    rows = tuple(
        SeriesRow(found.modality, found.uid, len(found.headers), found.description, found.left_out) for found in scan.series
    )
    others = len(scan.not_dicom) + len(scan.broken)
    try:
        name, grid, findings = _read(scan, series)
    except RtsegError as error:
        return CheckResult(folder.resolve().name, rows, others, None, (), str(error))
    return CheckResult(name, rows, others, grid, findings, None)


def _read(scan: FolderScan, series: str | None) -> tuple[str, GridSummary, tuple[Finding, ...]]:
    ct = planning_ct_of(scan, series)
    hu = ct.volume.array
    return ct.name, _summary(ct.volume.geometry, float(hu.min()), float(hu.max())), ct.findings


def _summary(geometry: Geometry, lowest_hu: float, highest_hu: float) -> GridSummary:
    gaps, worst = np.diff(geometry.positions), largest_gap(geometry)
    faces = geometry.slice_faces
    size = (faces[-1] - faces[0], *(n * mm for n, mm in zip(geometry.shape[1:], geometry.pixel_spacing, strict=True)))
    return GridSummary(
        *geometry.shape,
        *geometry.pixel_spacing,
        smallest_gap_mm=float(gaps.min()),
        largest_gap_mm=float(gaps.max()),
        has_hole=worst is not None and worst.is_hole,
        centre_mm=_three(geometry.corners().mean(axis=0)),
        size_mm=_three(size),
        slice_direction=_three(geometry.direction[0]),
        row_direction=_three(geometry.direction[2]),
        column_direction=_three(geometry.direction[1]),
        lowest_hu=lowest_hu,
        highest_hu=highest_hu,
    )


def _three(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
