"""What `rtseg check` does: look at a folder or a NIfTI file, tell what is there, what is odd, and whether it can be contoured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtseg.core import Finding, RtsegError
from rtseg.dicom import PlanningCT
from rtseg.dicom.find_series import Told, scan_folder
from rtseg.dicom.series import planning_ct_of
from rtseg.dicom.slice_header import shown
from rtseg.dicom.stack import largest_gap
from rtseg.jobs.nifti_ct import is_nifti, read_nifti_ct


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
    """What was found in a folder, or in a NIfTI file, which has no series.

    Either ``grid`` or ``error`` is there: the CT was read, or the words why not.
    """

    name: str
    series: tuple[SeriesRow, ...]
    other_files: int
    grid: GridSummary | None
    findings: tuple[Finding, ...]
    error: str | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: plain dicts, lists, numbers and texts."""
        return asdict(self)


def check_ct(source: Path, series: str | None = None, told: Told | None = None) -> CheckResult:
    """Looks into ``source`` and reads its planning CT, voxels included, exactly as `contour` would; ``told`` hears of each file.

    Raises nothing that a user can mend: such an error stands in the result's ``error``.
    """
    return _check_nifti(source) if is_nifti(source) else _check_folder(source, series, told)


def _check_nifti(file: Path) -> CheckResult:
    try:
        ct = read_nifti_ct(file)
    except RtsegError as error:
        return CheckResult(file.name, (), 0, None, (), str(error))
    return CheckResult(ct.name, (), 0, _summary(ct), ct.findings, None)


def _check_folder(folder: Path, series: str | None, told: Told | None) -> CheckResult:
    try:
        scan = scan_folder(folder, told=told)
    except RtsegError as error:
        return CheckResult(folder.name, (), 0, None, (), str(error))
    rows = tuple(
        SeriesRow(found.modality, shown(found.uid), len(found.headers), found.description, found.left_out)
        for found in scan.series
    )
    others = len(scan.not_dicom) + len(scan.broken)
    try:
        ct = planning_ct_of(scan, series)
    except RtsegError as error:
        return CheckResult(folder.resolve().name, rows, others, None, (), str(error))
    return CheckResult(ct.name, rows, others, _summary(ct), ct.findings, None)


def _summary(ct: PlanningCT) -> GridSummary:
    geometry, hu = ct.volume.geometry, ct.volume.array
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
        lowest_hu=float(hu.min()),
        highest_hu=float(hu.max()),
    )


def _three(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
