"""Files that once brought the reader down, each named after what it did. Found by tests/fuzz."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from fuzz.broken_ct import EXPLICIT, SYNTAXES, Element, elements, whole_series
from fuzz.worker import structure_set_reader

from rtseg.core import InputError
from rtseg.dicom import read_planning_ct
from rtseg.dicom.decoding import Decoder, stored_values
from rtseg.dicom.rtstruct_file import load_rtstruct

JPEG_LOSSLESS, JPEG_LS, JPEG_2000 = (f"1.2.840.10008.1.2.4.{n}" for n in (70, 80, 90))


def write(folder: Path, syntax: str = EXPLICIT) -> list[Path]:
    paths = [folder / f"{i}.dcm" for i in range(4)]
    for path, content in zip(paths, whole_series(syntax), strict=True):
        path.write_bytes(content)
    return paths


def where(content: bytes, tag: int, syntax: str = EXPLICIT) -> Element:
    return next(element for element in elements(content, syntax) if element.tag == tag)


def put(path: Path, tag: int, value: bytes) -> None:
    """Replace the value of an attribute, whatever its kind wants; explicit little endian, short length."""
    content = path.read_bytes()
    at = where(content, tag)
    path.write_bytes(content[: at.value - 2] + struct.pack("<H", len(value)) + value + content[at.end :])


@contextmanager
def memory_of_at_most(size: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("syntax", dict.fromkeys(SYNTAXES))
def test_the_unbroken_series_is_read_in_every_syntax(tmp_path: Path, syntax: str) -> None:
    write(tmp_path, syntax)
    ct = read_planning_ct(tmp_path)
    stored = np.stack([np.random.default_rng(i).integers(0, 2000, (12, 16), dtype=np.uint16) for i in range(4)])
    np.testing.assert_array_equal(ct.volume.array, stored.astype(int) - 1024)
    assert ct.findings == ()


@pytest.mark.parametrize("tag", [0x0020000D, 0x7FE00010])
def test_a_length_of_2_gb_sets_no_memory_aside(tmp_path: Path, tag: int) -> None:
    path = write(tmp_path)[2]
    content = bytearray(path.read_bytes())
    at = where(bytes(content), tag)
    if at.size == 2:  # a kind with a long length
        content[at.start + 4 : at.value] = b"UN\0\0" + struct.pack("<I", 0x7FFFFFFE)
    else:
        content[at.value - 4 : at.value] = struct.pack("<I", 0x7FFFFFFE)
    path.write_bytes(content)
    with memory_of_at_most(20_000_000), suppress(InputError):  # pixels to the end of the file are whole all the same
        read_planning_ct(tmp_path)


def test_a_claim_of_65535_rows_sets_no_memory_aside(tmp_path: Path) -> None:
    for path in write(tmp_path):
        put(path, 0x00280010, b"\xff\xff")
        put(path, 0x00280011, b"\xff\xff")
    with memory_of_at_most(20_000_000), pytest.raises(InputError, match=r"the pixels of .*0\.dcm cannot be read"):
        read_planning_ct(tmp_path)


@pytest.mark.parametrize("tag", [0x00020000, 0x00280101, 0x00280103])
def test_a_number_of_three_bytes_is_named(tmp_path: Path, tag: int) -> None:
    put(write(tmp_path)[1], tag, b"Doe")
    with pytest.raises(InputError, match=r"1\.dcm") as refused:
        read_planning_ct(tmp_path)
    assert "Doe" not in str(refused.value)


def test_a_patient_id_that_claims_to_be_a_number_is_refused_without_being_told(tmp_path: Path) -> None:
    for path in write(tmp_path):
        content = bytearray(path.read_bytes())
        at = where(bytes(content), 0x00100020)
        content[at.start + 4 : at.start + 6] = b"FD"
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"patient and study of .*0\.dcm cannot be read.*Copy or export") as refused:
        read_planning_ct(tmp_path)
    assert "SECRET" not in str(refused.value)


def test_a_text_that_swallowed_the_patient_is_not_told(tmp_path: Path) -> None:
    """The SOP class claims to reach to the end of the patient module."""
    for path in write(tmp_path):
        content = bytearray(path.read_bytes())
        at, last = where(bytes(content), 0x00020002), where(bytes(content), 0x00100030)
        content[at.value - 2 : at.value] = struct.pack("<H", last.end - at.value)
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"\(unreadable\)") as refused:
        read_planning_ct(tmp_path)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("text", [b"RGB ", b"1.2.840.1000\x18.1.2.1", b"\xff\xfe\xfd\xfc"])
def test_a_transfer_syntax_that_is_none_is_refused_without_a_warning(tmp_path: Path, text: bytes) -> None:
    put(write(tmp_path)[0], 0x00020010, text)
    with pytest.raises(InputError, match=r"0\.dcm"):
        read_planning_ct(tmp_path)


def test_meta_information_without_preamble_is_read(tmp_path: Path) -> None:
    for path in write(tmp_path):
        path.write_bytes(path.read_bytes()[132:])
    assert read_planning_ct(tmp_path).volume.geometry.shape == (4, 12, 16)


def test_a_decoder_that_crashes_takes_nothing_with_it(tmp_path: Path) -> None:
    """GDCM 3.2 ends the process over this JPEG 2000 file: a C++ exception that nothing catches."""
    paths = write(tmp_path, JPEG_2000)
    content = bytearray(paths[1].read_bytes())
    content[where(bytes(content), 0x7FE00010, JPEG_2000).value + 58] = 0xFF
    paths[1].write_bytes(content)
    with pytest.raises(InputError, match=r"pixels of .*1\.dcm cannot be read, transfer syntax JPEG 2000.*export it uncompressed"):
        read_planning_ct(tmp_path)


def test_decoding_goes_on_after_a_crash(tmp_path: Path) -> None:
    paths = write(tmp_path, JPEG_LS)
    with Decoder() as decoder:
        first, _ = decoder.stored_values(paths[0], JPEG_LS)
        assert decoder._process is not None
        decoder._process.kill()
        with pytest.raises(RuntimeError, match="the decoder crashed"):
            decoder.stored_values(paths[1], JPEG_LS)
        again, _ = decoder.stored_values(paths[0], JPEG_LS)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, stored_values(paths[0], JPEG_LS)[0])


def test_a_jpeg_whose_data_are_lost_is_no_slice(tmp_path: Path) -> None:
    """The decoder goes on over the damage with a word on standard error: wrong voxels, and no exception."""
    paths = write(tmp_path, JPEG_LOSSLESS)
    content = bytearray(paths[0].read_bytes())
    pixels = where(bytes(content), 0x7FE00010, JPEG_LOSSLESS)
    for k in (120, 150, 180):
        content[pixels.value + k] ^= 0xFF
    paths[0].write_bytes(content)
    with pytest.raises(InputError, match=r"0\.dcm cannot be read.*data are lost, the decoder says: Corrupt JPEG data"):
        read_planning_ct(tmp_path)


@pytest.mark.parametrize("syntax", dict.fromkeys(SYNTAXES))
def test_pixels_that_break_off_are_refused_in_every_syntax(tmp_path: Path, syntax: str) -> None:
    path = write(tmp_path, syntax)[2]
    content = path.read_bytes()
    path.write_bytes(content[:-60])
    with pytest.raises(InputError, match=r"2\.dcm"):
        read_planning_ct(tmp_path)


def test_a_structure_set_that_names_its_series_in_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    content = structure_set_reader().whole
    assert content.count(b"\x06\x30\x14\x00SQ") == 1
    (tmp_path / "rs.dcm").write_bytes(content.replace(b"\x06\x30\x14\x00SQ", b"\x06\x30\x14\x00Sk"))
    with pytest.raises(InputError, match=r"rs\.dcm is not a whole DICOM file"):
        load_rtstruct(tmp_path / "rs.dcm")


def test_a_modality_that_swallowed_the_patient_is_not_told(tmp_path: Path) -> None:
    content = structure_set_reader().whole
    spoilt = content.replace(b"\x08\x00\x60\x00CS\x08\x00RTSTRUCT", b"\x08\x00\x60\x00CS\x00\x02RTSTRUCT")
    spoilt = spoilt.replace(b"1.2.840.10008.5.1.4.1.1.481.3", b"1.2.840.10008.5.1.4.1.1.481.9")
    (tmp_path / "rs.dcm").write_bytes(spoilt)
    with pytest.raises(InputError, match=r"is not an RTSTRUCT \(it says: \(unreadable\)\)") as refused:
        load_rtstruct(tmp_path / "rs.dcm")
    assert "SECRET" not in str(refused.value)
