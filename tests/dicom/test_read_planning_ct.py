"""Point it at a folder: the planning CT in its true place, or words that name what is wrong."""

from __future__ import annotations

import inspect
import random
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import phantoms
import pytest
from phantoms import BALLS, Phantom, axial_geometry, centroid, three_balls, turned_geometry, without_slices
from pydicom import DataElement, Dataset, config, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import EnhancedCTImageStorage, ImplicitVRLittleEndian, JPEGExtended12Bit, SecondaryCaptureImageStorage

from rtseg.core import Geometry, GeometryError, InputError, Mask, RtsegError, Volume
from rtseg.dicom import (
    Patient,
    PlanningCT,
    ct_findings,
    find_series,
    identity,
    pixels,
    read_ct_grid,
    read_planning_ct,
    write_ct_series,
)
from rtseg.dicom.ct_findings import KINDS
from rtseg.dicom.stack import largest_gap

PATIENT = Patient("Doe^Jane", "secret-4711", "F", "19500102")


def write(folder: Path, geometry: Geometry | None = None, **options: Any) -> list[Path]:
    """A small series of six slices (or on ``geometry``), half air, half water."""
    geometry = geometry or Geometry.regular((6, 8, 10), (3.0, 2.0, 1.5), (-10.0, -20.0, 100.0))
    hu = np.full(geometry.shape, -1000, dtype=np.int16)
    hu[:, 4:] = 0
    return write_ct_series(Volume(hu, geometry), folder, PATIENT, **options)


def edit(path: Path, **attributes: Any) -> None:
    """Sets attributes of a file, however unlawful; None takes one away."""
    data = dcmread(path)
    for keyword, value in attributes.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None
        if value is None:
            del data[tag]
        else:
            data[tag] = DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE)
    data.save_as(path)


def kinds(ct: PlanningCT) -> list[str]:
    return [finding.kind for finding in ct.findings]


@pytest.fixture
def series(tmp_path: Path) -> list[Path]:
    return write(tmp_path / "p07" / "ct")


# Left and right, front and back, head and foot


@pytest.mark.parametrize(
    ("geometry", "position", "expected"),
    [
        (axial_geometry("HFS"), "HFS", []),
        (axial_geometry("HFP"), "HFP", ["not_head_first_supine"]),
        (axial_geometry("FFS"), "FFS", ["not_head_first_supine"]),
        (axial_geometry("FFP"), "FFP", ["not_head_first_supine"]),
        (axial_geometry("HFDR"), "HFDR", ["not_head_first_supine"]),
        (axial_geometry("HFDL"), "HFDL", ["not_head_first_supine"]),
        (axial_geometry("HFS"), "FFS", ["not_head_first_supine"]),
        (phantoms.oblique_geometry(), "HFS", ["oblique"]),
        (phantoms.sagittal_geometry(), "HFS", ["not_axial"]),
        (phantoms.coronal_geometry(), "HFS", ["not_axial"]),
        (without_slices(axial_geometry(), [3, 20]), "HFS", ["uneven_slices"]),
    ],
    ids=["HFS", "HFP", "FFS", "FFP", "HFDR", "HFDL", "FFS-with-HFS-cosines", "oblique", "sagittal", "coronal", "gaps"],
)
def test_three_balls_stay_in_their_place(tmp_path: Path, geometry: Geometry, position: str, expected: list[str]) -> None:
    made = three_balls(geometry)
    paths = write_ct_series(made.ct, tmp_path / "sorted", PATIENT, patient_position=position)
    shuffle(paths, tmp_path / "ct")
    ct = read_planning_ct(tmp_path / "ct")
    assert kinds(ct) == expected
    for name, ball in BALLS.items():
        read = Mask(ct.volume.array == ball.hu, ct.volume.geometry)
        written = made.organs.mask(name)
        assert read.array.sum() == written.array.sum()
        np.testing.assert_allclose(centroid(read), centroid(written), atol=1e-4)
        np.testing.assert_allclose(centroid(read), ball.centre, atol=0.6)  # a quarter of a 2.5 mm voxel


def shuffle(paths: list[Path], folder: Path) -> None:
    """Puts the files into nested folders under names that tell nothing."""
    mixed = random.Random(3).sample(paths, len(paths))
    for i, path in enumerate(mixed):
        place = folder / f"disk{i % 3}" / "a"
        place.mkdir(parents=True, exist_ok=True)
        shutil.move(path, place / f"{i:03d}")


def test_slices_written_downwards_are_read_upwards(tmp_path: Path, phantom: Phantom) -> None:
    up = phantom.ct.geometry
    down = Geometry(
        up.shape, up.pixel_spacing, -up.positions[::-1], up.origin, up.direction * np.array([[-1.0], [1.0], [1.0]])
    )  # left-handed: the first slice is the topmost
    write_ct_series(Volume(phantom.ct.array[::-1], down), tmp_path / "ct", PATIENT)
    ct = read_planning_ct(tmp_path / "ct")
    assert ct.volume.geometry.same_as(up)
    np.testing.assert_array_equal(ct.volume.array, phantom.ct.array)


def test_read_grid_is_the_grid_that_was_written(tmp_path: Path) -> None:
    geometry = phantoms.oblique_geometry()
    paths = write(tmp_path / "ct", geometry)
    grid, identity = read_ct_grid(tmp_path / "ct")
    assert grid.same_as(geometry, tolerance_mm=1e-5)
    assert [one.path for one in identity.slices] == paths


def test_hu_are_int16_where_whole_and_float32_with_a_broken_slope(series: list[Path]) -> None:
    ct = read_planning_ct(series[0].parent)
    assert ct.volume.array.dtype == np.int16
    edit(series[2], RescaleSlope="0.5", RescaleIntercept="-1000.25")
    half = read_planning_ct(series[0].parent).volume.array
    assert half.dtype == np.float32
    np.testing.assert_array_equal(half[[0, 1, 3, 4, 5]], ct.volume.array[[0, 1, 3, 4, 5]])
    assert half[2, 0, 0] == 24 * 0.5 - 1000.25  # -1000 HU is stored as 24
    assert half[2, 7, 0] == 1024 * 0.5 - 1000.25


# Identity


def test_identity_holds_the_files_own_words(series: list[Path]) -> None:
    edit(series[0], StudyID="A7", ClinicalTrialSubjectID="S-3", InstitutionName="Klinik", IssuerOfPatientID="H")
    ct = read_planning_ct(series[0].parent)
    first = dcmread(series[0])
    assert ct.identity is not None
    assert ct.identity.series_instance_uid == first.SeriesInstanceUID
    assert ct.identity.study_instance_uid == first.StudyInstanceUID
    assert ct.identity.frame_of_reference_uid == first.FrameOfReferenceUID
    assert ct.identity.slices[0].position_text == ("-10", "-20", "100")
    assert ct.identity.slices[5].position_text == ("-10", "-20", "115")
    assert [one.sop_instance_uid for one in ct.identity.slices] == [dcmread(path).SOPInstanceUID for path in series]
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "SpecificCharacterSet", "StudyDate", "StudyID"):
        assert ct.identity.header[keyword].value == first[keyword].value
    assert ct.identity.header.ClinicalTrialSubjectID == "S-3"
    assert ct.identity.header.InstitutionName == "Klinik"
    assert "PixelData" not in ct.identity.header
    assert "SeriesDescription" not in ct.identity.header


def test_position_text_is_not_rounded(series: list[Path]) -> None:
    for path, z in zip(series, range(100, 118, 3), strict=True):
        edit(path, ImagePositionPatient=["-1.0500000000e1", "-20.50", f"{z}.000"])
    identity = read_planning_ct(series[0].parent).identity
    assert identity is not None
    assert identity.slices[1].position_text == ("-1.0500000000e1", "-20.50", "103.000")


def test_no_name_or_id_of_the_patient_in_what_is_logged(series: list[Path]) -> None:
    edit(series[3], PatientID="other-secret")
    with pytest.raises(InputError) as error:
        read_planning_ct(series[0].parent)
    assert "secret" not in str(error.value)
    edit(series[3], PatientID="secret-4711")
    ct = read_planning_ct(series[0].parent)
    assert ct.name == f"ct ...{dcmread(series[0]).SeriesInstanceUID[-8:]}"


def test_patient_ids_that_differ_behind_a_backslash_are_two_patients(series: list[Path]) -> None:
    for path in series:
        edit(path, PatientID=["4711", "A"])
    edit(series[4], PatientID=["4711", "B"])
    with pytest.raises(InputError, match="disagree on identity in one series: PatientID"):
        read_ct_grid(series[0].parent)


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID"])
def test_slices_of_two_patients_are_refused(series: list[Path], keyword: str) -> None:
    edit(series[4], **{keyword: "19991231" if keyword.endswith("Date") else "1.2.3"})
    with pytest.raises(
        InputError, match=f"disagree on identity in one series: {keyword} of .*CT0005.dcm differs from .*CT0001.dcm"
    ):
        read_ct_grid(series[0].parent)


def test_two_frames_of_reference_are_refused(series: list[Path]) -> None:
    edit(series[5], FrameOfReferenceUID="1.2.3")
    with pytest.raises(InputError, match=r"two frames of reference .*CT0006.dcm"):
        read_ct_grid(series[0].parent)


def test_a_ct_without_frame_of_reference_is_refused(series: list[Path]) -> None:
    for path in series:
        edit(path, FrameOfReferenceUID=None)
    with pytest.raises(InputError, match="FrameOfReferenceUID is missing"):
        read_ct_grid(series[0].parent)


def test_an_unlawful_study_id_is_kept_and_reported_by_name_only(series: list[Path]) -> None:
    edit(series[0], StudyID="a study id of more than sixteen")
    ct = read_planning_ct(series[0].parent)
    assert ct.identity is not None
    assert ct.identity.header.StudyID == "a study id of more than sixteen"
    assert [(f.kind, f.words.split()[0], f.value) for f in ct.findings] == [("identity_unlawful", "StudyID", 1.0)]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyDate", "2024.01.05"),
        ("PatientBirthDate", "1950-01-02"),
        ("PatientAge", "74"),
        ("PatientWeight", "70,5"),
        ("PatientSex", "female"),
        ("StudyDescription", ["head", "neck"]),
        ("StudyInstanceUID", "1.2.03.4"),
    ],
)
def test_identity_not_as_its_kind_wants_is_reported(series: list[Path], keyword: str, value: Any) -> None:
    for path in series:
        data = dcmread(path)
        tag = tag_for_keyword(keyword)
        assert tag is not None
        text = "\\".join(value) if isinstance(value, list) else value
        data[tag] = DataElement(tag, "OB", text.encode() + b" " * (len(text) % 2))  # without a VR beside it in the file
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        data["PixelData"].VR = "OW"
        data.save_as(path)
    (finding,) = read_planning_ct(series[0].parent).findings
    assert (finding.kind, finding.words.split()[0], finding.value) == ("identity_unlawful", keyword, 1.0)
    assert str(value) not in finding.words


# What else lies in the folder


def test_other_things_in_the_folder_are_left_out_and_told(series: list[Path], tmp_path: Path) -> None:
    folder = series[0].parent
    (folder / "notes.txt").write_text("hello")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "empty.dcm").touch()
    write(tmp_path / "scout")
    scout = tmp_path / "scout" / "CT0001.dcm"
    edit(scout, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    shutil.copy(scout, folder / "scout")
    write(tmp_path / "capture")
    capture = tmp_path / "capture" / "CT0001.dcm"
    edit(capture, SOPClassUID=SecondaryCaptureImageStorage)
    shutil.copy(capture, folder / "capture")
    ct = read_planning_ct(folder)
    assert ct.volume.geometry.shape == (6, 8, 10)
    words = sorted(finding.words for finding in ct.findings)
    assert kinds(ct) == ["left_out"] * 3
    assert "localizer (scout view), not a slice (scout)" in words[0] + words[1]
    assert "Secondary Capture Image Storage (capture)" in words[0] + words[1]
    assert words[2] == "2 files left out: not DICOM (empty.dcm, notes.txt)"


def test_localizers_within_the_series_are_left_out(series: list[Path]) -> None:
    edit(series[0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    ct = read_planning_ct(series[0].parent)
    assert ct.volume.geometry.shape[0] == 5
    assert kinds(ct) == ["left_out"]


def test_a_colour_picture_is_no_slice(series: list[Path]) -> None:
    edit(series[0], SamplesPerPixel=3)
    assert read_ct_grid(series[0].parent)[0].shape[0] == 5


def test_two_series_are_listed_and_one_can_be_chosen(tmp_path: Path) -> None:
    write(tmp_path / "p" / "a", series_description="head")
    write(tmp_path / "p" / "b", Geometry.regular((4, 8, 10), (3.0, 2.0, 1.5)), series_description="neck")
    uids = [str(dcmread(tmp_path / "p" / name / "CT0001.dcm").SeriesInstanceUID) for name in "ab"]
    with pytest.raises(InputError) as error:
        read_planning_ct(tmp_path / "p")
    for part in ("2 CT series", f"{uids[0]}: 6 slices, 'head'", f"{uids[1]}: 4 slices, 'neck'", "--series UID"):
        assert part in str(error.value)
    chosen = read_planning_ct(tmp_path / "p", series=uids[1])
    assert chosen.volume.geometry.shape[0] == 4
    assert [finding.words for finding in chosen.findings] == [
        f"6 x CT of series ...{uids[0][-8:]} left out: another CT series was chosen "
        "(CT0001.dcm, CT0002.dcm, CT0003.dcm, CT0004.dcm, CT0005.dcm and 1 more)"
    ]
    assert read_ct_grid(tmp_path / "p", series=uids[0][-12:])[0].shape[0] == 6
    with pytest.raises(InputError, match=r"has the UID or ending '9\.9\.9'(.|\n)*head"):
        read_ct_grid(tmp_path / "p", series="9.9.9")


def test_a_folder_without_ct_says_what_it_holds(series: list[Path]) -> None:
    for path in series:
        edit(path, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR")
    (series[0].parent / "a.txt").touch()
    words = r"no CT series in .*Found: 6 x MR \(MR Image Storage\): CT0001.* and 1 more; 1 file not DICOM: a.txt"
    with pytest.raises(InputError, match=words):
        read_planning_ct(series[0].parent)


def test_an_empty_folder_a_missing_one_and_a_file(series: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="Found: nothing"):
        read_planning_ct(tmp_path / "empty")
    with pytest.raises(InputError, match="does not exist"):
        read_planning_ct(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"CT0001.dcm is a file: name the folder .*ct\), or a NIfTI CT"):
        read_planning_ct(series[0])


# Slices that make no stack


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows"])
def test_a_missing_place_or_size_is_named(series: list[Path], keyword: str) -> None:
    edit(series[2], **{keyword: None})
    with pytest.raises(InputError, match=rf"{keyword}.* is missing .*CT0003.dcm"):
        read_ct_grid(series[0].parent)


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("PixelSpacing", ["0", "0"], r"PixelSpacing is \[0.0, 0.0\]"),
        ("PixelSpacing", ["nan", "1.5"], r"PixelSpacing is 'nan.*2 finite numbers"),
        ("PixelSpacing", ["-2", "1.5"], "positive millimetres"),
        ("PixelSpacing", ["2", "1.6"], "different PixelSpacing"),
        ("ImagePositionPatient", ["1", "2"], "3 finite numbers were expected"),
        ("ImagePositionPatient", ["1", "2", "inf"], "3 finite numbers were expected"),
        ("ImageOrientationPatient", ["1", "0", "0", "0", "0.9", "0"], "two unit vectors at right angles"),
        ("ImageOrientationPatient", ["1", "0", "0", "0.01", "1", "0"], "two unit vectors at right angles"),
        ("ImageOrientationPatient", ["0", "1", "0", "0", "0", "-1"], "different orientations"),
        ("Rows", 7, r"different sizes: 8 x 10 in CT0001.dcm, 7 x 10 in CT0003.dcm"),
    ],
)
def test_a_slice_that_does_not_fit_is_named(series: list[Path], keyword: str, value: Any, words: str) -> None:
    edit(series[2], **{keyword: value})
    with pytest.raises(RtsegError, match=words) as error:
        read_ct_grid(series[0].parent)
    assert "CT0003.dcm" in str(error.value)


def test_a_position_that_is_no_number_is_named(series: list[Path]) -> None:
    series[2].write_bytes(series[2].read_bytes().replace(b"-10\\-20\\106", b"-10\\-20\\1o6"))
    with pytest.raises(InputError, match=r"ImagePositionPatient is '-10\\\\-20\\\\1o6' in .*CT0003.dcm"):
        read_ct_grid(series[0].parent)


def test_two_slices_at_one_position_are_named(series: list[Path]) -> None:
    edit(series[3], ImagePositionPatient=["-10", "-20", "106.005"])
    with pytest.raises(
        GeometryError, match=r"two slices at one position \(106.000 mm .*CT0003.dcm and .*CT0004.dcm; 1 such pair"
    ):
        read_ct_grid(series[0].parent)


def test_the_same_file_twice_is_called_the_same_image(series: list[Path]) -> None:
    shutil.copy(series[1], series[1].parent / "copy")
    with pytest.raises(GeometryError, match="the same image twice"):
        read_ct_grid(series[0].parent)


def test_a_position_far_from_any_patient_is_refused_by_name(series: list[Path]) -> None:
    for path in series:
        edit(path, ImagePositionPatient=["-1e300", *dcmread(path).ImagePositionPatient[1:]])
    with pytest.raises(InputError, match=r"no patient lies so far"):
        read_ct_grid(series[0].parent)


def test_gantry_tilt_is_refused_by_name(tmp_path: Path) -> None:
    tilt = np.radians(20)
    upright = turned_geometry((1, 0, 0), (0, np.cos(tilt), np.sin(tilt)), (6, 8, 10))
    paths = write(tmp_path / "ct", upright)
    for i, path in enumerate(paths):  # the couch moves along z, not along the tilted normal
        x, y, z = upright.points((0, 0, 0))
        edit(path, ImagePositionPatient=[f"{x:.3f}", f"{y:.3f}", f"{z + 3 * i:.3f}"])
    with pytest.raises(GeometryError, match=r"gantry tilt: .*\(20.0 degrees\)"):
        read_ct_grid(tmp_path / "ct")


def test_cosines_rounded_to_five_decimals_are_no_tilt(tmp_path: Path) -> None:
    geometry = phantoms.oblique_geometry()
    for path in write(tmp_path / "ct", geometry):
        rounded = [f"{float(value):.5f}" for value in dcmread(path).ImageOrientationPatient]
        edit(path, ImageOrientationPatient=rounded)
    assert read_ct_grid(tmp_path / "ct")[0].same_as(geometry, tolerance_mm=0.01)


def test_a_single_slice_is_refused(series: list[Path]) -> None:
    for path in series[1:]:
        path.unlink()
    with pytest.raises(InputError, match=r"CT0001.dcm is the only slice"):
        read_ct_grid(series[0].parent)


# Gaps


def test_missing_slice_is_named_not_interpolated(series: list[Path]) -> None:
    series[2].unlink()
    ct = read_planning_ct(series[0].parent)
    np.testing.assert_allclose(ct.volume.geometry.positions, [100, 103, 109, 112, 115])
    (finding,) = ct.findings
    assert (finding.kind, finding.value, finding.limit) == ("uneven_slices", 2.0, 2.0)
    assert "6.00 mm between 103.00 and 109.00 mm (CT0002.dcm and CT0004.dcm) beside 3.00 mm" in finding.words
    assert "Seem to be missing: 106.00." in finding.words
    gap = largest_gap(ct.volume.geometry)
    assert gap is not None
    assert (gap.below, gap.gap_mm, gap.neighbour_mm, gap.is_hole) == (1, 6.0, 3.0, False)


def test_two_missing_slices_are_a_hole(series: list[Path]) -> None:
    series[2].unlink()
    series[3].unlink()
    gap = largest_gap(read_ct_grid(series[0].parent)[0])
    assert gap is not None
    assert (gap.ratio, gap.is_hole) == (3.0, True)


def test_even_slices_have_no_hole_and_two_slices_no_neighbour() -> None:
    gap = largest_gap(axial_geometry())
    assert gap is not None
    assert not gap.is_hole
    assert largest_gap(Geometry.regular((2, 4, 4), (3.0, 1.0, 1.0))) is None


def test_positions_rounded_to_a_tenth_are_told_as_uneven_but_no_hole(series: list[Path]) -> None:
    for path, z in zip(series, (100.0, 103.3, 106.7, 110.0, 113.3, 116.7), strict=True):
        edit(path, ImagePositionPatient=["-10", "-20", str(z)])
    (finding,) = read_planning_ct(series[0].parent).findings
    assert finding.kind == "uneven_slices"
    assert finding.value == pytest.approx(3.4 / 3.3, abs=1e-3)


# Values


def test_values_without_air_are_told(tmp_path: Path) -> None:
    geometry = Geometry.regular((3, 4, 4), (3.0, 1.0, 1.0))
    write_ct_series(Volume(np.full(geometry.shape, 30, dtype=np.int16), geometry), tmp_path / "ct", PATIENT)
    (finding,) = read_planning_ct(tmp_path / "ct").findings
    assert (finding.kind, finding.value, finding.limit) == ("not_hu", 30.0, -800.0)


def store(path: Path, values: list[int], **attributes: Any) -> None:
    """Fills the image's first row with these 16-bit patterns, the rest with the last of them."""
    data = dcmread(path)
    pixels = np.full((data.Rows, data.Columns), values[-1], dtype="<u2")
    pixels[0, : len(values)] = values
    data.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    data.save_as(path)


@pytest.mark.parametrize(("stored", "lowest_hu"), [(-2000, -3024), (-1000, -2024)])
def test_padding_outside_the_scanners_circle_is_kept_and_no_finding(series: list[Path], stored: int, lowest_hu: int) -> None:
    for path in series:
        store(path, [stored & 0xFFFF, 24, 1024])
    ct = read_planning_ct(series[0].parent)
    assert ct.volume.array[0, 0, :3].tolist() == [lowest_hu, -1000, 0]
    assert ct.findings == ()


def test_padding_does_not_hide_that_there_is_no_air(series: list[Path]) -> None:
    """The intercept was lost: air is 24, only the scanner's padding of -2000 lies lower."""
    for path in series:
        store(path, [-2000 & 0xFFFF, 24, 1024], RescaleIntercept="0")
    (finding,) = read_planning_ct(series[0].parent).findings
    assert (finding.kind, finding.value) == ("not_hu", 24.0)


@pytest.mark.parametrize(
    ("patterns", "signed", "intercept"),
    [
        ([0x0018, 0x0400, 0x0C18], 0, "-1024"),
        ([0xF018, 0x2400, 0x0C18], 0, "-1024"),  # overlays in the upper four bits
        ([0x0C18, 0x0000, 0x0818], 1, "0"),  # -1000 in 12 bits, sign not carried on; 0x818 is -2024
        ([0xFC18, 0x0000, 0xF818], 1, "0"),
    ],
)
def test_bits_above_bits_stored_are_no_part_of_the_value(
    series: list[Path], patterns: list[int], signed: int, intercept: str
) -> None:
    for path in series:
        store(path, patterns, PixelRepresentation=signed, BitsStored=12, HighBit=11, RescaleIntercept=intercept)
    ct = read_planning_ct(series[0].parent)
    assert ct.volume.array[0, 0, :3].tolist() == [-1000, 0, -2024 if signed else 2072]
    assert ct.findings == ()


def test_values_that_stand_in_the_upper_bits_are_told(series: list[Path]) -> None:
    store(series[2], [24 << 4, 1024 << 4], PixelRepresentation=0, BitsStored=12, HighBit=15)
    (finding,) = read_planning_ct(series[0].parent).findings
    assert finding.kind == "odd_pixels"
    assert "first CT0003.dcm): HighBit is 15, 11 was expected" in finding.words


def test_missing_rescale_and_another_unit_are_told(series: list[Path]) -> None:
    for path in series:
        edit(path, RescaleSlope=None, RescaleIntercept=None, RescaleType="US")
    ct = read_planning_ct(series[0].parent)
    assert kinds(ct) == ["not_hu"] * 3  # no slope, unit US, and so no air: 24 is the lowest value
    assert ct.volume.array.min() == 24


def test_a_slope_of_zero_is_refused(series: list[Path]) -> None:
    edit(series[1], RescaleSlope="0")
    with pytest.raises(InputError, match=r"RescaleSlope is 0 in .*CT0002.dcm"):
        read_planning_ct(series[0].parent)


def test_a_missing_patient_position_is_told(series: list[Path]) -> None:
    for path in series:
        edit(path, PatientPosition=None)
    assert kinds(read_planning_ct(series[0].parent)) == ["not_head_first_supine"]


def test_lossy_compression_of_the_past_is_told(series: list[Path]) -> None:
    edit(series[1], LossyImageCompression="01")
    (finding,) = read_planning_ct(series[0].parent).findings
    assert (finding.kind, finding.value) == ("lossy_compression", 1.0)


# Broken files


def test_a_slice_cut_off_within_its_pixels_is_named(series: list[Path]) -> None:
    whole = series[2].read_bytes()
    series[2].write_bytes(whole[:-50])
    assert read_ct_grid(series[0].parent)[0].shape[0] == 6  # headers alone do not tell
    with pytest.raises(InputError, match=r"pixels of .*CT0003.dcm cannot be read.*copy it again"):
        read_planning_ct(series[0].parent)


def cut_before(path: Path, keyword: str) -> None:
    """Cuts an explicit little endian file in the middle of an attribute."""
    whole, tag = path.read_bytes(), tag_for_keyword(keyword)
    assert tag is not None
    at = whole.index((tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little"), 300)
    path.write_bytes(whole[: at + 10])


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "StudyDate", "SeriesInstanceUID", "ImagePositionPatient", "Rows", "PixelData"]
)
def test_a_slice_cut_off_within_its_header_is_named(series: list[Path], keyword: str) -> None:
    cut_before(series[2], keyword)
    with pytest.raises(RtsegError, match=r"CT0003\.dcm"):
        read_planning_ct(series[0].parent)


def test_a_broken_object_of_another_kind_is_left_out(series: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "p07" / "dose"
    shutil.copy(series[0], bad)
    data = dcmread(bad)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"
    data.save_as(bad)
    whole = bad.read_bytes()
    at = whole.index(b"\x08\x00\x60\x00CS")
    bad.write_bytes(whole[:at] + b"\x08\x00\x60\x00\0\0\xff\xff\xff\x7f" + whole[at + 10 :])
    ct = read_planning_ct(tmp_path / "p07")
    assert kinds(ct) == ["left_out"]


def test_a_syntax_that_cannot_be_decoded_is_named(series: list[Path]) -> None:
    data = dcmread(series[1])
    data.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x04\0\0\0\xff\xd8\xff\xd9"
    data.save_as(series[1])
    with pytest.raises(
        InputError, match=r"CT0002.dcm cannot be read, transfer syntax JPEG Extended .*1\.2\.840\.10008\.1\.2\.4\.51"
    ):
        read_planning_ct(series[0].parent)


def test_slices_without_preamble_are_read_by_guess_and_told(series: list[Path]) -> None:
    expected = read_planning_ct(series[0].parent).volume
    for path in series:
        whole = path.read_bytes()
        path.write_bytes(whole[whole.index(b"\x08\x00\x05\x00CS") :])
    ct = read_planning_ct(series[0].parent)
    assert kinds(ct) == ["no_file_meta"]
    assert ct.volume.geometry.same_as(expected.geometry)
    np.testing.assert_array_equal(ct.volume.array, expected.array)


def test_enhanced_multiframe_ct_is_refused_by_its_class(series: list[Path]) -> None:
    for path in series[1:]:
        path.unlink()
    edit(series[0], SOPClassUID=EnhancedCTImageStorage, NumberOfFrames="40")
    with pytest.raises(InputError, match=r"CT0001.dcm is Enhanced CT Image Storage with 40 frames .*one slice per file"):
        read_planning_ct(series[0].parent)


def test_many_frames_in_a_plain_ct_are_refused(series: list[Path]) -> None:
    edit(series[0], NumberOfFrames="2")
    with pytest.raises(InputError, match="with 2 frames in one file"):
        read_ct_grid(series[0].parent)


@pytest.mark.parametrize("name", ["Müller^Änne", "Ψ^Ω", "Yamada^Tarou=山田^太郎=やまだ^たろう"])
def test_names_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    geometry = Geometry.regular((2, 4, 4), (3.0, 1.0, 1.0))
    write_ct_series(Volume(np.full((2, 4, 4), -1000), geometry), tmp_path / "ct", Patient(name, "1"))
    _, identity = read_ct_grid(tmp_path / "ct")
    out = Dataset()
    out.update(identity.header)
    out.save_as(tmp_path / "out.dcm", implicit_vr=True, little_endian=True)
    assert str(dcmread(tmp_path / "out.dcm", force=True).PatientName) == name


def test_the_kinds_of_findings_are_those_documented() -> None:
    rooms = (ct_findings, find_series, identity, pixels)
    given = {kind for room in rooms for kind in re.findall(r'Finding\(\s*"(\w+)"', inspect.getsource(room))}
    assert given == set(KINDS)
