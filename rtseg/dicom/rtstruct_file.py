"""What stands in an RTSTRUCT file, whoever wrote it: ROIs by number, contours as undecoded text.

Values are taken from the raw bytes and judged here, so that files with unlawful numbers, wrong lengths or VRs are read too.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, Sequence
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.uid import RTStructureSetStorage

from rtseg.core import InputError
from rtseg.dicom.data_set import PARSE_ERRORS, read_data_set, words_of
from rtseg.dicom.decimal_text import FAR_MM
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


def load_rtstruct(path: Path) -> RtstructFile:
    """Reads the file. Any transfer syntax, with or without preamble; a wrong charset costs letters, not the file.

    Raises InputError if it cannot be read, is no DICOM file or no RTSTRUCT, or has no ROI.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's remarks on unlawful spelling; what matters is judged here
            dataset = read_data_set(path)
            if _text(dataset, "SOPClassUID") != RTStructureSetStorage and _text(dataset, "Modality") != "RTSTRUCT":
                found = shown(_text(dataset, "Modality") or "no modality")
                raise InputError(f"{path} is not an RTSTRUCT (it says: {found}). Name a structure set file.")
            rois, patient_id, series = _rois(dataset), decoded_text(dataset, "PatientID"), _series(dataset)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}. Copy or export it again, or see to your right to read it."
        ) from error
    except PARSE_ERRORS as error:
        raise InputError(f"{path} is not a whole DICOM file ({words_of(error)}). Export it again.") from error
    if not rois:
        raise InputError(f"{path} is an RTSTRUCT without any ROI. Name another structure set, or export it again.")
    return RtstructFile(patient_id, series, rois)


def decoded_text(dataset: Dataset, keyword: str) -> str:
    """Text in its character set, without blanks and NUL at its ends; a backslash in it stays. Empty if the element is absent."""
    value = dataset.get(keyword) or ""
    parts = value if isinstance(value, MultiValue) else [value]
    return "\\".join(str(part) for part in parts).strip("\0 ")


def _rois(dataset: Dataset) -> tuple[RoiItems, ...]:
    """ROIs by number over the three sequences; the first mention of a number names it, contours of all mentions count."""
    named = _by_number(dataset, "StructureSetROISequence", "ROINumber")
    drawn = _by_number(dataset, "ROIContourSequence", "ReferencedROINumber")
    observed = _by_number(dataset, "RTROIObservationsSequence", "ReferencedROINumber")
    frames = [_text(item, "FrameOfReferenceUID") for item in _items(dataset, "ReferencedFrameOfReferenceSequence")]
    frame = _text(dataset, "FrameOfReferenceUID") or (frames[0] if frames else None)
    nothing: list[Dataset] = [Dataset()]
    return tuple(
        _roi(n, named.get(n, nothing)[0], observed.get(n, nothing)[0], drawn.get(n, []), frame) for n in {**named, **drawn}
    )


def _by_number(dataset: Dataset, sequence: str, number: str) -> dict[int, list[Dataset]]:
    """The items of a sequence by the ROI number in them; items without a readable number belong to no ROI."""
    found: dict[int, list[Dataset]] = {}
    for item in _items(dataset, sequence):
        if (value := _int(item, number)) is not None:
            found.setdefault(value, []).append(item)
    return found


def _roi(number: int, named: Dataset, observed: Dataset, drawn: list[Dataset], frame: str | None) -> RoiItems:
    return RoiItems(
        number,
        decoded_text(named, "ROIName") or f"ROI {number}",
        _text(observed, "RTROIInterpretedType") or None,
        _colour(drawn[0]) if drawn else None,
        _text(named, "ReferencedFrameOfReferenceUID") or frame,
        tuple(_contour(item) for roi in drawn for item in _items(roi, "ContourSequence")),
    )


def _contour(item: Dataset) -> ContourItem:
    images = (_text(image, "ReferencedSOPInstanceUID") for image in _items(item, "ContourImageSequence"))
    return ContourItem(
        (_text(item, "ContourGeometricType") or "").upper(),
        _raw(item, "ContourData"),
        _int(item, "NumberOfContourPoints"),
        tuple(uid for uid in images if uid),
    )


def _colour(item: Dataset) -> tuple[int, int, int] | None:
    try:
        red, green, blue = (int(float(part)) for part in _raw(item, "ROIDisplayColor").strip(b"\0 ").split(b"\\"))
    except ValueError:
        return None
    return red, green, blue


def _series(dataset: Dataset) -> frozenset[str]:
    """The series the structure set says it was drawn on."""
    found = (
        _text(series, "SeriesInstanceUID")
        for frame in _items(dataset, "ReferencedFrameOfReferenceSequence")
        for study in _items(frame, "RTReferencedStudySequence")
        for series in _items(study, "RTReferencedSeriesSequence")
    )
    return frozenset(uid for uid in found if uid)


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    value = dataset.get(keyword)
    return list(value) if isinstance(value, Sequence) else []


def _raw(dataset: Dataset, keyword: str) -> bytes:
    """The bytes of an element as they stand in the file; empty if it is absent or empty."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset:
        return b""
    element = dataset.get_item(tag)
    value = element.value if isinstance(element, RawDataElement) else str(element.value).encode()
    return value if isinstance(value, bytes) else b""


def _text(dataset: Dataset, keyword: str) -> str | None:
    """Text without blanks and NUL at its ends; None if the element is absent."""
    return _raw(dataset, keyword).decode("latin-1").strip("\0 ") if keyword in dataset else None


def _int(dataset: Dataset, keyword: str) -> int | None:
    try:
        return int(float(_raw(dataset, keyword).strip(b"\0 ")))
    except (ValueError, OverflowError):
        return None
