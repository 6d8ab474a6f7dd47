"""Voxels of a CT in Hounsfield units, from native or compressed pixel data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Finding, InputError
from rtseg.dicom.data_set import PARSE_ERRORS, words_of
from rtseg.dicom.decoding import Decoder, Stored
from rtseg.dicom.slice_header import SliceHeader, syntax_name

EXACT = np.iinfo(np.int16)
"""Whole HU in this range are kept as int16; anything else as float32."""


def read_hu(headers: Sequence[SliceHeader]) -> tuple[NDArray[np.int16] | NDArray[np.float32], tuple[Finding, ...]]:
    """(slices, rows, columns) HU in the order of ``headers``, and findings (``odd_pixels``) about their encoding.

    int16 where every value is whole and fits, else float32. Each slice has its own slope and intercept
    (PS3.3 C.11.1.1.2); missing ones count as 1 and 0.
    Raises InputError naming the file for pixel data that are missing, cut off or in a syntax that cannot be decoded.
    """
    shape = (len(headers), headers[0].integers["Rows"], headers[0].integers["Columns"])
    hu: NDArray[np.int16] | NDArray[np.float32] = np.empty((0,), dtype=np.int16)
    noticed: dict[str, list[str]] = {}
    with Decoder() as decoder:
        for i, header in enumerate(headers):
            stored, remarks = _stored(header, decoder)
            for remark in (*remarks, *_odd_bits(header)):
                noticed.setdefault(remark, []).append(header.path.name)
            if stored.shape != shape[1:]:
                raise InputError(
                    f"{header.path} holds pixels of shape {stored.shape}, {shape[1:]} were announced: export it again"
                )
            values = _rescaled(stored, header)
            if i == 0:  # not before a slice was seen to be as large as it claims
                hu = np.empty(shape, dtype=np.int16)
            if hu.dtype == np.int16 and not _is_exact(values):
                hu = hu.astype(np.float32)
            hu[i] = values
    findings = [Finding("odd_pixels", f"{len(names)} slices (first {names[0]}): {remark}") for remark, names in noticed.items()]
    return hu, tuple(findings)


def _stored(header: SliceHeader, decoder: Decoder) -> Stored:
    """Stored values of one file, and what the decoder remarked on them."""
    try:
        return decoder.stored_values(header.path, header.transfer_syntax_uid)
    except PARSE_ERRORS as error:
        lines = words_of(error).splitlines()
        why = " ".join(line.strip(" \t.") for line in lines[: 2 if lines[0].endswith(":") else 1])
        raise InputError(
            f"the pixels of {header.path} cannot be read, transfer syntax {syntax_name(header.transfer_syntax_uid)}: "
            f"{why}. If the file is cut off, copy it again; else export it uncompressed (Explicit VR Little Endian)."
        ) from error


def _odd_bits(header: SliceHeader) -> Iterator[str]:
    """A remark if the values may not stand in the lowest bits (PS3.5 8.1.1 wants them there)."""
    bits, highest = header.integers.get("BitsStored"), header.integers.get("HighBit")
    if bits is not None and highest is not None and highest != bits - 1:
        yield f"HighBit is {highest}, {bits - 1} was expected for {bits} bits: the lowest bits were taken, HU may be wrong"


def _rescaled(stored: NDArray[np.generic], header: SliceHeader) -> NDArray[np.float64]:
    slope = header.numbers("RescaleSlope", 1)[0] if header.text("RescaleSlope") else 1.0
    intercept = header.numbers("RescaleIntercept", 1)[0] if header.text("RescaleIntercept") else 0.0
    if slope == 0:
        raise InputError(f"RescaleSlope is 0 in {header.path}: all voxels would be equal. Export the series again.")
    return stored.astype(np.float64) * slope + intercept


def _is_exact(values: NDArray[np.float64]) -> bool:
    return bool(values.min() >= EXACT.min and values.max() <= EXACT.max and (values == np.rint(values)).all())
