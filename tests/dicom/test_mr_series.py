"""An MR-like series: in the CT's place in every geometry, honest about what it is, all or nothing."""

import shutil

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from dciodvfy import errors, wants_dciodvfy
from phantoms import BALLS, CENTRE, axial_geometry
from pydicom import dcmread
from pydicom.uid import generate_uid
from rtstruct_cases import GEOMETRIES, MAKER, case

from rtseg.core import ConfigError, GeometryError, OutputError, Volume
from rtseg.dicom import StoredValues, read_ct_grid, verify_mr_series, write_mr_series


def synthetic(each) -> Volume:
    """As bright as each ball is large, from 0 to 3.5 in any unit."""
    values = np.zeros(each.ct.volume.geometry.shape, dtype=np.float32)
    for name, ball in BALLS.items():
        values[each.organs.mask(name).array] = ball.radius_mm / 4
    return Volume(values, each.ct.volume.geometry)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return case(tmp_path_factory.mktemp("plain"), axial_geometry(), "Müller^Änne")


@pytest.fixture
def folder(plain, tmp_path):
    write_mr_series(synthetic(plain), plain.ct, tmp_path / "smr", MAKER)
    return tmp_path / "smr"


@pytest.mark.parametrize("name", GEOMETRIES)
def test_each_voxel_lies_where_the_cts_lies_and_left_is_left(tmp_path, name):
    """Read with nothing of ours: the brightest ball is the left parotid, and it lies 30 mm left of the middle."""
    each = case(tmp_path, GEOMETRIES[name])
    write_mr_series(synthetic(each), each.ct, tmp_path / "smr", MAKER)
    assert verify_mr_series(tmp_path / "smr", read_ct_grid(tmp_path / "ct")) == ()
    points = []
    for file in (tmp_path / "smr").iterdir():
        image = dcmread(file)
        row, column = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3)
        where = np.argwhere(image.pixel_array == image.pixel_array.dtype.type(4095))
        down, along = (float(mm) for mm in image.PixelSpacing)
        points += [np.array(image.ImagePositionPatient, float) + r * down * column + c * along * row for r, c in where]
    assert np.linalg.norm(np.mean(points, axis=0) - CENTRE - BALLS["Parotid_L"].offset_mm) < 1.5


def test_a_library_of_others_reads_the_same_grid(plain, folder):
    read = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    grid = plain.ct.volume.geometry
    assert read.GetSize() == grid.shape[::-1]
    assert np.allclose(read.GetSpacing(), (*grid.pixel_spacing[::-1], grid.slice_spacing), atol=1e-4)
    assert np.allclose(read.GetOrigin(), grid.points([[0, 0, 0]])[0], atol=1e-3)
    found = sitk.GetArrayFromImage(read)
    assert np.array_equal(found == 4095, plain.organs.mask("Parotid_L").array)


def test_values_come_back_from_stored_numbers(plain, tmp_path):
    values = np.random.default_rng(2).normal(300, 90, plain.ct.volume.geometry.shape).astype(np.float32)
    written = write_mr_series(Volume(values, plain.ct.volume.geometry), plain.ct, tmp_path / "smr", MAKER)
    images = sorted((dcmread(path) for path in (tmp_path / "smr").iterdir()), key=lambda image: int(image.InstanceNumber))
    stored = np.stack([image.pixel_array for image in images])
    assert stored.min() == 0
    assert stored.max() == 4095
    assert np.abs(written.lowest + stored * written.step - values).max() <= written.step * 0.501


def test_it_says_what_it_is_and_invents_nothing(plain, folder):
    for file in folder.iterdir():
        image = dcmread(file)
        assert image.SeriesDescription.startswith("SYNTHETIC MR (from CT)")
        assert "not for diagnosis" in image.DerivationDescription
        assert image.ScanningSequence == "RM"
        assert image.PatientPosition == "HFS"
        assert image.PatientName == plain.ct.identity.header.PatientName
        assert image.SourceImageSequence[0].SpatialLocationsPreserved == "YES"
        assert not {"MagneticFieldStrength", "InversionTime", "RescaleSlope", "StationName"} & set(image.dir())


SPOILT = {
    "another patient": (lambda image: setattr(image, "PatientID", "X"), "PatientID is not the CT's"),
    "another frame": (lambda image: setattr(image, "FrameOfReferenceUID", generate_uid()), "FrameOfReferenceUID"),
    "moved": (lambda image: setattr(image, "ImagePositionPatient", [0, 0, image.ImagePositionPatient[2]]), "does not lie where"),
    "turned": (lambda image: setattr(image, "ImageOrientationPatient", [-1, 0, 0, 0, 1, 0]), "does not lie where"),
    "a field strength": (lambda image: setattr(image, "MagneticFieldStrength", "1.5"), "MagneticFieldStrength is there"),
    "a slope": (lambda image: setattr(image, "RescaleSlope", "1"), "RescaleSlope is there"),
    "silent": (lambda image: setattr(image, "SeriesDescription", "T2 TSE"), "does not say that it is synthetic"),
    "original": (lambda image: setattr(image, "ImageType", ["ORIGINAL", "PRIMARY", "OTHER"]), "ImageType is not"),
    "another source": (
        lambda image: setattr(image.SourceImageSequence[0], "ReferencedSOPInstanceUID", "1.2"),
        "SourceImageSequence",
    ),
    "other pixels": (lambda image: setattr(image, "PixelData", b"\1\0" * (len(image.PixelData) // 2)), "pixels are not"),
    "another instance": (lambda image: setattr(image, "SOPInstanceUID", "1.2.3"), "UID of the file meta"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_each_fault_is_found(plain, folder, name):
    spoil, words = SPOILT[name]
    stored = np.stack([dcmread(path).pixel_array for path in sorted(folder.iterdir())])
    assert verify_mr_series(folder, plain.ct.grid, StoredValues(stored)) == ()
    file = sorted(folder.iterdir())[3]
    image = dcmread(file)
    spoil(image)
    image.save_as(file)
    told = [finding.words for finding in verify_mr_series(folder, plain.ct.grid, StoredValues(stored))]
    assert any(words in word for word in told), told


def test_a_missing_image_and_one_twice_are_found(plain, folder):
    files = sorted(folder.iterdir())
    files[2].unlink()
    assert "images for" in verify_mr_series(folder, plain.ct.grid)[0].words
    shutil.copy(files[3], files[2])
    assert verify_mr_series(folder, plain.ct.grid)


def test_what_cannot_be_is_refused_and_nothing_is_written(plain, tmp_path):
    mr = synthetic(plain)
    with pytest.raises(GeometryError, match="not on the grid"):
        write_mr_series(Volume(mr.array[1:], mr.geometry.crop((1, 0, 0), mr.array[1:].shape)), plain.ct, tmp_path / "smr", MAKER)
    with pytest.raises(ConfigError, match="no numbers"):
        write_mr_series(Volume(np.full_like(mr.array, np.nan), mr.geometry), plain.ct, tmp_path / "smr", MAKER)
    assert not (tmp_path / "smr").exists()
    (tmp_path / "smr").mkdir()
    (tmp_path / "smr" / "mine.txt").touch()
    with pytest.raises(OutputError, match="holds something already"):
        write_mr_series(mr, plain.ct, tmp_path / "smr", MAKER)
    assert [path.name for path in (tmp_path / "smr").iterdir()] == ["mine.txt"]


def test_one_value_everywhere_is_written(plain, tmp_path):
    mr = synthetic(plain)
    written = write_mr_series(Volume(np.full_like(mr.array, 7.0), mr.geometry), plain.ct, tmp_path / "smr", MAKER)
    assert (written.lowest, written.step) == (7.0, 1.0)


@wants_dciodvfy
@pytest.mark.parametrize(
    "name",
    ["HFS", pytest.param("oblique", marks=pytest.mark.conformance), pytest.param("slice gap", marks=pytest.mark.conformance)],
)
def test_dciodvfy_finds_no_error(tmp_path, name):
    each = case(tmp_path, GEOMETRIES[name], "Müller^Änne")
    write_mr_series(synthetic(each), each.ct, tmp_path / "smr", MAKER)
    for file in sorted((tmp_path / "smr").iterdir())[:3]:
        assert errors(file) == []
