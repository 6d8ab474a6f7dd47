"""A planning CT from a NIfTI file: without identity, held to the same findings as far as they apply."""

from __future__ import annotations

from pathlib import Path

from rtseg.core import InputError
from rtseg.data import read_nifti
from rtseg.dicom import PlanningCT
from rtseg.dicom.ct_findings import geometry_findings, voxel_findings

NIFTI = (".nii", ".nii.gz")


def is_nifti(source: Path) -> bool:
    """Whether the CT is a NIfTI file, which has no DICOM identity."""
    return source.name.endswith(NIFTI) and not source.is_dir()


def read_nifti_ct(file: Path) -> PlanningCT:
    """The CT with what is unusual about its grid and its values.

    Raises InputError if the file cannot be read, does not tell its orientation or holds a single slice; GeometryError if
    it shears.
    """
    volume = read_nifti(file)
    if volume.geometry.shape[0] < 2:
        raise InputError(f"{file} holds a single slice: two at least are needed. Write the whole CT into one file.")
    findings = (*geometry_findings(volume.geometry), *voxel_findings(volume.array))
    return PlanningCT(volume, None, findings, file.name.split(".nii")[0])
