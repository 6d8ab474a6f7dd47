"""A CT volume becomes a series that any DICOM reader takes."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import Phantom, axial_geometry, oblique_geometry, sagittal_geometry, three_balls, without_slices
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from rtseg.core import ConfigError, Geometry, OutputError, Volume
from rtseg.dicom import Patient, write_ct_series
from rtseg.dicom.decimal_text import decimal_text
from rtseg.dicom.uids import new_uid

PATIENT = Patient("Müller^Änne", "RT-0815", "F", "19500102")

TYPE_1_AND_2 = (
    "SOPClassUID",
    "SOPInstanceUID",
    "ImageType",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "Modality",
    "SeriesNumber",
    "PatientPosition",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "Manufacturer",
    "InstanceNumber",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SliceThickness",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
    "RescaleIntercept",
    "RescaleSlope",
    "KVP",
    "AcquisitionNumber",
)
"""What PS3.3 A.3 (CT Image IOD) wants in every image: type 1 filled, type 2 there."""

MAY_BE_EMPTY = {"AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator", "KVP", "AcquisitionNumber"}


@pytest.fixture
def small() -> Volume:
    return Volume(np.full((3, 4, 5), -1000, dtype=np.int16), Geometry.regular((3, 4, 5), (3.0, 2.0, 1.5)))


def test_each_slice_is_a_ct_image_with_all_required_attributes(tmp_path: Path, phantom: Phantom) -> None:
    paths = write_ct_series(phantom.ct, tmp_path / "new" / "ct", PATIENT)
    assert len(paths) == 34
    image = dcmread(paths[7])
    assert image.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert image.SOPClassUID == image.file_meta.MediaStorageSOPClassUID == CTImageStorage
    assert image.SOPInstanceUID == image.file_meta.MediaStorageSOPInstanceUID
    for keyword in TYPE_1_AND_2:
        assert keyword in image, keyword
        assert keyword in MAY_BE_EMPTY or image[keyword].value not in (None, ""), keyword
    assert (str(image.PatientName), image.PatientID, image.PatientSex) == ("Müller^Änne", "RT-0815", "F")
    np.testing.assert_array_equal(image.pixel_array - 1024, phantom.ct.array[7])


def test_files_follow_the_slices_of_the_volume(tmp_path: Path, phantom: Phantom) -> None:
    paths = write_ct_series(phantom.ct, tmp_path / "ct", PATIENT)
    images = [dcmread(path, stop_before_pixels=True) for path in paths]
    assert [int(image.InstanceNumber) for image in images] == list(range(1, 35))
    heights = [float(image.ImagePositionPatient[2]) for image in images]
    np.testing.assert_allclose(np.diff(heights), 2.5, atol=1e-9)
    assert len({image.SOPInstanceUID for image in images}) == 34
    assert len({image.SeriesInstanceUID for image in images}) == 1


@pytest.mark.parametrize("geometry", [oblique_geometry(), sagittal_geometry(), axial_geometry("FFP")])
def test_position_orientation_and_spacing_say_where_the_voxels_are(tmp_path: Path, geometry: Geometry) -> None:
    paths = write_ct_series(three_balls(geometry).ct, tmp_path / "ct", PATIENT)
    image = dcmread(paths[5])
    cosines = np.array(image.ImageOrientationPatient, dtype=float)
    row, column = 11, 23  # PS3.3 C.7.6.2.1.1: the first cosines and the second spacing go with the column index
    point = np.array(image.ImagePositionPatient, dtype=float)
    point += cosines[:3] * float(image.PixelSpacing[1]) * column + cosines[3:] * float(image.PixelSpacing[0]) * row
    np.testing.assert_allclose(point, geometry.points((5, row, column)), atol=1e-6)


@pytest.mark.parametrize("geometry", [axial_geometry(), axial_geometry("HFP"), oblique_geometry(), sagittal_geometry()])
def test_another_reader_sees_the_same_voxels_in_the_same_place(tmp_path: Path, geometry: Geometry) -> None:
    sitk = pytest.importorskip("SimpleITK")
    made = three_balls(geometry)
    write_ct_series(made.ct, tmp_path / "ct", PATIENT)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path / "ct"))  # sorted along the normal
    image = sitk.ReadImage(names)
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), made.ct.array)
    for index in ((0, 0, 0), (30, 40, 50)):  # SimpleITK counts (column, row, slice), LPS mm as we do
        point = image.TransformIndexToPhysicalPoint(index[::-1])
        np.testing.assert_allclose(point, geometry.points(index), atol=1e-3)


def test_no_decimal_string_is_longer_than_16_characters(tmp_path: Path) -> None:
    paths = write_ct_series(three_balls(oblique_geometry((11.1, 33.3))).ct, tmp_path / "ct", PATIENT)
    for path in paths:
        for element in dcmread(path, stop_before_pixels=True):
            if element.VR == "DS" and element.value is not None:
                values = [element.value] if element.VM == 1 else element.value
                assert all(len(str(value)) <= 16 for value in values), element


def test_a_left_out_slice_leaves_the_others_in_place_and_keeps_the_thickness(tmp_path: Path) -> None:
    geometry = without_slices(axial_geometry(), [10])
    paths = write_ct_series(three_balls(geometry).ct, tmp_path / "ct", PATIENT)
    before, after = dcmread(paths[9]), dcmread(paths[10])
    assert float(after.ImagePositionPatient[2]) - float(before.ImagePositionPatient[2]) == pytest.approx(5.0)
    assert {float(before.SliceThickness), float(after.SliceThickness)} == {2.5}


def test_same_seed_gives_the_same_bytes_and_no_seed_gives_new_uids(tmp_path: Path, small: Volume) -> None:
    one, two, other, free, free_too = (
        write_ct_series(small, tmp_path / str(i), PATIENT, seed=seed) for i, seed in enumerate(("a", "a", "b", None, None))
    )
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
    series = [str(dcmread(paths[0]).SeriesInstanceUID) for paths in (one, other, free, free_too)]
    assert len(set(series)) == 4
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in series)


def test_hu_are_rounded_to_whole_numbers(tmp_path: Path) -> None:
    hu = np.array([[[-1000.4, 0.6], [2.5, 3000.49]]])
    paths = write_ct_series(Volume(hu, Geometry.regular((1, 2, 2), (1.0, 1.0, 1.0))), tmp_path / "ct", PATIENT)
    assert (dcmread(paths[0]).pixel_array - 1024).tolist() == [[-1000, 1], [2, 3000]]


def test_a_folder_that_holds_something_is_not_touched(tmp_path: Path, small: Volume) -> None:
    (tmp_path / "plan.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"not empty \(it holds plan.txt\)"):
        write_ct_series(small, tmp_path, PATIENT)
    assert [path.name for path in tmp_path.iterdir()] == ["plan.txt"]


def test_a_full_disk_is_told_in_its_own_words_and_leaves_no_half_series(tmp_path: Path, phantom: Phantom) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        with pytest.raises(OutputError) as error:
            write_ct_series(phantom.ct, tmp_path / "ct", PATIENT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(error.value) == f"the CT series cannot be written into {tmp_path / 'ct'}: File too large"
    assert list((tmp_path / "ct").iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_an_output_error(tmp_path: Path, small: Volume) -> None:
    (tmp_path / "ct").write_text("mine")
    with pytest.raises(OutputError, match="cannot be made"):
        write_ct_series(small, tmp_path / "ct", PATIENT)


@pytest.mark.parametrize("bad", [np.nan, 40000.0, -np.inf])
def test_values_that_no_ct_can_hold_are_refused(tmp_path: Path, small: Volume, bad: float) -> None:
    array = small.array.astype(np.float32)
    array[1, 1, 1] = bad
    with pytest.raises(OutputError, match="finite values from -33792 to 31743 HU"):
        write_ct_series(Volume(array, small.geometry), tmp_path / "ct", PATIENT)
    assert not (tmp_path / "ct").exists()


def test_an_unknown_patient_position_is_refused(tmp_path: Path, small: Volume) -> None:
    with pytest.raises(ConfigError, match="'supine' is not one of FFDL"):
        write_ct_series(small, tmp_path / "ct", PATIENT, patient_position="supine")


@pytest.mark.parametrize(
    "patient", [{"name": "A\\B"}, {"id": "x" * 65}, {"sex": "female"}, {"birth_date": "1.2.1950"}, {"name": "A\nB"}]
)
def test_a_patient_that_dicom_cannot_hold_is_refused(patient: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        Patient(**({"name": "A", "id": "1"} | patient))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (-1e-12, "0"),
        (1.5, "1.5"),
        (-123.45, "-123.45"),
        (1 / 3, "0.3333333333"),
        (-12345.678901234567, "-12345.678901235"),
        (1234567890123456.0, "1234567890123456"),
    ],
)
def test_decimal_text(value: float, text: str) -> None:
    assert decimal_text(value) == text


@given(st.floats(-99999, 99999))
def test_decimal_text_is_short_and_near(value: float) -> None:
    text = decimal_text(value)
    assert len(text) <= 16
    assert "e" not in text
    assert abs(float(text) - value) <= 1e-9


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e17])
def test_decimal_text_refuses_what_does_not_fit(value: float) -> None:
    with pytest.raises(ValueError):
        decimal_text(value)


def test_uids_differ_by_seed_and_part() -> None:
    assert new_uid("a", "b") == new_uid("a", "b")
    assert len({new_uid("a", "b"), new_uid("a", "c"), new_uid("ab"), new_uid(), new_uid()}) == 5
