"""The ten checks: every file that we write is good, and each fault is found, one file each."""

import io
import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from phantoms import axial_geometry, without_slices
from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from rtstruct_cases import GEOMETRIES, MAKER, case

from rtseg.core import InputError, Structure, StructureSet
from rtseg.dicom import read_ct_grid
from rtseg.dicom.export import Export
from rtseg.dicom.rtstruct_writer import write_rtstruct
from rtseg.dicom.verify import CHECKS, Expected, verify


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return case(tmp_path_factory.mktemp("plain"), axial_geometry())


@pytest.fixture
def rs(plain):
    return dcmread(plain.path)


@pytest.fixture
def defects(plain):
    """(kind, words) of the defects of an edited structure set, against what was meant."""

    def of(rs, expected=None):
        buffer = io.BytesIO()
        rs.save_as(buffer)
        return [(finding.kind, finding.words) for finding in verify(buffer, plain.ct.grid, expected).defects]

    return of


def words(found):
    """What is warned of, save that phantoms have no adult's volumes."""
    return [warning.words for warning in found.warnings if "adults have" not in warning.words]


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_file_that_we_write_is_good(tmp_path, name):
    each = case(tmp_path, GEOMETRIES[name])
    found = verify(each.path, read_ct_grid(tmp_path / "ct"), Expected(each.organs))
    assert (found.defects, words(found)) == ((), [])
    assert found.is_good


def first_contour(rs):
    return rs.ROIContourSequence[0].ContourSequence[0]


def set_points(contour, numbers):
    contour.ContourData = [f"{number:.3f}" for number in numbers]
    contour.NumberOfContourPoints = len(numbers) // 3


def points_of(contour):
    return [float(number) for number in contour.ContourData]


FAULTS = []


def spoils(kind, words):
    def keep(spoil):
        FAULTS.append(pytest.param(spoil, kind, words, id=spoil.__name__))
        return spoil

    return keep


@spoils("verify_file", "MediaStorageSOPInstanceUID")
def other_uid_in_the_file_meta(rs):
    rs.SOPInstanceUID = generate_uid()


@spoils("verify_encoding", "SOP class")
def another_class(rs):
    rs.SOPClassUID = rs.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"


@spoils("verify_encoding", "transfer syntax")
def explicit(rs):
    rs.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


@spoils("verify_encoding", "StructureSetLabel is longer than 16")
def long_label(rs):
    rs["StructureSetLabel"] = DataElement(rs["StructureSetLabel"].tag, "LO", "A LABEL OF 23 LETTERS ..")


@spoils("verify_modules", "StructureSetDate of the module Structure Set is missing")
def no_date(rs):
    del rs.StructureSetDate


@spoils("verify_modules", "ROIInterpreter in an item of RTROIObservationsSequence is missing")
def no_interpreter(rs):
    del rs.RTROIObservationsSequence[0].ROIInterpreter


@spoils("verify_modules", "StructureSetLabel of the module Structure Set is empty")
def empty_label(rs):
    rs.StructureSetLabel = ""


@spoils("verify_identity", "PatientID is not the CT's")
def another_patient(rs):
    rs.PatientID = "P-2"


@spoils("verify_identity", "StudyInstanceUID is not the CT's")
def another_study(rs):
    rs.StudyInstanceUID = generate_uid()


@spoils("verify_identity", "series UID of the CT")
def series_of_the_ct(rs):
    frame = rs.ReferencedFrameOfReferenceSequence[0]
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    rs.SeriesInstanceUID = series.SeriesInstanceUID


@spoils("verify_identity", "series and instance have the same UID")
def instance_of_the_series(rs):
    rs.SOPInstanceUID = rs.SeriesInstanceUID


@spoils("verify_identity", "Parotid_R lies in another frame of reference")
def roi_of_another_frame(rs):
    rs.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = generate_uid()


@spoils("verify_references", "1 of 40 images of the CT are not in the list")
def image_not_listed(rs):
    del images(rs)[3]


@spoils("verify_references", "1 images stand in the list more than once")
def image_listed_twice(rs):
    images(rs).append(deepcopy(images(rs)[0]))


@spoils("verify_references", "another SOP class")
def image_of_another_class(rs):
    images(rs)[0].ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"


@spoils("verify_references", "a contour with 0 images named")
def contour_without_image(rs):
    del first_contour(rs).ContourImageSequence


@spoils("verify_references", "a contour on another slice than the image it names")
def contour_of_another_image(rs):
    other = rs.ROIContourSequence[0].ContourSequence[5].ContourImageSequence
    first_contour(rs).ContourImageSequence = deepcopy(other)


@spoils("verify_references", "a contour off the plane")
def contour_off_its_plane(rs):
    contour = first_contour(rs)
    numbers = points_of(contour)
    numbers[2::3] = [z + 0.003 for z in numbers[2::3]]
    set_points(contour, numbers)


@spoils("verify_rois", "2 ROIs have the number 1")
def same_number(rs):
    rs.StructureSetROISequence[1].ROINumber = 1


@spoils("verify_rois", "0 items in RTROIObservationsSequence")
def no_observation(rs):
    del rs.RTROIObservationsSequence[0]


@spoils("verify_rois", "PAROTID_L: names of several ROIs")
def same_name(rs):
    rs.StructureSetROISequence[1].ROIName = "PAROTID_L"


@spoils("verify_rois", "the type 'KIDNEY'")
def another_type(rs):
    rs.RTROIObservationsSequence[0].RTROIInterpretedType = "KIDNEY"


@spoils("verify_rois", "does not identify the algorithm")
def no_algorithm(rs):
    del rs.StructureSetROISequence[0].ROIDerivationAlgorithmIdentificationSequence


@spoils("verify_rois", "have the same colour")
def same_colour(rs):
    rs.ROIContourSequence[1].ROIDisplayColor = rs.ROIContourSequence[0].ROIDisplayColor


@spoils("verify_rois", "no lawful colour")
def unlawful_colour(rs):
    rs.ROIContourSequence[1].ROIDisplayColor = [0, 0, 300]


@spoils("verify_rois", "there is one external contour at most")
def two_bodies(rs):
    for item in rs.RTROIObservationsSequence[:2]:
        item.RTROIInterpretedType = "EXTERNAL"


@spoils("verify_contours", "another number of points than it says")
def wrong_count(rs):
    first_contour(rs).NumberOfContourPoints = 99


@spoils("verify_contours", "of the type OPEN_PLANAR")
def an_open_contour(rs):
    first_contour(rs).ContourGeometricType = "OPEN_PLANAR"


@spoils("verify_contours", "of fewer than 3 points")
def two_points(rs):
    set_points(first_contour(rs), points_of(first_contour(rs))[:6])


@spoils("verify_contours", "a point twice in a row")
def first_point_repeated(rs):
    numbers = points_of(first_contour(rs))
    set_points(first_contour(rs), [*numbers, *numbers[:3]])


@spoils("verify_contours", "without an area")
def there_and_back(rs):
    numbers = points_of(first_contour(rs))[:9]
    set_points(first_contour(rs), [*numbers, *numbers[3:6]])


@spoils("verify_contours", "beyond the border of the image")
def outside(rs):
    numbers = points_of(first_contour(rs))
    set_points(first_contour(rs), [numbers[0] + 300, *numbers[1:]])


@spoils("verify_contours", "that crosses itself")
def a_bow_tie(rs):
    contour = rs.ROIContourSequence[0].ContourSequence[4]
    numbers = points_of(contour)
    half = len(numbers) // 6 * 3
    set_points(contour, [*numbers[half : half + 3], *numbers[3:half], *numbers[:3], *numbers[half + 3 :]])


@spoils("verify_contours", "no whole triples of finite numbers")
def a_number_short(rs):
    contour = first_contour(rs)
    contour.ContourData = contour.ContourData[:-1]


@spoils("verify_contours", "1 contours stand there more than once")
def a_contour_twice(rs):
    contours = rs.ROIContourSequence[0].ContourSequence
    contours.append(deepcopy(contours[0]))


@spoils("verify_numbers", "more than 3 decimals")
def four_decimals(rs):
    contour = first_contour(rs)
    contour.ContourData = [f"{float(number):.4f}" for number in contour.ContourData]


@pytest.mark.filterwarnings("ignore:.*maximum length of 16")
@spoils("verify_numbers", "more than 16 characters")
def long_numbers(rs):
    contour = first_contour(rs)
    text = "\\".join(f"{float(number):.15f}" for number in contour.ContourData)
    contour[0x30060050] = DataElement(0x30060050, "OB", (text + " " * (len(text) % 2)).encode())


@spoils("verify_masks", "Parotid_L reads back with")
def one_contour_lost(rs):
    del rs.ROIContourSequence[0].ContourSequence[3]


@spoils("verify_masks", "Brainstem is not in the structure set")
def one_organ_lost(rs):
    for sequence in (rs.StructureSetROISequence, rs.ROIContourSequence, rs.RTROIObservationsSequence):
        del sequence[2]


def images(rs):
    frame = rs.ReferencedFrameOfReferenceSequence[0]
    return frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence


@pytest.mark.parametrize(("spoil", "kind", "words"), FAULTS)
def test_each_fault_is_found(plain, rs, defects, spoil, kind, words):
    slices = plain.ct.volume.geometry.shape[0]
    spoil(rs)
    told = defects(rs, Expected(plain.organs))
    assert any(k == kind and words.replace("of 40", f"of {slices}") in text for k, text in told), told


def test_the_faults_cover_every_check_but_the_last_which_warns():
    assert {param.values[1] for param in FAULTS} == set(CHECKS) - {"verify_plausible"}


def test_an_organ_that_nobody_asked_for_is_told(plain, rs, defects):
    told = defects(rs, Expected(plain.organs.subset(["Parotid_L", "Parotid_R"])))
    assert told == [("verify_masks", "Brainstem: nobody asked for it")]


def test_one_voxel_too_many_is_told(plain, rs, defects):
    organ = plain.organs["Brainstem"]
    mask = organ.mask.copy()
    mask[0, 0, 0] ^= True
    other = StructureSet(plain.organs.geometry, {**plain.organs.structures, "Brainstem": Structure(mask, organ.offset)})
    assert defects(rs, Expected(other)) == [("verify_masks", "Brainstem reads back with 1 other voxels")]


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP"])
def test_swapped_sides_are_told_however_the_patient_lies(tmp_path, position):
    each = case(tmp_path, GEOMETRIES[position])
    rs = dcmread(each.path)
    first, second = rs.StructureSetROISequence[:2]
    first.ROIName, second.ROIName = second.ROIName, first.ROIName
    rs.save_as(tmp_path / "swapped.dcm")
    (told,) = words(verify(tmp_path / "swapped.dcm", each.ct.grid))
    assert re.match("Parotid_L lies on the right of Parotid_R, by 5[0-9] mm", told)  # the balls are 56 mm apart


def test_an_organ_alone_on_the_other_side_of_the_body_is_told(plain, tmp_path):
    grid = plain.ct.volume.geometry
    body = Structure.from_full(plain.ct.volume.array > -500)
    organs = StructureSet(grid, {"External": body, "Parotid_R": plain.organs["Parotid_L"]})
    write_rtstruct(organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER))
    assert words(verify(tmp_path / "rs.dcm", plain.ct.grid)) == ["Parotid_R lies on the other side of the middle of External"]


def test_an_organ_outside_the_body_and_one_too_large_are_told(plain, tmp_path):
    grid = plain.ct.volume.geometry
    body = Structure.from_full(plain.ct.volume.array > -500)
    corner = np.zeros(grid.shape, dtype=np.bool_)
    corner[2:6, 1:4, 1:4] = True
    organs = StructureSet(grid, {"External": body, "Bladder": Structure.from_full(corner), "Lens_L": plain.organs["Parotid_L"]})
    write_rtstruct(organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER))
    found = verify(tmp_path / "rs.dcm", plain.ct.grid)
    assert words(found) == ["Bladder: 100 % of it lies outside External"]
    assert any(warning.words.startswith("Lens_L has 11.") for warning in found.warnings)  # a ball of 14 mm has 11.5 ml


def test_what_the_standard_leaves_free_is_a_warning_in_other_makers_files(plain, rs, tmp_path):
    rs.Manufacturer = "Somebody"
    for spoil in (contour_without_image, same_colour, four_decimals, no_algorithm):
        spoil(rs)
    rs.save_as(tmp_path / "other.dcm")
    found = verify(tmp_path / "other.dcm", plain.ct.grid)
    assert found.defects == ()
    kinds = {"verify_references", "verify_rois", "verify_numbers"}
    assert {warning.kind for warning in found.warnings if warning.words in words(found)} == kinds


def test_a_referenced_slice_that_is_missing_is_a_warning(plain, tmp_path):
    folder = tmp_path / "ct"
    folder.mkdir()
    for image in plain.ct.identity.slices[:-1]:
        (folder / image.path.name).write_bytes(image.path.read_bytes())
    found = verify(plain.path, read_ct_grid(folder))
    assert found.defects == ()
    assert words(found) == ["1 images in the list are not in the CT that was given"]


def test_what_is_unlawful_in_the_ct_and_copied_is_a_warning(plain, tmp_path):
    header = deepcopy(plain.ct.identity.header)
    header["StudyID"] = DataElement(0x00200010, "LO", "A STUDY ID OF 27 LETTERS ...")
    ct = replace(plain.ct, identity=replace(plain.ct.identity, header=header))
    write_rtstruct(plain.organs, ct, tmp_path / "rs.dcm", Export(MAKER))
    found = verify(tmp_path / "rs.dcm", ct.grid)
    assert found.defects == ()
    assert words(found) == ["StudyID is longer than 16 characters"]


def test_what_is_no_structure_set_is_refused(plain, tmp_path):
    with pytest.raises(InputError, match="is not an RTSTRUCT"):
        verify(plain.ct.identity.slices[0].path, plain.ct.grid)
    with pytest.raises(InputError, match="cannot be read"):
        verify(tmp_path / "none.dcm", plain.ct.grid)
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(InputError, match=r"text\.dcm"):
        verify(tmp_path / "text.dcm", plain.ct.grid)


@pytest.mark.filterwarnings("ignore")  # rt-utils uses what pydicom gives up
def test_a_gap_of_a_peer_is_told(tmp_path):
    """rt-utils puts contours on a grid of even slices: after two missing ones they lie off their images."""
    from rt_utils import RTStructBuilder

    each = case(tmp_path, without_slices(axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64)), (12, 13)))
    peer = RTStructBuilder.create_new(dicom_series_path=str(tmp_path / "ct"))
    place = {str(image.SOPInstanceUID): i for i, image in enumerate(peer.series_data)}
    order = np.argsort([place[image.sop_instance_uid] for image in each.ct.identity.slices])
    mask = each.organs.mask("Parotid_L").array
    peer.add_roi(mask=np.moveaxis(mask, 0, 2)[:, :, order], name="Parotid_L")
    peer.save(str(tmp_path / "peer.dcm"))
    found = verify(tmp_path / "peer.dcm", each.ct.grid, Expected(each.organs.subset(["Parotid_L"])))
    kinds = {defect.kind for defect in found.defects}
    assert {"verify_numbers", "verify_masks", "verify_references"} <= kinds


def test_vendors_files_have_the_faults_they_have_and_no_others(test_data):
    """MIM leaves out OperatorsName and has one UID for two things; the images it refers to are not those that are stored."""
    files = sorted(test_data("sts_ct_mr/dicom").glob("*/RS_CT.dcm"))
    assert files
    for file in files:
        found = verify(file, read_ct_grid(file.parent / "CT"))
        assert [defect.words for defect in found.defects] == [
            "OperatorsName of the module RT Series is missing",
            "series and instance have the same UID",
        ]
        assert any("images in the list are not in the CT" in warning.words for warning in found.warnings)


def test_a_thousand_contours_take_seconds(plain, tmp_path):
    """Against growth by the square: 34 slices of noise, tens of thousands of points."""
    noise = np.random.default_rng(3).random(plain.ct.volume.geometry.shape) < 0.5
    organs = StructureSet(plain.ct.volume.geometry, {"Bones": Structure.from_full(noise)})
    write_rtstruct(organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER))
    assert verify(tmp_path / "rs.dcm", plain.ct.grid, Expected(organs)).defects == ()


def test_an_item_that_is_no_data_set_does_not_stop_it(plain, rs, defects):
    rs.ROIContourSequence[0].ContourSequence = Sequence([Dataset()])
    assert any(kind == "verify_masks" for kind, _ in defects(rs, Expected(plain.organs)))
