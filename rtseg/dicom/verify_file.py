"""Checks 1 to 3 of a structure set: the file, how its values are encoded, and which attributes have to be there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence
from pydicom.uid import RTStructureSetStorage

from rtseg.dicom.data_set import MARK, MARK_AT, opened
from rtseg.dicom.raw_items import items, plain_text, raw_bytes
from rtseg.dicom.verify_terms import Look, Noticed

LONGEST = {"SH": 16, "LO": 64, "UI": 64, "CS": 16, "AE": 16, "PN": 64, "DS": 16, "IS": 12}
"""Most characters of a value by its VR (PS3.5 6.2); of PN in each component group."""

NUMBERS = {"IS": rb" *[+-]?\d{1,12} *", "UI": rb"[0-9.]*\0?"}
LONGEST_TEXT = 2**20
"""Values of more bytes are contours: they are looked at on their own."""

ONE, TWO = 1, 2
"""Types of attributes (PS3.5 7.4): there with a value; there, if only empty."""

MODULES: dict[str, dict[str, int]] = {
    "Patient": {"PatientName": TWO, "PatientID": TWO, "PatientBirthDate": TWO, "PatientSex": TWO},
    "General Study": {
        "StudyInstanceUID": ONE,
        **dict.fromkeys(("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"), TWO),
    },
    "RT Series": {"Modality": ONE, "SeriesInstanceUID": ONE, "SeriesNumber": TWO, "OperatorsName": TWO},
    "General Equipment": {"Manufacturer": TWO},
    "Structure Set": {
        "StructureSetLabel": ONE,
        "StructureSetDate": TWO,
        "StructureSetTime": TWO,
        "StructureSetROISequence": ONE,
    },
    "ROI Contour": {"ROIContourSequence": ONE},
    "RT ROI Observations": {"RTROIObservationsSequence": ONE},
    "SOP Common": {"SOPClassUID": ONE, "SOPInstanceUID": ONE},
}
"""Attributes of the RT Structure Set IOD (PS3.3 A.19) that have to be there."""

OUR_MODULES: dict[str, dict[str, int]] = {
    "Frame of Reference": {"FrameOfReferenceUID": ONE, "PositionReferenceIndicator": TWO},
    "Structure Set": {"ReferencedFrameOfReferenceSequence": ONE},
    "Approval": {"ApprovalStatus": ONE},
}
"""What newer editions ask for too, and every reader is glad of: in other makers' files a warning."""

ITEMS: dict[str, dict[str, int]] = {
    "StructureSetROISequence": {
        "ROINumber": ONE,
        "ReferencedFrameOfReferenceUID": ONE,
        "ROIName": TWO,
        "ROIGenerationAlgorithm": TWO,
    },
    "ROIContourSequence": {"ReferencedROINumber": ONE},
    "RTROIObservationsSequence": {
        "ObservationNumber": ONE,
        "ReferencedROINumber": ONE,
        "RTROIInterpretedType": TWO,
        "ROIInterpreter": TWO,
    },
}
"""The same of the items of its sequences (PS3.3 C.8.8.5, C.8.8.6, C.8.8.8)."""


def file_defects(look: Look) -> Iterator[Noticed]:
    """Check 1: a DICOM file with good file meta information (PS3.10 7.1)."""
    with opened(look.source) as file:
        start = file.read(MARK_AT + len(MARK) + 12)
    if start[MARK_AT : MARK_AT + len(MARK)] != MARK:
        yield Noticed("verify_file", "the file has no preamble with the mark DICM")
        return
    meta = look.dataset.file_meta
    for keyword in (
        "FileMetaInformationGroupLength",
        "FileMetaInformationVersion",
        "TransferSyntaxUID",
        "ImplementationClassUID",
    ):
        if keyword not in meta:
            yield Noticed("verify_file", f"{keyword} is missing in the file meta information")
    for of_meta, of_data in (("MediaStorageSOPClassUID", "SOPClassUID"), ("MediaStorageSOPInstanceUID", "SOPInstanceUID")):
        if plain_text(meta, of_meta) != plain_text(look.dataset, of_data):
            yield Noticed("verify_file", f"{of_meta} of the file meta information is not the {of_data}")
    claimed = int.from_bytes(start[-4:], "little") if start[-12:-4] == b"\2\0\0\0UL\4\0" else None
    if claimed is not None and (found := _meta_bytes(look)) != claimed:
        yield Noticed("verify_file", f"the file meta information has {found} bytes, but says {claimed}")


def _meta_bytes(look: Look) -> int:
    """Bytes of the file meta information behind its group length: up to the first element of another group."""
    with opened(look.source) as file:
        file.seek(MARK_AT + len(MARK) + 12)
        total = 0
        while (head := file.read(8)) and head[:2] == b"\2\0":
            is_long = head[4:6] in (b"OB", b"OW", b"SQ", b"UN", b"UT")
            length = int.from_bytes(file.read(4), "little") if is_long else int.from_bytes(head[6:8], "little")
            total += 8 + 4 * is_long + length
            file.seek(length, 1)
    return total


def encoding_defects(look: Look) -> Iterator[Noticed]:
    """Check 2: class, modality, and every value no longer than its kind allows."""
    if plain_text(look.dataset, "SOPClassUID") != RTStructureSetStorage:
        yield Noticed("verify_encoding", "the SOP class is not RT Structure Set Storage")
    if plain_text(look.dataset, "Modality") != "RTSTRUCT":
        yield Noticed("verify_encoding", f"the modality is {plain_text(look.dataset, 'Modality')!r}, not RTSTRUCT")
    if look.is_ours and plain_text(look.dataset.file_meta, "TransferSyntaxUID") != "1.2.840.10008.1.2":
        yield Noticed("verify_encoding", "the transfer syntax is not implicit VR little endian")
    unlawful = {(keyword, why): count for (keyword, why), count in _counted(_unlawful(look.dataset)).items()}
    of_ct = {keyword for keyword, _ in _unlawful(look.ct.identity.header)}
    for (keyword, why), count in unlawful.items():
        words = f"{keyword} {why}" + (f" ({count} times)" if count > 1 else "")
        yield Noticed("verify_encoding", words, is_defect=keyword not in of_ct)  # identity before tidiness


def _counted(pairs: Iterator[tuple[str, str]]) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for pair in pairs:
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def _unlawful(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(keyword, what is wrong) of every value in a data set and its items that its VR does not allow; private ones aside."""
    for tag in list(dataset.keys()):
        if tag.is_private:
            continue
        keyword = keyword_for_tag(tag)
        element = dataset.get_item(tag)
        if keyword == "ContourData":
            if element.VR == "UN":
                yield keyword, "has the VR UN: many readers lose it"
            continue
        if isinstance(value := dataset[tag].value if _is_sequence(element, keyword) else None, Sequence):
            for item in value:
                yield from _unlawful(item)
        elif keyword and (why := _why_unlawful(dictionary_VR(tag), raw_bytes(dataset, keyword))):
            yield keyword, why


def _is_sequence(element: object, keyword: str) -> bool:
    vr = getattr(element, "VR", None)
    return vr == "SQ" or (vr in (None, "UN") and keyword.endswith("Sequence")) or not isinstance(element, RawDataElement)


def _why_unlawful(vr: str, raw: bytes) -> str | None:
    longest = LONGEST.get(vr)
    if longest is None or not raw or len(raw) > LONGEST_TEXT:
        return None
    for part in raw.split(b"\\"):
        text = part.strip(b" \0")
        if vr == "PN":
            if max(len(_letters(group)) for group in text.split(b"=")) > longest:
                return f"is longer than {longest} characters"
        elif len(_letters(text)) > longest:
            return f"is longer than {longest} characters"
        if vr in NUMBERS and not re.fullmatch(NUMBERS[vr], part) and text:
            return f"is not spelt as {vr} wants"
        if vr == "IS" and text and not -(2**31) <= int(text) < 2**31:
            return "is beyond 32 bits"
    return None


def _letters(text: bytes) -> str:
    """Characters, not bytes: in UTF-8 a letter has several."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def module_defects(look: Look) -> Iterator[Noticed]:
    """Check 3: the attributes that have to be there, in the data set and in the items of its sequences."""
    for module, attributes in MODULES.items():
        yield from _missing(look.dataset, attributes, f"of the module {module} ", is_defect=True)
    for module, attributes in OUR_MODULES.items():
        yield from _missing(look.dataset, attributes, f"of the module {module} ", is_defect=look.is_ours)
    for sequence, attributes in ITEMS.items():
        for item in items(look.dataset, sequence):
            yield from _missing(item, attributes, f"in an item of {sequence} ", is_defect=True)


def _missing(dataset: Dataset, attributes: dict[str, int], where: str, *, is_defect: bool) -> Iterator[Noticed]:
    for keyword, kind in attributes.items():
        if keyword not in dataset:
            yield Noticed("verify_modules", f"{keyword} {where}is missing", is_defect=is_defect)
        elif kind == ONE and not (items(dataset, keyword) if keyword.endswith("Sequence") else raw_bytes(dataset, keyword)):
            yield Noticed("verify_modules", f"{keyword} {where}is empty", is_defect=is_defect)
