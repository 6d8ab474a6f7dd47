"""Reads the planning CT of a folder: find the series, stack its slices, copy its identity, decode its voxels."""

from __future__ import annotations

from pathlib import Path

from rtseg.core import Volume
from rtseg.core.printable import printable
from rtseg.dicom.ct_findings import header_findings, voxel_findings
from rtseg.dicom.find_series import FolderScan, SeriesFound, choose_series, left_out_findings, scan_folder
from rtseg.dicom.identity import must_agree, series_identity
from rtseg.dicom.pixels import read_hu
from rtseg.dicom.planning_ct import CtGrid, PlanningCT
from rtseg.dicom.stack import stack_slices


def read_planning_ct(folder: Path, series: str | None = None) -> PlanningCT:
    """The planning CT below ``folder`` in HU, slices ascending along their normal, with identity and findings.

    ``series`` chooses among several CT series by its UID or a unique ending of it. Any orientation and uneven slices
    are read in their true place; what is unusual stands in ``findings`` (kinds: ``ct_findings.KINDS``).
    The array is int16 where HU are whole, else float32.

    Raises InputError (no CT, several, broken, incomplete or contradicting files, undecodable pixels) and
    GeometryError (mixed orientations, doubled slices, gantry tilt), each naming file and remedy.
    """
    return planning_ct_of(scan_folder(folder), series)


def read_ct_grid(folder: Path, series: str | None = None) -> CtGrid:
    """Grid and identity of the planning CT below ``folder`` from headers alone: no pixel is read.

    Same choice and refusals as ``read_planning_ct``, save those about pixels.
    """
    return series_grid(choose_series(scan_folder(folder), series))


def series_grid(found: SeriesFound) -> CtGrid:
    """As ``read_ct_grid``, for a series that has been found already."""
    must_agree(found.headers)
    stack = stack_slices(found.headers)
    return CtGrid(stack.geometry, series_identity(stack.headers)[0])


def planning_ct_of(scan: FolderScan, series: str | None = None) -> PlanningCT:
    """As ``read_planning_ct``, for a folder that has been scanned already."""
    chosen = choose_series(scan, series)
    must_agree(chosen.headers)
    stack = stack_slices(chosen.headers)
    identity, about_identity = series_identity(stack.headers)
    hu, about_pixels = read_hu(stack.headers)
    findings = (
        *left_out_findings(scan, chosen),
        *header_findings(stack),
        *about_identity,
        *about_pixels,
        *voxel_findings(hu),
    )
    name = printable(f"{scan.folder.resolve().name} ...{chosen.tail}")
    return PlanningCT(Volume(hu, stack.geometry), identity, findings, name)
