"""A planning CT as a command is given it: a DICOM folder, or a NIfTI file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rtseg.core import GeometryError
from rtseg.dicom import PlanningCT
from rtseg.dicom.find_series import scan_folder
from rtseg.dicom.series import planning_ct_of
from rtseg.dicom.stack import largest_gap
from rtseg.jobs.nifti_ct import is_nifti, read_nifti_ct


def read_ct(
    source: Path, series: str | None = None, *, files: Sequence[Path] | None = None, allow_gaps: bool = False
) -> PlanningCT:
    """The planning CT; one from NIfTI has no identity. files: those of a DICOM CT, where they are known already.

    Raises GeometryError if slices are missing and ``allow_gaps`` is false, InputError if it cannot be read.
    """
    if is_nifti(source):
        return read_nifti_ct(source)
    ct = planning_ct_of(scan_folder(source, files), series)
    gap = largest_gap(ct.volume.geometry)
    if gap is not None and gap.is_hole and not allow_gaps:
        raise GeometryError(
            f"{source}: slices are missing: a gap of {gap.gap_mm:.1f} mm beside slices {gap.neighbour_mm:.1f} mm apart. "
            "Export the series again, or go on all the same with --allow-gaps."
        )
    return ct
