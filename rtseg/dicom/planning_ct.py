"""A planning CT as it came from the scanner: its voxels, and the identity that a structure set must copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from rtseg.core import Finding, Volume


@dataclass(frozen=True)
class SliceIdentity:
    """One image of the series, as an RTSTRUCT refers to it.

    position_text: the three numbers of ImagePositionPatient as the file spells them, so that a contour's
    plane is the slice's own, rounded once, when it is written. frame is the 1-based frame of a multi-frame image, else None.
    """

    sop_class_uid: str
    sop_instance_uid: str
    position_text: tuple[str, str, str]
    path: Path
    frame: int | None = None


@dataclass(frozen=True)
class SeriesIdentity:
    """Everything of a CT series that an RTSTRUCT copies or refers to.

    header holds the patient, study, frame-of-reference and institution attributes of the first slice, verbatim
    (RTSTRUCT.md 2.5: charset, patient, study, de-identification, InstitutionName, PositionReferenceIndicator).
    slices stand in the order of the volume's slices; series_number is the CT's, as the file spells it, empty if it has none.
    """

    header: Dataset
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    slices: tuple[SliceIdentity, ...]
    series_number: str = ""


@dataclass(frozen=True, eq=False)
class PlanningCT:
    """A planning CT in HU with what was noticed while reading it.

    identity is None for a CT without DICOM (NIfTI): the same road, but masks come out instead of an RTSTRUCT.
    name is safe for logs and reports: never the patient's name or ID.
    """

    volume: Volume
    identity: SeriesIdentity | None
    findings: tuple[Finding, ...]
    name: str
