"""A museum of real, awkward DICOM files: each is read right or refused in words that name the reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.filewriter import dcmwrite

from rtseg.core import RtsegError
from rtseg.dicom import read_ct_grid, read_planning_ct
from rtseg.dicom.identity import series_identity
from rtseg.dicom.pixels import read_hu
from rtseg.dicom.slice_header import read_header

Find = Callable[[str], Path]


@pytest.fixture
def odd(test_data: Find) -> Find:
    return lambda name: test_data(f"dicom_odd/{name}")


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("gantry_tilt", r"gantry tilt.*I120.*\(16\.5 degrees\)"),
        ("gantry_tilt_variable_spacing", r"gantry tilt.*18\.dcm.*\(18\.5 degrees\)"),
        ("coronal_reformat", r"no CT series.*1 x CT \(localizer"),
        ("decubitus_prone_mr", r"no CT series.*4 x MR"),
        ("single_slice", r"0\.dcm is the only slice"),
        ("no_geometry", r"no CT series.*2 x CT \(Secondary Capture"),
        ("rle_many_fragments", "is the only slice"),
        ("big_endian_private_syntax", r"GH177_ivrle.*cannot be read.*transfer syntax is Explicit VR Big Endian"),
        ("enhanced_ct_multiframe", r"CT0012.*Enhanced CT Image Storage with 2 frames in one file"),
        ("no_meta_or_bad_meta", "no CT series.*RTPLAN"),
        ("truncated", r"no CT series.*1 x RTPLAN.*1 x MR \(Enhanced MR"),
        ("broken_encoding", r"SeriesInstanceUID, Rows, Columns is missing in .*UN_sequence\.dcm: the file may be cut off"),
        ("small_pairs", r"CT_small\.dcm is the only slice"),
        ("rt_objects_mixed", r"two slices at one position \(-75\.700.*the same image twice"),
        ("rtimage", r"no CT series.*1 x RTIMAGE"),
        ("names_in_other_scripts", "no CT series"),
        ("one_ct_slice_many_syntaxes", r"3 CT series(.|\n)*15 slices, 'HELICAL CHEST'"),
        ("oblique_ct", "disagree on identity in one series: StudyInstanceUID"),
        ("dicomdir_no_suffix", r"2 CT series(.|\n)*5 slices, 'SmartScore(.|\n)*4 slices, 'Routine Brain'"),
    ],
)
def test_refused_in_words(odd: Find, folder: str, words: str) -> None:
    with pytest.raises(RtsegError, match=words):
        read_planning_ct(odd(folder))


def test_localizer_survey_and_dose_page_are_left_out(odd: Find) -> None:
    ct = read_planning_ct(odd("localizer_and_captures_mixed"))
    assert ct.volume.geometry.shape == (3, 512, 512)
    assert ct.volume.geometry.slice_spacing == pytest.approx(5.0)
    words = " ".join(finding.words for finding in ct.findings)
    assert [finding.kind for finding in ct.findings] == ["left_out", "left_out"]
    for part in ("S4010_I10_ref_surview", "S4010_I50_dose_info", "Secondary Capture", "S1000_I10_localizer", "scout"):
        assert part in words


def test_missing_slice_is_named(odd: Find) -> None:
    ct = read_planning_ct(odd("missing_slice"))
    np.testing.assert_allclose(ct.volume.geometry.positions, [741.21, 746.21, 756.21, 761.21])
    (finding,) = ct.findings
    assert finding.kind == "uneven_slices"
    assert "(I110 and I130)" in finding.words
    assert "Seem to be missing: 751.21." in finding.words


def test_oblique_slices_with_their_study_mended_are_read_in_place(odd: Find, tmp_path: Path) -> None:
    for path in sorted(odd("oblique_ct").iterdir()):
        change(path, tmp_path / path.name, StudyInstanceUID="1.2.3", FrameOfReferenceUID="1.2.4")
    ct = read_planning_ct(tmp_path)
    geometry = ct.volume.geometry
    assert (geometry.shape, geometry.pixel_spacing) == ((3, 50, 100), (3.5, 2.5))  # rows are 3.5 mm apart
    np.testing.assert_allclose(geometry.points((0, 0, 0)), (123, -432, 30), atol=1e-4)
    far = (123 + 99 * 2.5 * 0.9541666, -432 - 99 * 2.5 * 0.2080757, 30 + 99 * 2.5 * 0.2151061)
    np.testing.assert_allclose(geometry.points((0, 0, 99)), far, atol=1e-4)
    np.testing.assert_allclose(geometry.points((2, 0, 0)), (122.0159697, -428.1596334, 38.0798058), atol=1e-3)
    assert {finding.kind for finding in ct.findings} == {"oblique", "not_head_first_supine", "not_hu"}
    assert ct.volume.array.dtype == np.float32  # slope 0.001


def test_an_mim_phantom_beside_its_structure_sets(odd: Find) -> None:
    geometry, _ = read_ct_grid(odd("rtstruct_bad_references"))
    np.testing.assert_allclose(geometry.positions, [60, 65])


def test_patients_of_a_media_tree_are_kept_apart(odd: Find) -> None:
    folder = odd("dicomdir_no_suffix")
    geometry, _ = read_ct_grid(folder, series="16302.0.6")
    np.testing.assert_allclose(geometry.positions, [-1.2375, 1.2625, 3.7625, 6.2625, 8.7625])
    brain, _ = read_ct_grid(folder, series="28319.0.2")
    assert not brain.is_regular


SYNTAXES = "one_ct_slice_many_syntaxes"

LOSSLESS = (
    "LittleEndianImplicit_1.2.840.10008.1.2.dcm",
    "BigEndianExplicit_1.2.840.10008.1.2.2.dcm",
    "DeflatedExplicitVRLittleEndian_1.2.840.10008.1.2.1.99.dcm",
    "RLELossless_1.2.840.10008.1.2.5.dcm",
    "JPEGProcess14_1.2.840.10008.1.2.4.57.dcm",
    "JPEGProcess14SV1_1.2.840.10008.1.2.4.70.dcm",
    "JPEGLSLossless_1.2.840.10008.1.2.4.80.dcm",
    "JPEG2000LosslessOnly_1.2.840.10008.1.2.4.90.dcm",
)


def change(path: Path, copy: Path, **attributes: Any) -> None:
    data = dcmread(path)
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    dcmwrite(copy, data)


def hu_of(path: Path) -> NDArray[Any]:
    header = read_header(path)
    assert header is not None
    return read_hu([header])[0][0]


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_syntaxes_give_the_same_voxels(odd: Find, name: str) -> None:
    folder = odd(SYNTAXES)
    plain = hu_of(folder / "LittleEndianExplicit_1.2.840.10008.1.2.1.dcm")
    assert (plain.min(), plain.max(), plain.dtype) == (-2000 - 1024, 2402 - 1024, np.int16)
    np.testing.assert_array_equal(hu_of(folder / name), plain)


@pytest.mark.parametrize(
    ("name", "tolerance_hu"),
    [
        ("JPEGLSLossy_1.2.840.10008.1.2.4.81.dcm", 2),
        ("JPEG2000_1.2.840.10008.1.2.4.91.dcm", 10),
        ("JPEGProcess1_1.2.840.10008.1.2.4.50.dcm", 150),
    ],
)
def test_lossy_syntaxes_are_read_and_told(odd: Find, tmp_path: Path, name: str, tolerance_hu: float) -> None:
    plain = hu_of(odd(SYNTAXES) / "LittleEndianExplicit_1.2.840.10008.1.2.1.dcm")
    for i, z in enumerate((4.7, 9.7)):
        change(odd(SYNTAXES) / name, tmp_path / f"{i}", ImagePositionPatient=[-161.4, -148.8, z], SOPInstanceUID=f"1.2.{i}")
    ct = read_planning_ct(tmp_path)
    assert "lossy_compression" in [finding.kind for finding in ct.findings]
    assert np.abs(ct.volume.array[0] - plain.astype(float)).max() <= tolerance_hu  # 8-bit JPEG: steps of 32 HU


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("JPEGProcess2_4_1.2.840.10008.1.2.4.51.dcm", "JPEG Extended"),
        ("JPEGProcess6_8_1.2.840.10008.1.2.4.53.dcm", "JPEG Spectral Selection"),
        ("JPEGProcess10_12_1.2.840.10008.1.2.4.55.dcm", "JPEG Full Progression"),
    ],
)
def test_syntaxes_nobody_can_decode_are_named(odd: Find, name: str, syntax: str) -> None:
    with pytest.raises(RtsegError, match=rf"{name} cannot be read, transfer syntax {syntax}"):
        hu_of(odd(SYNTAXES) / name)


@pytest.mark.parametrize(
    ("name", "lowest_hu", "highest_hu"),
    [
        ("broken_encoding/explicit_VR-UN.dcm", -1024, 2000),
        ("broken_encoding/bad_sequence.dcm", -1024, 2000),
        ("broken_encoding/J2K_pixelrep_mismatch.dcm", -2000, 2000),
        ("rle_many_fragments/D_CLUNIE_CT1_RLE_FRAGS.dcm", -3024, 2000),
        ("big_endian_private_syntax/GH177_ele_undefined_length.dcm", -3024, 2000),
        ("one_ct_slice_many_syntaxes/CT1_J2KR", -3024, 2000),
        ("one_ct_slice_many_syntaxes/CT2_J2KR", -2048, 2000),
    ],
)
def test_strangely_encoded_slices_give_hounsfield_units(odd: Find, name: str, lowest_hu: int, highest_hu: int) -> None:
    hu = hu_of(odd(name))  # lowest: the scanner's padding outside its field, or no pixel below -1024
    assert lowest_hu <= hu.min() <= -900
    assert 500 <= hu.max() <= highest_hu


def test_rle_in_many_fragments_is_the_slice_of_its_uncompressed_twin(odd: Find) -> None:
    np.testing.assert_array_equal(
        hu_of(odd("rle_many_fragments/D_CLUNIE_CT1_RLE_FRAGS.dcm")),
        hu_of(odd("big_endian_private_syntax/GH177_ele_undefined_length.dcm")),
    )


def test_truncated_pixels_are_named(odd: Find) -> None:
    with pytest.raises(RtsegError, match=r"MR_truncated\.dcm cannot be read.*8130 vs 8192"):
        hu_of(odd("truncated/MR_truncated.dcm"))


def test_padded_pixels_are_read_and_told(odd: Find) -> None:
    header = read_header(odd("broken_encoding/MR_small_padded.dcm"))
    assert header is not None
    voxels, (finding,) = read_hu([header])
    assert finding.kind == "odd_pixels"
    assert "128 bytes of excess padding" in finding.words
    np.testing.assert_array_equal(voxels[0], hu_of(odd("small_pairs/MR_small.dcm")))


@pytest.mark.parametrize("name", ["implicit", "bigendian", "expb", "RLE", "jp2klossless", "jpeg_ls_lossless"])
def test_small_pairs_are_equal(odd: Find, name: str) -> None:
    np.testing.assert_array_equal(hu_of(odd(f"small_pairs/MR_small_{name}.dcm")), hu_of(odd("small_pairs/MR_small.dcm")))


def test_names_in_other_scripts_are_written_back_unchanged(odd: Find, tmp_path: Path) -> None:
    seen = 0
    for path in sorted(odd("names_in_other_scripts").iterdir()):
        source, header = dcmread(path), read_header(path)
        if header is None or not header.text("SOPInstanceUID"):
            continue  # the two without an identity of their own
        change(path, tmp_path / path.name, FrameOfReferenceUID="1.2.3")
        bare = read_header(tmp_path / path.name)
        assert bare is not None
        placed = replace(bare, texts={**bare.texts, "ImagePositionPatient": ("0", "0", "0")})
        identity, _ = series_identity([placed])
        dcmwrite(tmp_path / "out", identity.header, implicit_vr=True, little_endian=True)
        back = dcmread(tmp_path / "out", force=True)
        assert back.PatientName == source.PatientName, path.name
        assert back.SpecificCharacterSet == source.SpecificCharacterSet, path.name
        seen += 1
    assert seen >= 12


def test_a_folder_is_not_changed_by_reading(odd: Find, tmp_path: Path) -> None:
    shutil.copytree(odd("missing_slice"), tmp_path / "ct")
    before = {path.name: path.read_bytes() for path in (tmp_path / "ct").iterdir()}
    read_planning_ct(tmp_path / "ct")
    assert {path.name: path.read_bytes() for path in (tmp_path / "ct").iterdir()} == before
