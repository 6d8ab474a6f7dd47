"""What an RTSTRUCT says of itself, without its contours: enough to tell which CT it belongs to and which of several counts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from rtseg.core import InputError
from rtseg.dicom.data_set import PARSE_ERRORS, read_data_set
from rtseg.dicom.raw_items import decoded_text
from rtseg.dicom.rtstruct_file import load_rtstruct

ATTRIBUTES = (
    *("SpecificCharacterSet", "SOPInstanceUID", "Manufacturer", "ApprovalStatus", "StructureSetLabel"),
    *("StructureSetDate", "StructureSetTime", "InstanceCreationDate", "InstanceCreationTime"),
)

AFTER_CONTOURS = "RTROIObservationsSequence"
"""Every structure set has it (type 1, PS3.3 C.8.8.8), right behind its contours: a file cut off within them is read without
an error otherwise, and organs would miss slices."""


@dataclass(frozen=True)
class DrawnRoi:
    """One ROI of a structure set: how many closed contours it has, and its frame of reference, None if the file has none."""

    number: int
    name: str
    contours: int
    frame_of_reference_uid: str | None


@dataclass(frozen=True)
class StructureSetFile:
    """An RTSTRUCT in short. ``approval``: APPROVED, UNAPPROVED, REJECTED or empty; ``when``: digits of date and time, to compare;
    ``series``: the series it says it was drawn on.
    """

    path: Path
    sop_instance_uid: str
    label: str
    when: str
    approval: str
    manufacturer: str
    patient_id: str
    series: frozenset[str]
    rois: tuple[DrawnRoi, ...]

    @property
    def is_approved(self) -> bool:
        return self.approval == "APPROVED"

    @property
    def frames(self) -> frozenset[str]:
        """The frames of reference its ROIs lie in."""
        return frozenset(roi.frame_of_reference_uid for roi in self.rois if roi.frame_of_reference_uid)


def read_structure_set_file(path: Path) -> StructureSetFile:
    """Read one. Raises InputError if it is not an RTSTRUCT, cannot be read, has no ROI, or breaks off within its contours."""
    file = load_rtstruct(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's remarks on unlawful spelling
            about = read_data_set(path, only=(*ATTRIBUTES, AFTER_CONTOURS))
            texts = {word: decoded_text(about, word) for word in ATTRIBUTES}
    except PARSE_ERRORS as error:
        raise InputError(f"{path} is not a whole DICOM file ({error}). Export it again.") from error
    if AFTER_CONTOURS not in about:
        raise InputError(f"{path} lacks {AFTER_CONTOURS}, which follows the contours: it breaks off. Copy or export it again.")
    rois = (
        DrawnRoi(roi.number, roi.name, sum(contour.is_closed for contour in roi.contours), roi.frame_of_reference_uid)
        for roi in file.rois
    )
    return StructureSetFile(
        path=path,
        sop_instance_uid=texts["SOPInstanceUID"],
        label=texts["StructureSetLabel"],
        when=_when(texts),
        approval=texts["ApprovalStatus"].upper(),
        manufacturer=texts["Manufacturer"],
        patient_id=file.patient_id,
        series=file.series,
        rois=tuple(rois),
    )


def _when(texts: dict[str, str]) -> str:
    """YYYYMMDDHHMMSS of the structure set, of the file's making where it does not say; empty if neither does."""
    for kind in ("StructureSet", "InstanceCreation"):
        date = "".join(c for c in texts[f"{kind}Date"] if c.isdigit())
        time = "".join(c for c in texts[f"{kind}Time"].partition(".")[0] if c.isdigit())
        if date:
            return f"{date}{time:0<6}"
    return ""
