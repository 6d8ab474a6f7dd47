"""A planning CT as it came from the scanner: its voxels, and the identity that a structure set must copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydicom import Dataset

from rtseg.core import Finding, Geometry, GeometryError, InputError, Volume


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


class CtGrid(NamedTuple):
    """All that a structure set needs to know of its CT: where the voxels lie, and what to refer to. No pixels."""

    geometry: Geometry
    identity: SeriesIdentity


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

    @property
    def grid(self) -> CtGrid:
        """Raises InputError for a CT without DICOM identity, GeometryError unless each slice has one image."""
        if self.identity is None:
            raise InputError("a structure set needs a CT read from DICOM: this one has no identity to refer to")
        slices, images = self.volume.geometry.shape[0], len(self.identity.slices)
        if images != slices:
            raise GeometryError(f"the CT has {slices} slices, but {images} images to refer to")
        return CtGrid(self.volume.geometry, self.identity)


def grid_of(ct: PlanningCT | CtGrid) -> CtGrid:
    """The grid of a CT that may have been read with or without its pixels. Raises as ``PlanningCT.grid``."""
    return ct.grid if isinstance(ct, PlanningCT) else ct
