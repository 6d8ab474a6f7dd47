"""What stands in an RTSTRUCT file, whoever wrote it: ROIs by number, contours as undecoded text.

Values are taken from the raw bytes and judged here, so that files with unlawful numbers, wrong lengths or VRs are read too.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import RTStructureSetStorage

from rtseg.core import InputError
from rtseg.dicom.data_set import PARSE_ERRORS, Source, name_of, read_data_set, words_of
from rtseg.dicom.decimal_text import FAR_MM
from rtseg.dicom.raw_items import decoded_text, items, plain_text, raw_bytes, whole_number
from rtseg.dicom.slice_header import shown

CONTOUR_BYTES = 64 * 2**20
"""Longest ContourData that is read, bytes: some two million points on one plane, a hundred times a whole noise slice."""

CLOSED_KINDS = frozenset(("CLOSED_PLANAR", "CLOSEDPLANAR_XOR"))
"""Contour Geometric Types that enclose something (PS3.3 C.8.8.6.1); a loop without any type is taken as closed."""


@dataclass(frozen=True)
class ContourItem:
    """One contour: its Contour Geometric Type (empty if absent), the text of ContourData, the number of points said to be
    in it, the images it says it lies on."""

    kind: str
    data: bytes
    count: int | None
    images: tuple[str, ...]

    @property
    def is_closed(self) -> bool:
        return self.kind in CLOSED_KINDS or not self.kind

    def points(self) -> NDArray[np.float64] | None:
        """(n, 3) LPS points, mm; None if the text is not whole triples of numbers within FAR_MM, or longer than CONTOUR_BYTES."""
        text = self.data.strip(b"\0 \\")
        if not text:
            return np.zeros((0, 3))
        if len(text) > CONTOUR_BYTES:
            return None
        try:
            numbers = np.array([float(part) for part in text.split(b"\\")])
        except ValueError:
            return None
        return numbers.reshape(-1, 3) if len(numbers) % 3 == 0 and (np.abs(numbers) <= FAR_MM).all() else None


@dataclass(frozen=True)
class RoiItems:
    """What the three sequences say about one ROI; None where they do not."""

    number: int
    name: str
    interpreted_type: str | None
    colour: tuple[int, int, int] | None
    frame_of_reference_uid: str | None
    contours: tuple[ContourItem, ...]


@dataclass(frozen=True)
class RtstructFile:
    """A structure set as it stands in the file; rois in the order of their first mention."""

    patient_id: str
    series: frozenset[str]
    rois: tuple[RoiItems, ...]


def load_rtstruct(source: Source) -> RtstructFile:
    """Reads the file, or what a binary file object holds: any transfer syntax, with or without preamble.

    A wrong character set costs letters, not the file.

    Raises InputError if it cannot be read, is no DICOM file or no RTSTRUCT, or has no ROI.
    """
    path = name_of(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's remarks on unlawful spelling; what matters is judged here
            return rtstruct_of(read_data_set(source), path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}. Copy or export it again, or see to your right to read it."
        ) from error
    except PARSE_ERRORS as error:
        raise InputError(f"{path} is not a whole DICOM file ({words_of(error)}). Export it again.") from error


def rtstruct_of(dataset: Dataset, name: str) -> RtstructFile:
    """What stands in a data set that has been read; name: what a message calls it.

    Raises InputError if it is no RTSTRUCT or has no ROI, one of PARSE_ERRORS where it does not keep to its encoding.
    """
    if plain_text(dataset, "SOPClassUID") != RTStructureSetStorage and plain_text(dataset, "Modality") != "RTSTRUCT":
        found = shown(plain_text(dataset, "Modality") or "no modality")
        raise InputError(f"{name} is not an RTSTRUCT (it says: {found}). Name a structure set file.")
    rois, patient_id, series = _rois(dataset), decoded_text(dataset, "PatientID"), _series(dataset)
    if not rois:
        raise InputError(f"{name} is an RTSTRUCT without any ROI. Name another structure set, or export it again.")
    return RtstructFile(patient_id, series, rois)


def _rois(dataset: Dataset) -> tuple[RoiItems, ...]:
    """ROIs by number over the three sequences; the first mention of a number names it, contours of all mentions count."""
    named = _by_number(dataset, "StructureSetROISequence", "ROINumber")
    drawn = _by_number(dataset, "ROIContourSequence", "ReferencedROINumber")
    observed = _by_number(dataset, "RTROIObservationsSequence", "ReferencedROINumber")
    frames = [plain_text(item, "FrameOfReferenceUID") for item in items(dataset, "ReferencedFrameOfReferenceSequence")]
    frame = plain_text(dataset, "FrameOfReferenceUID") or (frames[0] if frames else None)
    nothing: list[Dataset] = [Dataset()]
    return tuple(
        _roi(n, named.get(n, nothing)[0], observed.get(n, nothing)[0], drawn.get(n, []), frame) for n in {**named, **drawn}
    )


def _by_number(dataset: Dataset, sequence: str, number: str) -> dict[int, list[Dataset]]:
    """The items of a sequence by the ROI number in them; items without a readable number belong to no ROI."""
    found: dict[int, list[Dataset]] = {}
    for item in items(dataset, sequence):
        if (value := whole_number(item, number)) is not None:
            found.setdefault(value, []).append(item)
    return found


def _roi(number: int, named: Dataset, observed: Dataset, drawn: list[Dataset], frame: str | None) -> RoiItems:
    return RoiItems(
        number,
        decoded_text(named, "ROIName") or f"ROI {number}",
        plain_text(observed, "RTROIInterpretedType") or None,
        _colour(drawn[0]) if drawn else None,
        plain_text(named, "ReferencedFrameOfReferenceUID") or frame,
        tuple(_contour(item) for roi in drawn for item in items(roi, "ContourSequence")),
    )


def _contour(item: Dataset) -> ContourItem:
    images = (plain_text(image, "ReferencedSOPInstanceUID") for image in items(item, "ContourImageSequence"))
    return ContourItem(
        (plain_text(item, "ContourGeometricType") or "").upper(),
        raw_bytes(item, "ContourData"),
        whole_number(item, "NumberOfContourPoints"),
        tuple(uid for uid in images if uid),
    )


def _colour(item: Dataset) -> tuple[int, int, int] | None:
    try:
        red, green, blue = (int(float(part)) for part in raw_bytes(item, "ROIDisplayColor").strip(b"\0 ").split(b"\\"))
    except ValueError:
        return None
    return red, green, blue


def _series(dataset: Dataset) -> frozenset[str]:
    """The series the structure set says it was drawn on."""
    found = (
        plain_text(series, "SeriesInstanceUID")
        for frame in items(dataset, "ReferencedFrameOfReferenceSequence")
        for study in items(frame, "RTReferencedStudySequence")
        for series in items(study, "RTReferencedSeriesSequence")
    )
    return frozenset(uid for uid in found if uid)
