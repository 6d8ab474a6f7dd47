"""What the reader needs to know of one DICOM file before its pixels: read once, quickly, kept as plain text and numbers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset, config
from pydicom.dataelem import RawDataElement
from pydicom.uid import (
    UID,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
)

from rtseg.core import InputError
from rtseg.dicom.data_set import MARK, MARK_AT, PARSE_ERRORS, read_data_set, read_file_meta, words_of

TEXTS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "ImageType",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "FrameOfReferenceUID",
    "PatientPosition",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "NumberOfFrames",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "LossyImageCompression",
)
"""Text attributes of a header; numbers among them stay in the file's own spelling."""

INTEGERS = ("Rows", "Columns", "SamplesPerPixel", "BitsStored", "HighBit")
"""Attributes of unsigned 16-bit integers."""

LONGEST_SHOWN = 102
"""Characters: six decimal strings of 16 and what parts them; names and UIDs have 64."""

MULTIFRAME_CT = frozenset((EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage))
"""SOP classes that hold several CT slices in one file."""


@dataclass(frozen=True)
class SliceHeader:
    """One DICOM object of a folder, without pixels.

    texts and integers hold what was there, by DICOM keyword; ``transfer_syntax_uid`` is guessed if the file has no
    file meta information (``has_meta`` False); ``description`` is SeriesDescription in plain characters.
    """

    path: Path
    texts: Mapping[str, tuple[str, ...]]
    integers: Mapping[str, int]
    transfer_syntax_uid: str
    has_meta: bool
    description: str

    def text(self, keyword: str) -> str:
        """The attribute's (first) value; empty if it is missing or empty."""
        return self.texts.get(keyword, ("",))[0]

    def numbers(self, keyword: str, count: int) -> tuple[float, ...]:
        """The attribute as ``count`` finite numbers. Raises InputError naming the file if it is missing or something else."""
        found = self.texts.get(keyword, ())
        try:
            values = tuple(float(text) for text in found)
        except ValueError:
            values = ()
        if len(values) != count or not all(math.isfinite(value) for value in values):
            is_what = f"is {shown(chr(92).join(found))!r}" if any(found) else "is missing"
            raise InputError(
                f"{keyword} {is_what} in {self.path}: {count} finite numbers were expected. "
                "Export the series again from the scanner or archive, or remove the file if it is no slice of the CT."
            )
        return values

    @property
    def is_multiframe_ct(self) -> bool:
        return self.text("SOPClassUID") in MULTIFRAME_CT

    @property
    def class_name(self) -> str:
        """The SOP class in the standard's words."""
        return shown(_name(self.text("SOPClassUID"))) or "object without SOP class"


def read_header(path: Path) -> SliceHeader | None:
    """The header of a DICOM file, None if the file is something else. Pixels are not read.

    A file without preamble is read if it begins like a data set and names its SOP class.
    Raises InputError for a DICOM file that breaks off or cannot be parsed, and for one that may not be opened.
    """
    wanted = [*TEXTS, *INTEGERS, "SeriesDescription"]
    try:
        with path.open("rb") as file:
            start = file.read(MARK_AT + len(MARK))
        marked = start[MARK_AT:] == MARK
        if not marked and start[:2] not in (b"\x08\x00", b"\x02\x00", b"\x00\x08"):
            return None
        with warnings.catch_warnings():  # what matters of a value is checked where it is used
            warnings.simplefilter("ignore")
            data = read_data_set(path, only=wanted, pixels=False)
            return _header(path, data) if marked or "SOPClassUID" in data else None
    except PARSE_ERRORS as error:
        raise InputError(_unreadable(path, error)) from error


def shown(text: str) -> str:
    """A text of a file as it may stand in a message.

    One that is too long or not printable has swallowed the attributes that follow it, a patient's name perhaps.
    """
    return text if len(text) <= LONGEST_SHOWN and text.isprintable() else "(unreadable)"


def sop_class_of_broken(path: Path) -> str:
    """The SOP class UID that the file meta information of an otherwise unreadable file names; empty if not even that."""
    return _meta_text(path, "MediaStorageSOPClassUID")


def syntax_name(uid: str) -> str:
    """A transfer syntax in words, with its UID."""
    name = _name(uid)
    return f"{name} ({uid})" if name != uid else uid or "unknown"


def _header(path: Path, data: Dataset) -> SliceHeader:
    meta: Dataset = data.file_meta
    syntax = str(meta.get("TransferSyntaxUID", ""))
    texts = {word: values for word in TEXTS if (values := _texts(data, word)) is not None}
    if not _is_known(texts.get("SOPClassUID", ("",))[0]):  # cut off early, or wrong: file meta information has it too
        texts["SOPClassUID"] = (str(meta.get("MediaStorageSOPClassUID", "")),)
    return SliceHeader(
        path=path,
        texts=texts,
        integers={word: value for word in INTEGERS if (value := _integer(data, word)) is not None},
        transfer_syntax_uid=syntax or _guessed_syntax(data),
        has_meta=bool(syntax),
        description=shown(str(data.get("SeriesDescription") or "")),
    )


def _name(uid: str) -> str:
    """The standard's name of a UID, the UID itself if it has none."""
    return UID(uid, validation_mode=config.IGNORE).name


def _is_known(uid: str) -> bool:
    return _name(uid) != uid


def _guessed_syntax(data: Dataset) -> str:
    implicit, little_endian = data.original_encoding
    if implicit:
        return str(ImplicitVRLittleEndian)
    return str(ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian)


def _texts(data: Dataset, keyword: str) -> tuple[str, ...] | None:
    """Values as the file spells them, None if the attribute is not there."""
    if keyword not in data:
        return None
    value = data.get_item(keyword).value
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return tuple(part.strip(" \0") for part in text.split("\\"))


def _integer(data: Dataset, keyword: str) -> int | None:
    element: Any = data.get_item(keyword) if keyword in data else None
    if isinstance(element, RawDataElement) and isinstance(element.value, bytes) and len(element.value) >= 2:
        return int.from_bytes(element.value[:2], "little" if element.is_little_endian else "big")
    return None


def _meta_text(path: Path, keyword: str) -> str:
    """An attribute of the file meta information, empty if not even that can be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(read_file_meta(path).get(keyword, ""))
        except PARSE_ERRORS:
            return ""


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"{path} may not be opened: give yourself the right to read it"
    if isinstance(error, OSError) and error.strerror:
        return f"{path} cannot be read: {error.strerror}. Copy it anew, or see to the disk or network that holds it."
    uid = _meta_text(path, "TransferSyntaxUID")
    syntax = f" Its transfer syntax is {syntax_name(uid)}." if uid else ""
    return (
        f"{path} is a DICOM file that cannot be read: it breaks off or does not keep to its encoding ({words_of(error)})."
        f"{syntax} It may be a slice of the CT: copy or export it again, or remove it if it is not needed."
    )
