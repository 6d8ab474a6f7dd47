"""Oddities of structure sets met in the wild, one small file each: all are read exactly, most with a word."""

import io
import shutil

import numpy as np
import pytest
from phantoms import axial_geometry
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from rtstruct_cases import case

from rtseg.dicom import read_ct_grid, read_rtstruct
from rtseg.dicom.rtstruct_file import CONTOUR_BYTES


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return case(tmp_path_factory.mktemp("plain"), axial_geometry())


def renumbered(rs, numbers):
    for item, contours, observation, number in zip(
        rs.StructureSetROISequence, rs.ROIContourSequence, rs.RTROIObservationsSequence, numbers, strict=True
    ):
        item.ROINumber = contours.ReferencedROINumber = observation.ReferencedROINumber = number


def odd_numbers(rs):
    renumbered(rs, (0, -3, 700))


def observations_first(rs):
    rs.RTROIObservationsSequence = Sequence(list(rs.RTROIObservationsSequence)[::-1])
    rs.ROIContourSequence = Sequence(list(rs.ROIContourSequence)[::-1])


def no_image_in_contours(rs):
    for roi in rs.ROIContourSequence:
        for contour in roi.ContourSequence:
            del contour.ContourImageSequence


def float_colours(rs):
    for roi in rs.ROIContourSequence:
        roi["ROIDisplayColor"] = DataElement(roi["ROIDisplayColor"].tag, "DS", ["255.0", "1.0", "0.0"])


def no_colours(rs):
    for roi in rs.ROIContourSequence:
        del roi.ROIDisplayColor


def frame_only_in_the_reference(rs):
    del rs.FrameOfReferenceUID
    for item in rs.StructureSetROISequence:
        del item.ReferencedFrameOfReferenceUID


def no_study_reference(rs):
    del rs.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence


def no_references_at_all(rs):
    del rs.ReferencedFrameOfReferenceSequence


def private_groups(rs):
    for item in (rs, rs.StructureSetROISequence[0], rs.ROIContourSequence[0].ContourSequence[0]):
        item.private_block(0x3287, "VENDOR", create=True).add_new(1, "UN", b"\1\2\3\4")


def trailing_nul(rs):
    for contour in rs.ROIContourSequence[0].ContourSequence:
        text = "\\".join(str(number) for number in contour.ContourData).encode()
        contour[0x30060050] = DataElement(0x30060050, "OB", text + b"\0" * (2 - len(text) % 2))


def names_with_blanks(rs):
    for item in rs.StructureSetROISequence:
        item["ROIName"] = DataElement(item["ROIName"].tag, "LO", f"{item.ROIName} ")


def several_frames_of_reference(rs):
    other = Dataset()
    other.FrameOfReferenceUID = generate_uid()
    rs.ReferencedFrameOfReferenceSequence = Sequence([other, rs.ReferencedFrameOfReferenceSequence[0]])


def no_character_set(rs):
    if "SpecificCharacterSet" in rs:
        del rs.SpecificCharacterSet


@pytest.mark.parametrize(
    "spoil",
    [
        *(odd_numbers, observations_first, no_image_in_contours, float_colours, no_colours, frame_only_in_the_reference),
        *(no_study_reference, no_references_at_all, private_groups, trailing_nul, names_with_blanks),
        *(several_frames_of_reference, no_character_set),
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_every_voxel_is_read(plain, spoil):
    rs = dcmread(plain.path)
    spoil(rs)
    buffer = io.BytesIO()
    rs.save_as(buffer)
    read = read_rtstruct(buffer, plain.ct)
    assert set(read.structures) == set(plain.organs)
    assert all(np.array_equal(read.structures.mask(name).array, plain.organs.mask(name).array) for name in plain.organs)


@pytest.mark.filterwarnings("ignore")
def test_contours_of_unknown_vr_are_read_in_both_byte_forms(plain, tmp_path):
    """UN with a length of 32 bits is text as it stands; a whole file of explicit VR keeps it so."""
    rs = dcmread(plain.path)
    rs.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for roi in rs.ROIContourSequence:
        for contour in roi.ContourSequence:
            text = "\\".join(str(number) for number in contour.ContourData).encode()
            contour[0x30060050] = DataElement(0x30060050, "UN", text + b" " * (len(text) % 2))
    dcmwrite(tmp_path / "un.dcm", rs)
    read = read_rtstruct(tmp_path / "un.dcm", plain.ct)
    assert all(np.array_equal(read.structures.mask(name).array, plain.organs.mask(name).array) for name in plain.organs)


def test_a_wrong_character_set_costs_letters_not_the_file(plain, tmp_path):
    rs = dcmread(plain.path)
    rs.SpecificCharacterSet = "ISO_IR 100"
    rs.StructureSetROISequence[0].ROIName = "Speicheldrüse"
    rs.save_as(tmp_path / "latin.dcm")
    data = (tmp_path / "latin.dcm").read_bytes().replace(b"ISO_IR 100", b"ISO_IR 999")
    (tmp_path / "wrong.dcm").write_bytes(data)
    read = read_rtstruct(tmp_path / "wrong.dcm", plain.ct)
    first = next(iter(read.structures))
    assert first.startswith("Speicheldr")
    assert np.array_equal(read.structures.mask(first).array, plain.organs.mask("Parotid_L").array)


def test_many_loops_in_one_place_and_loops_below_a_pixel(plain):
    """Seven loops of 0.12 mm round pixel centres are seven voxels; beside centres they are none."""
    rs = dcmread(plain.path)
    grid = plain.ct.volume.geometry
    contours = rs.ROIContourSequence[2].ContourSequence
    keep = contours[0]
    loops = []
    for column in range(10, 17):
        for beside in (0.0, 0.4):
            centre = grid.points([[5, 8, column + beside]])[0]
            corners = centre + 0.06 * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
            item = Dataset()
            item.ContourImageSequence = keep.ContourImageSequence
            item.ContourGeometricType = "CLOSED_PLANAR"
            item.NumberOfContourPoints = 4
            item.ContourData = [f"{x:.3f}" for x in corners.ravel()]
            loops.append(item)
    rs.ROIContourSequence[2].ContourSequence = Sequence(loops)
    buffer = io.BytesIO()
    rs.save_as(buffer)
    found = np.argwhere(read_rtstruct(buffer, plain.ct).structures.mask("Brainstem").array)
    assert found.tolist() == [[5, 8, column] for column in range(10, 17)]


def test_a_contour_beyond_the_limit_is_refused_before_it_is_parsed(plain, tmp_path):
    rs = dcmread(plain.path)
    contour = rs.ROIContourSequence[0].ContourSequence[0]
    contour[0x30060050] = DataElement(0x30060050, "OB", b"0\\" * (CONTOUR_BYTES // 2 + 1))
    rs.save_as(tmp_path / "long.dcm")
    (finding,) = [f for f in read_rtstruct(tmp_path / "long.dcm", plain.ct).findings if f.kind == "contour_unreadable"]
    assert finding.value == 1


def test_other_files_in_the_folder_of_the_ct_do_not_matter(plain, tmp_path):
    """A dose, a DICOMDIR, text, and the structure set itself beside the slices, in any order of names."""
    folder = tmp_path / "mixed"
    shutil.copytree(plain.path.parent / "ct", folder)
    for number, file in enumerate(sorted(folder.iterdir(), reverse=True)):
        file.rename(folder / f"{number:03d}")
    shutil.copy(plain.path, folder / "000rs.dcm")
    dose = dcmread(plain.path)
    dose.SOPClassUID = dose.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"
    dose.Modality, dose.SeriesInstanceUID = "RTDOSE", generate_uid()
    dose.save_as(folder / "dose.dcm")
    (folder / "DICOMDIR").write_bytes(b"\0" * 200)
    (folder / "notes.txt").write_text("patient moved")
    read = read_rtstruct(folder / "000rs.dcm", read_ct_grid(folder))
    assert all(np.array_equal(read.structures.mask(name).array, plain.organs.mask(name).array) for name in plain.organs)
