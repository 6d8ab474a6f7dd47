"""Values of a data set as they stand in the file: unlawful numbers, lengths and VRs are for whoever asks to judge."""

from __future__ import annotations

from pydicom import Dataset, Sequence
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue


def decoded_text(dataset: Dataset, keyword: str) -> str:
    """Text in its character set, without blanks and NUL at its ends; a backslash in it stays. Empty if the element is absent."""
    value = dataset.get(keyword) or ""
    parts = value if isinstance(value, MultiValue) else [value]
    return "\\".join(str(part) for part in parts).strip("\0 ")


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    value = dataset.get(keyword)
    return list(value) if isinstance(value, Sequence) else []


def raw_bytes(dataset: Dataset, keyword: str) -> bytes:
    """The bytes of an element as they stand in the file; empty if it is absent or empty."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset:
        return b""
    element = dataset.get_item(tag)
    value = element.value if isinstance(element, RawDataElement) else str(element.value).encode()
    return value if isinstance(value, bytes) else b""


def plain_text(dataset: Dataset, keyword: str) -> str | None:
    """Text without blanks and NUL at its ends; None if the element is absent."""
    return raw_bytes(dataset, keyword).decode("latin-1").strip("\0 ") if keyword in dataset else None


def whole_number(dataset: Dataset, keyword: str) -> int | None:
    try:
        return int(float(raw_bytes(dataset, keyword).strip(b"\0 ")))
    except (ValueError, OverflowError):
        return None
