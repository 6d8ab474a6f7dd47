"""Patient and study of a CT in what is made from it: copied as they are, in a character set that holds our own words too."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from pydicom import DataElement, Dataset, config
from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding

MAY_BE_EMPTY = (
    *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "PositionReferenceIndicator"),
)
"""Attributes of the CT that must be there, if only empty (type 2)."""

UNICODE = "ISO_IR 192"
"""UTF-8, for names that the CT's character set cannot spell."""


def add_identity(dataset: Dataset, header: Dataset, ours: Sequence[str]) -> None:
    """Patient, study and frame of reference as the CT has them; in UTF-8 if its character set cannot spell what is ours."""
    for element in header:
        dataset[element.tag] = deepcopy(element)
    for keyword in MAY_BE_EMPTY:
        if keyword not in dataset:
            setattr(dataset, keyword, None)
    if not can_spell(header.get("SpecificCharacterSet"), ours):
        respell(dataset)


def respell(dataset: Dataset) -> None:
    """Turn every text of a data set, its items' too, into UTF-8."""
    _respell_texts(dataset)
    dataset.SpecificCharacterSet = UNICODE


def _respell_texts(dataset: Dataset) -> None:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _respell_texts(item)
        elif element.VR == "PN" and element.value:  # holds the bytes of the old character set
            names = [str(name) for name in (element.value if element.VM > 1 else [element.value])]
            dataset[element.tag] = DataElement(element.tag, "PN", names, validation_mode=config.IGNORE)
        elif element.keyword == "SpecificCharacterSet":
            element.value = UNICODE


def can_spell(character_set: str | Sequence[str] | None, texts: Sequence[str]) -> bool:
    """Whether each text can be written in one of the character sets and read again; without any, in ASCII (ISO-IR 6)."""
    if all(text.isascii() for text in texts):
        return True
    sets = [character_set] if isinstance(character_set, str) else list(character_set or ())
    codecs = [python_encoding[s] for s in sets if s in python_encoding and s not in ("", "ISO_IR 6", "ISO 2022 IR 6")]
    return all(any(_fits(text, codec) for codec in codecs) and _comes_back(text, sets) for text in texts)


def _fits(text: str, codec: str) -> bool:
    try:
        return text.encode(codec).decode(codec) == text
    except UnicodeError:
        return False


def _comes_back(text: str, character_sets: Sequence[str]) -> bool:
    """Python's codecs know more letters than the standard's sets (kanji beside ISO_IR 13): what the file would hold counts."""
    encodings = convert_encodings(list(character_sets))
    return decode_bytes(encode_string(text, encodings), encodings, set()) == text
