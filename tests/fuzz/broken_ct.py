"""CT series that are broken on purpose, each made anew from its number alone: bytes, attributes, lengths, cuts, files."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import gdcm
import numpy as np
from pydicom import Dataset, FileMetaDataset, Sequence, dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SLICES, ROWS, COLUMNS = 4, 12, 16

IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".1.99"))

COMPRESSED = {
    "1.2.840.10008.1.2.5": gdcm.TransferSyntax.RLELossless,
    "1.2.840.10008.1.2.4.70": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "1.2.840.10008.1.2.4.80": gdcm.TransferSyntax.JPEGLSLossless,
    "1.2.840.10008.1.2.4.90": gdcm.TransferSyntax.JPEG2000Lossless,
}
SYNTAXES = (*(EXPLICIT, IMPLICIT) * 3, *(BIG_ENDIAN, DEFLATED) * 2, *COMPRESSED)
"""The usual ones more often."""

START = 132
"""After preamble and DICM."""

LENGTHS = (0, 1, 3, 7, 0x7F, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)

WORDS = (
    *(
        b"",
        b" ",
        b"0",
        b"-1",
        b"1",
        b"2",
        b"1e400",
        b"-1e308",
        b"1e-320",
        b"nan",
        b"inf",
        b"9" * 40,
        b"0x10",
        b"1,5",
        b"\\",
        b"\\" * 40,
    ),
    *(b"1\\2\\3", b"0\\0\\0\\0\\0\\0", b"1\\0\\0\\0\\0\\1", b"1e300\\1e300\\1e300", b"A" * 70, b"A" * 70000, b"\xff\xfe\xfd\xfc"),
    *(b"\x00" * 4, b"\xff" * 8, b"\n\r\t\x1b[31m", "Größe".encode(), b"\x1b$B", b"ISO_IR 192", b"ISO 2022 IR 87", b"HFS", b"RGB"),
    *(b"PALETTE COLOR", b"YBR_FULL_422", b"MONOCHROME1", b"CT", b"RTSTRUCT", b"ORIGINAL\\PRIMARY\\LOCALIZER", b"1.2.3"),
    *(CTImageStorage.encode(), b"1.2.840.10008.5.1.4.1.1.2.1", *(uid.encode() for uid in SYNTAXES), b"1.2.840.10008.1.2.4.100"),
)
"""Texts that do not belong where they are put."""

NUMBERS = (0, 1, 2, 3, 7, 8, 12, 15, 16, 17, 32, 64, 255, 4096, 0x7FFF, 0x8000, 0xFFFF)
"""Values for attributes of 16 bits."""

WANTED = (
    *(0x00020010, 0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x00100010, 0x00100020, 0x0020000D, 0x0020000E),
    *(0x00200032, 0x00200037, 0x00200052, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280030, 0x00280100),
    *(0x00280101, 0x00280102, 0x00280103, 0x00281052, 0x00281053, 0x7FE00010),
)
"""Attributes that reading a CT depends on: spoilt more often than others."""

LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
"""Value representations with a length of 32 bits in explicit encoding."""


@dataclass(frozen=True)
class Element:
    """Where an attribute stands in a file; ``size`` bytes of length end at ``value``."""

    tag: int
    start: int
    value: int
    end: int
    size: int
    order: str
    explicit: bool


def write_broken_series(number: int, folder: Path) -> str:
    """Write the broken series of this number into ``folder``; returns what was done to it."""
    rng = random.Random(number)
    syntax = rng.choice(SYNTAXES)
    files = list(whole_series(syntax))
    done = [syntax]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if rng.random() < 0.1:
            done.append(_spoil_series(rng, files))
            continue
        way = rng.choice(WAYS)
        hit = range(len(files)) if rng.random() < 0.5 else [rng.randrange(len(files))]
        seed = rng.random()
        for i in hit:  # the same change to each
            files[i] = _spoil(files[i], syntax, way, random.Random(seed))
        done.append(f"{way.__name__.strip('_')} in {len(hit)}")
    for i, content in enumerate(files):
        (folder / f"{i}.dcm").write_bytes(content)
    return ", ".join(done)


def broken_file(number: int, content: bytes) -> tuple[bytes, str]:
    """One file, explicit little endian, broken as this number says; and what was done to it."""
    rng = random.Random(number)
    ways = [rng.choice(WAYS) for _ in range(rng.choice((1, 1, 2, 3)))]
    for way in ways:
        content = _spoil(content, EXPLICIT, way, rng)
    return content, ", ".join(way.__name__.strip("_") for way in ways)


@cache
def whole_series(syntax: str) -> tuple[bytes, ...]:
    return tuple(_whole_slice(i, syntax) for i in range(SLICES))


def _whole_slice(i: int, syntax: str) -> bytes:
    data = Dataset()
    data.SpecificCharacterSet, data.PatientName, data.PatientID = "ISO_IR 192", "Änne^Ω=山田", "SECRET"
    data.ImageType, data.SOPClassUID, data.SOPInstanceUID = ["ORIGINAL", "PRIMARY", "AXIAL"], CTImageStorage, f"1.2.3.{i + 1}"
    data.StudyDate, data.Modality, data.SeriesDescription, data.PatientBirthDate = "20260101", "CT", "tiny", "19500102"
    item, code = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3.9"
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113100", "DCM", "Basic Profile"
    data.ReferencedImageSequence, data.DeidentificationMethodCodeSequence = Sequence([item]), Sequence([code])
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "1.2.4", "1.2.5", "1.2.6"
    data.PatientPosition, data.SeriesNumber, data.InstanceNumber = "HFS", "2", str(i + 1)
    data.ImagePositionPatient, data.ImageOrientationPatient = ["-10.5", "-20", f"{2.5 * i}"], ["1", "0", "0", "0", "1", "0"]
    data.PixelSpacing, data.Rows, data.Columns = ["1.5", "1.25"], ROWS, COLUMNS
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "-1024", "1", "HU"
    private = data.private_block(0x0029, "FUZZ", create=True)
    private.add_new(1, "SQ", [item])
    voxels = np.random.default_rng(i).integers(0, 2000, (ROWS, COLUMNS), dtype=np.uint16)
    data.PixelData = voxels.astype(">u2" if syntax == BIG_ENDIAN else "<u2").tobytes()
    data["PixelData"].VR = "OW"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax in COMPRESSED else syntax
    target = BytesIO()
    data.save_as(target, enforce_file_format=True)
    return _compressed(target.getvalue(), COMPRESSED[syntax]) if syntax in COMPRESSED else target.getvalue()


def _compressed(content: bytes, syntax: int) -> bytes:
    """The same slice in a compressed transfer syntax; pydicom alone cannot make all of them."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        before, after = f"{folder}/a", f"{folder}/b"
        Path(before).write_bytes(content)
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(before)
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
        change.SetInput(reader.GetImage())
        assert change.Change()
        data = dcmread(before)
        writer.SetFileName(after)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        packed = dcmread(after)
        data.PixelData, data.file_meta.TransferSyntaxUID = packed.PixelData, packed.file_meta.TransferSyntaxUID
        data["PixelData"].VR = "OB"
        target = BytesIO()
        data.save_as(target, enforce_file_format=True)
        return target.getvalue()


def elements(content: bytes, syntax: str) -> list[Element]:
    """The attributes of a file from the start of its meta information, items of sequences not entered."""
    found, at, order, explicit = [], START, "<", True
    while at + 12 <= len(content):
        group = struct.unpack_from("<H", content, at)[0]
        if group != 2:  # the data set begins
            order, explicit = (">" if syntax == BIG_ENDIAN else "<"), syntax != IMPLICIT
        tag = int.from_bytes(b"".join(struct.pack(">H", n) for n in struct.unpack_from(f"{order}HH", content, at)), "big")
        long = not explicit or bytes(content[at + 4 : at + 6]) in LONG
        value = at + (12 if explicit and long else 8)
        length = struct.unpack_from(f"{order}I" if long else f"{order}H", content, value - (4 if long else 2))[0]
        end = len(content) if length == 0xFFFFFFFF or value + length > len(content) else value + length
        found.append(Element(tag, at, value, end, 4 if long else 2, order, explicit))
        at = end
    return found


Way = Callable[[bytearray, random.Random, str], bytes]


def _spoil(content: bytes, syntax: str, way: Way, rng: random.Random) -> bytes:
    if len(content) < START + 16:
        return content
    if syntax != DEFLATED or rng.random() < 0.3:
        return bytes(way(bytearray(content), rng, syntax))
    meta_end = START + 12 + int.from_bytes(content[START + 8 : START + 12], "little")
    try:
        plain = zlib.decompress(content[meta_end:], -zlib.MAX_WBITS)
    except zlib.error:
        return content
    spoilt = bytes(way(bytearray(content[:meta_end] + plain), rng, EXPLICIT))
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return spoilt[:meta_end] + packer.compress(spoilt[meta_end:]) + packer.flush()


def _some(content: bytearray, rng: random.Random, syntax: str) -> Element:
    """An attribute; every other time one of those that matter."""
    there = elements(content, syntax)
    matter = [element for element in there if element.tag in WANTED]
    return rng.choice(matter if matter and rng.random() < 0.6 else there)


def _bytes(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    for _ in range(rng.choice((1, 2, 5, 20, 100))):
        content[rng.randrange(START, len(content))] = rng.randrange(256)
    return content


def _bit(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    content[rng.randrange(START, len(content))] ^= 1 << rng.randrange(8)
    return content


def _pixels(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    last = elements(content, syntax)[-1]
    for _ in range(rng.choice((1, 5, 50))):
        if last.value < len(content):
            content[rng.randrange(last.value, len(content))] = rng.randrange(256)
    return content


def _cut(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    return content[: rng.randrange(len(content))]


def _hole(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    at, size = rng.randrange(START, len(content)), rng.choice((1, 2, 8, 64))
    return content[:at] + content[at + size :]


def _noise(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    at, size = rng.randrange(START, len(content)), rng.choice((1, 2, 8, 64, 1000))
    return content[:at] + rng.randbytes(size) + content[at:]


def _again(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    at, size = rng.randrange(START, len(content)), rng.choice((8, 64, 1000))
    return content[: at + size] + content[at:]


def _zeros(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    at, size = rng.randrange(START, len(content)), rng.choice((2, 8, 64, 1000))
    return content[:at] + bytes(min(size, len(content) - at)) + content[at + size :]


def _value(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    element = _some(content, rng, syntax)
    short = element.end - element.value == 2
    text = struct.pack(f"{element.order}H", rng.choice(NUMBERS)) if short and rng.random() < 0.9 else rng.choice(WORDS)
    text += b" " * (len(text) % 2 if rng.random() < 0.9 else 1)
    if element.size == 2:
        text = text[:0xFFFE]
    length = struct.pack(f"{element.order}{'I' if element.size == 4 else 'H'}", len(text))
    return content[: element.value - element.size] + length + text + content[element.end :]


def _length(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    element = _some(content, rng, syntax)
    length = struct.pack("<I", rng.choice(LENGTHS))[: element.size]
    content[element.value - element.size : element.value] = length if element.order == "<" else length[::-1]
    return content


def _kind(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    element = _some(content, rng, syntax)
    if element.explicit:
        kinds = (b"SQ", b"UN", b"OB", b"OW", b"US", b"DS", b"IS", b"UI", b"PN", b"AT", b"FD", b"UT", b"??", b"\0\0", b"XX")
        content[element.start + 4 : element.start + 6] = rng.choice(kinds)
    return content


def _removed(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    element = _some(content, rng, syntax)
    return content[: element.start] + content[element.end :]


def _doubled(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    element, other = _some(content, rng, syntax), _some(content, rng, syntax)
    return content[: other.start] + content[element.start : element.end] + content[other.start :]


def _renamed(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    element, other = _some(content, rng, syntax), _some(content, rng, syntax)
    content[element.start : element.start + 4] = content[other.start : other.start + 4]
    return content


def _swapped(content: bytearray, rng: random.Random, syntax: str) -> bytes:
    """The value of one attribute in another."""
    element, other = _some(content, rng, syntax), _some(content, rng, syntax)
    text = content[other.value : other.end][:0xFFFE]
    length = struct.pack(f"{element.order}{'I' if element.size == 4 else 'H'}", len(text))
    return content[: element.value - element.size] + length + text + content[element.end :]


WAYS: tuple[Way, ...] = (
    *(_bytes, _bytes, _bit, _bit, _pixels, _cut, _hole, _noise, _again, _zeros),
    *(_value, _value, _value, _value, _length, _length, _kind, _removed, _doubled, _renamed, _swapped),
)


def _spoil_series(rng: random.Random, files: list[bytes]) -> str:
    """Change the series as a whole."""

    def other_syntax() -> Iterator[bytes]:
        return iter(whole_series(rng.choice(SYNTAXES)))

    what = rng.choice(("slice removed", "slice twice", "empty file", "junk file", "slices of two syntaxes", "bare data set"))
    at = rng.randrange(len(files))
    if what == "slice removed":
        del files[at]
        files += [] if files else [b""]
    elif what == "slice twice":
        files.append(files[at])
    elif what == "empty file":
        files.append(b"")
    elif what == "junk file":
        files.append(rng.choice((b"", bytes(128) + b"DICM", b"\x08\x00")) + rng.randbytes(rng.choice((1, 10, 1000))))
    elif what == "slices of two syntaxes":
        for i, content in enumerate(other_syntax()):
            if i % 2 and i < len(files):
                files[i] = content
    else:
        files[:] = [content[START:] for content in files]
    return what
