"""Opens DICOM files of any soundness: what an attribute claims to be long is never believed, and all errors have one list."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, FileDataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

PARSE_ERRORS = (
    *(OSError, EOFError, ValueError, LookupError, AttributeError, TypeError, RuntimeError, ArithmeticError, AssertionError),
    *(struct.error, zlib.error, BytesLengthException, InvalidDicomError),
)
"""What pydicom lets out when a file breaks off or does not keep to the encoding."""

MARK_AT, MARK = 128, b"DICM"
"""Where a file with a preamble says that it is DICOM."""

TRUSTED_BYTES = 2**16
"""Shorter values are read as they come; a longer one is first held against the size of the file."""


Source = Path | BinaryIO
"""A file, or a binary file object that is read from its start."""


def read_data_set(source: Source, *, only: Sequence[str] = (), pixels: bool = True) -> FileDataset:
    """The data set of a DICOM file, with or without preamble: all of it, or ``only`` some keywords, up to the ``pixels``.

    Raises one of PARSE_ERRORS.
    """
    with opened(source) as file:
        return dcmread(file, force=True, stop_before_pixels=not pixels, specific_tags=list(only) or None)


def opened(source: Source) -> BinaryIO:
    """The bytes of a file, or of what a file object holds. Raises OSError."""
    if isinstance(source, Path):
        return _File(source)
    source.seek(0)
    return io.BytesIO(source.read())


def name_of(source: Source) -> str:
    """What a message calls it."""
    return str(source) if isinstance(source, Path) else "the structure set"


def read_file_meta(source: Source) -> Dataset:
    """The file meta information alone, whatever follows it. Raises one of PARSE_ERRORS."""
    with opened(source) as file:
        start = file.read(MARK_AT + len(MARK))
        if not start.endswith(MARK):
            file.seek(0)
        return read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_after_meta)


def words_of(error: Exception) -> str:
    """What one of PARSE_ERRORS says, fit for a message: pydicom quotes bytes that may be a patient's name."""
    if isinstance(error, BytesLengthException):
        return "a number has the wrong count of bytes"
    return str(error) or type(error).__name__


class _File(io.BufferedReader):
    """A file that sets no memory aside for more than it holds: an attribute may claim a length of 4 GB."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(str(path)))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > TRUSTED_BYTES:
            size = min(size, max(self._size - self.tell(), 0))
        return super().read(size)


def _after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2
