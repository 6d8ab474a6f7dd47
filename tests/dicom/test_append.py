"""Organs added to a structure set: what was there stays to the byte, what is new is verified, the source is never touched."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
from dciodvfy import TOOL, errors, wants_dciodvfy
from phantoms import axial_geometry
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid
from rtstruct_cases import MAKER, case

from rtseg.core import InputError, OutputError, Structure, StructureSet
from rtseg.core.anatomy import organ
from rtseg.dicom import CtGrid, SliceIdentity, read_ct_grid, read_rtstruct
from rtseg.dicom.append import Clash, append
from rtseg.dicom.export import Export, WrittenRoi
from rtseg.dicom.planning_ct import SeriesIdentity
from rtseg.dicom.rtstruct_file import load_rtstruct
from rtseg.dicom.rtstruct_writer import write_rtstruct
from rtseg.dicom.verify import Expected, verify

EXPORT = Export(MAKER)
SEQUENCES = ("StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return case(tmp_path_factory.mktemp("plain"), axial_geometry())


@pytest.fixture(scope="module")
def old(plain, tmp_path_factory):
    """A structure set that holds the left parotid and a private group, as another maker might have written it."""
    path = tmp_path_factory.mktemp("old") / "old.dcm"
    write_rtstruct(plain.organs.subset(["Parotid_L"]), plain.ct, path, EXPORT)
    rs = dcmread(path)
    rs.Manufacturer = "Somebody"
    rs.ROIContourSequence[0].private_block(0x3287, "SOMEBODY", create=True).add_new(1, "LO", "hidden")
    rs.StructureSetROISequence[0].ROINumber = rs.ROIContourSequence[0].ReferencedROINumber = 7
    rs.RTROIObservationsSequence[0].ReferencedROINumber, rs.RTROIObservationsSequence[0].ObservationNumber = 7, 12
    rs.ReviewDate, rs.ReviewTime, rs.ReviewerName = "20260101", "120000", "Somebody"
    rs.save_as(path)
    return path


def new(plain, *names):
    return plain.organs.subset(list(names))


def raw(item):
    """An item as the bytes that stand in the file."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, item)
    return buffer.getvalue()


def test_old_and_new_stand_there_and_the_source_is_as_it_was(plain, old, tmp_path):
    before = old.read_bytes()
    written = append(new(plain, "Parotid_R", "Brainstem"), plain.ct, old, tmp_path / "new.dcm", EXPORT)
    assert old.read_bytes() == before
    read = read_rtstruct(tmp_path / "new.dcm", plain.ct)
    assert read.findings == ()
    assert [roi.number for roi in read.rois] == [7, 13, 14]  # behind the largest number of all three sequences
    for name in plain.organs:
        assert np.array_equal(read.structures.mask(name).array, plain.organs.mask(name).array)
    assert len({roi.colour for roi in read.rois}) == 3
    assert written.sop_instance_uid != dcmread(old).SOPInstanceUID
    assert verify(tmp_path / "new.dcm", plain.ct.grid, Expected(plain.organs)).defects == ()


def test_old_items_stay_to_the_byte(plain, old, tmp_path):
    append(new(plain, "Brainstem"), plain.ct, old, tmp_path / "new.dcm", EXPORT)
    one, two = dcmread(old), dcmread(tmp_path / "new.dcm")
    for keyword in SEQUENCES:
        assert raw(one[keyword][0]) == raw(two[keyword][0])
    for keyword in ("Manufacturer", "StructureSetLabel", "StudyInstanceUID", "FrameOfReferenceUID", "PatientName"):
        assert one[keyword] == two[keyword]


def test_it_is_new_unapproved_and_tells_where_it_comes_from(plain, old, tmp_path):
    append(new(plain, "Brainstem"), plain.ct, old, tmp_path / "new.dcm", EXPORT)
    one, two = dcmread(old), dcmread(tmp_path / "new.dcm")
    (predecessor,) = two.PredecessorStructureSetSequence
    assert predecessor.ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert two.SeriesInstanceUID != one.SeriesInstanceUID
    assert two.file_meta.MediaStorageSOPInstanceUID == two.SOPInstanceUID
    assert two.ApprovalStatus == "UNAPPROVED"
    assert not {"ReviewDate", "ReviewTime", "ReviewerName"} & set(two.dir())
    (equipment,) = two.ContributingEquipmentSequence
    assert equipment.Manufacturer == "rtseg"
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109103"
    frame = two.ReferencedFrameOfReferenceSequence[0]
    images = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence
    uids = [image.ReferencedSOPInstanceUID for image in images]
    assert len(uids) == len(set(uids)) == plain.ct.volume.geometry.shape[0]


def test_images_that_are_missing_in_the_list_are_added_once(plain, old, tmp_path):
    rs = dcmread(old)
    series = rs.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    series.ContourImageSequence = Sequence(list(series.ContourImageSequence)[:5])
    rs.save_as(tmp_path / "few.dcm")
    append(new(plain, "Brainstem"), plain.ct, tmp_path / "few.dcm", tmp_path / "new.dcm", EXPORT)
    two = dcmread(tmp_path / "new.dcm")
    series = two.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert len(series.ContourImageSequence) == plain.ct.volume.geometry.shape[0]


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID"])
def test_a_structure_set_of_somebody_else_is_refused(plain, old, tmp_path, keyword):
    rs = dcmread(old)
    setattr(rs, keyword, "1.2.3")
    rs.save_as(tmp_path / "other.dcm")
    with pytest.raises(InputError, match=f"of another {keyword}"):
        append(new(plain, "Brainstem"), plain.ct, tmp_path / "other.dcm", tmp_path / "new.dcm", EXPORT)
    assert not (tmp_path / "new.dcm").exists()


def test_another_frame_of_reference_or_series_is_refused(plain, old, tmp_path):
    rs = dcmread(old)
    frame = rs.ReferencedFrameOfReferenceSequence[0]
    frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].SeriesInstanceUID = generate_uid()
    rs.save_as(tmp_path / "series.dcm")
    rs.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = generate_uid()
    rs.save_as(tmp_path / "frame.dcm")
    for name, words in (("series", "another series"), ("frame", "another frame of reference")):
        with pytest.raises(InputError, match=words):
            append(new(plain, "Brainstem"), plain.ct, tmp_path / f"{name}.dcm", tmp_path / "new.dcm", EXPORT)


def test_an_approved_one_is_added_to_only_if_that_is_asked_for(plain, old, tmp_path):
    rs = dcmread(old)
    rs.ApprovalStatus = "APPROVED"
    rs.save_as(tmp_path / "approved.dcm")
    with pytest.raises(InputError, match=r"APPROVED.*--allow-approved"):
        append(new(plain, "Brainstem"), plain.ct, tmp_path / "approved.dcm", tmp_path / "new.dcm", EXPORT)
    append(new(plain, "Brainstem"), plain.ct, tmp_path / "approved.dcm", tmp_path / "new.dcm", Export(MAKER, allow_approved=True))
    assert dcmread(tmp_path / "new.dcm").ApprovalStatus == "UNAPPROVED"


def renamed(old, tmp_path, name):
    rs = dcmread(old)
    rs.StructureSetROISequence[0].ROIName = name
    rs.RTROIObservationsSequence[0].RTRelatedROISequence = Sequence([Dataset()])
    rs.RTROIObservationsSequence[0].RTRelatedROISequence[0].ReferencedROINumber = 7
    rs.save_as(tmp_path / "renamed.dcm")
    return tmp_path / "renamed.dcm"


def test_a_name_that_is_there_is_refused_without_regard_to_case(plain, old, tmp_path):
    source = renamed(old, tmp_path, "BRAINSTEM")
    with pytest.raises(InputError, match=r"BRAINSTEM: there already.*--clash replace"):
        append(new(plain, "Brainstem"), plain.ct, source, tmp_path / "new.dcm", EXPORT)


def test_a_name_that_is_there_is_replaced_in_all_three_sequences(plain, old, tmp_path):
    rs = dcmread(old)
    source = tmp_path / "two.dcm"
    append(new(plain, "Brainstem"), plain.ct, old, source, EXPORT)
    rs = dcmread(source)
    rs.RTROIObservationsSequence[0].RTRelatedROISequence = Sequence([Dataset(), Dataset()])
    for item, number in zip(rs.RTROIObservationsSequence[0].RTRelatedROISequence, (13, 7), strict=True):
        item.ReferencedROINumber = number
    rs.save_as(source)
    other = StructureSet(plain.organs.geometry, {"Brainstem": plain.organs["Parotid_R"]})
    append(other, plain.ct, source, tmp_path / "new.dcm", EXPORT, Clash.REPLACE)
    read = read_rtstruct(tmp_path / "new.dcm", plain.ct)
    assert [(roi.number, roi.name) for roi in read.rois] == [(7, "Parotid_L"), (14, "Brainstem")]
    assert np.array_equal(read.structures.mask("Brainstem").array, plain.organs.mask("Parotid_R").array)
    (related,) = dcmread(tmp_path / "new.dcm").RTROIObservationsSequence[0].RTRelatedROISequence
    assert related.ReferencedROINumber == 7


def test_a_name_that_is_there_gets_a_number_behind_it(plain, old, tmp_path):
    source = renamed(old, tmp_path, "Brainstem")
    append(new(plain, "Brainstem"), plain.ct, source, tmp_path / "new.dcm", EXPORT, Clash.SUFFIX)
    append(new(plain, "Brainstem"), plain.ct, tmp_path / "new.dcm", tmp_path / "newer.dcm", EXPORT, Clash.SUFFIX)
    assert [roi.name for roi in load_rtstruct(tmp_path / "newer.dcm").rois] == ["Brainstem", "Brainstem_2", "Brainstem_3"]
    observation = dcmread(tmp_path / "newer.dcm").RTROIObservationsSequence[2]
    assert (
        observation.RTROIIdentificationCodeSequence[0].CodeValue == organ("Brainstem").code.value
    )  # the code follows the organ, not the name


def test_a_second_body_is_refused(plain, tmp_path):
    body = Structure.from_full(plain.ct.volume.array > -500)
    organs = StructureSet(plain.organs.geometry, {"External": body})
    write_rtstruct(organs, plain.ct, tmp_path / "body.dcm", EXPORT)
    with pytest.raises(OutputError, match="one external contour, got beside the one that is there"):
        append(organs, plain.ct, tmp_path / "body.dcm", tmp_path / "new.dcm", EXPORT, Clash.SUFFIX)
    append(organs, plain.ct, tmp_path / "body.dcm", tmp_path / "new.dcm", EXPORT, Clash.REPLACE)


def test_a_name_that_the_character_set_cannot_spell_turns_the_file_into_utf_8(plain, old, tmp_path):
    rs = dcmread(old)
    rs.SpecificCharacterSet = "ISO_IR 100"
    rs.StructureSetROISequence[0].ROIName = "Speicheldrüse"
    rs.save_as(tmp_path / "latin.dcm")
    export = Export(MAKER, names={"Brainstem": WrittenRoi("Ствол")})
    append(new(plain, "Brainstem"), plain.ct, tmp_path / "latin.dcm", tmp_path / "new.dcm", export)
    two = dcmread(tmp_path / "new.dcm")
    assert two.SpecificCharacterSet == "ISO_IR 192"
    assert [item.ROIName for item in two.StructureSetROISequence] == ["Speicheldrüse", "Ствол"]
    assert two.PatientName == rs.PatientName


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_numbers_keep_their_text_whatever_the_encoding_was(plain, old, tmp_path, syntax):
    rs = dcmread(old)
    contour = rs.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [f"{float(number):+.5f}" for number in contour.ContourData]
    rs.file_meta.TransferSyntaxUID = syntax
    dcmwrite(tmp_path / "other.dcm", rs)
    append(new(plain, "Brainstem"), plain.ct, tmp_path / "other.dcm", tmp_path / "new.dcm", EXPORT)
    files = load_rtstruct(tmp_path / "other.dcm"), load_rtstruct(tmp_path / "new.dcm")
    assert files[0].rois[0].contours == files[1].rois[0].contours
    assert b"+" in files[1].rois[0].contours[0].data


def test_into_memory_and_out_of_it(plain, old):
    target = io.BytesIO()
    written = append(new(plain, "Brainstem"), plain.ct, io.BytesIO(old.read_bytes()), target, EXPORT)
    assert written.path is None
    assert list(read_rtstruct(target, plain.ct).structures) == ["Parotid_L", "Brainstem"]


def test_the_source_is_never_written_over(plain, old):
    digest = hashlib.sha256(old.read_bytes()).hexdigest()
    with pytest.raises(OutputError, match="stays as it is"):
        append(new(plain, "Brainstem"), plain.ct, old, old, replace(EXPORT, overwrite=True))
    assert hashlib.sha256(old.read_bytes()).hexdigest() == digest


def test_what_is_no_structure_set_is_refused(plain, tmp_path):
    for path in (plain.ct.identity.slices[0].path, tmp_path / "none.dcm"):
        with pytest.raises(InputError, match=r"is not an RTSTRUCT|cannot be read"):
            append(new(plain, "Brainstem"), plain.ct, path, tmp_path / "new.dcm", EXPORT)


@wants_dciodvfy
def test_dciodvfy_finds_no_error_that_was_not_there(plain, old, tmp_path):
    append(new(plain, "Brainstem"), plain.ct, old, tmp_path / "new.dcm", EXPORT)
    assert set(errors(tmp_path / "new.dcm")) <= set(errors(old))


def box(geometry):
    """A box amid the grid, of 3 slices."""
    middle = tuple(n // 2 for n in geometry.shape)
    return Structure(np.ones((min(3, geometry.shape[0] - middle[0]), 4, 5), dtype=np.bool_), middle)


@pytest.mark.parametrize("patient", ["STS_019", "STS_042"])
def test_mim_files_are_added_to_and_keep_their_contours(test_data, tmp_path, patient):
    folder = test_data(f"sts_ct_mr/dicom/{patient}")
    ct = read_ct_grid(folder / "CT")
    organs = StructureSet(ct.geometry, {"Bladder": box(ct.geometry)})
    append(organs, ct, folder / "RS_CT.dcm", tmp_path / "new.dcm", EXPORT)
    one, two = load_rtstruct(folder / "RS_CT.dcm"), load_rtstruct(tmp_path / "new.dcm")
    assert two.rois[: len(one.rois)] == one.rois
    assert [roi.name for roi in two.rois[len(one.rois) :]] == ["Bladder"]
    if TOOL is not None:
        assert len(errors(tmp_path / "new.dcm")) <= len(errors(folder / "RS_CT.dcm"))


@pytest.mark.parametrize(
    "name", ["eclipse_8.1_prostate_phantom", "monaco_srs_phantom", "monaco_tiny", "pinnacle_9.6_dvh_phantom"]
)
def test_files_of_other_vendors_are_added_to_and_keep_their_contours(test_data, tmp_path, name):
    path = test_data(f"rt_real/rtstruct_only/{name}.dcm")
    rs, file = dcmread(path, force=True), load_rtstruct(path)
    z = sorted({round(float(c.points()[0, 2]), 3) for roi in file.rois for c in roi.contours if c.points() is not None})
    spacing = np.diff(z).min() if len(z) > 1 else 1.0
    geometry = replace(axial_geometry(), origin=np.array([-50.0, -50.0, z[0]]))
    geometry = type(geometry).regular((3, 64, 64), (float(spacing), 1.0, 1.0), (-50.0, -50.0, z[0]))
    images = tuple(
        SliceIdentity("1.2.840.10008.5.1.4.1.1.2", f"1.2.3.{i}", ("-50", "-50", f"{mm:.3f}"), path)
        for i, mm in enumerate(geometry.points(np.array([[i, 0, 0] for i in range(3)]))[:, 2])
    )
    header = Dataset()
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID"):
        if keyword in rs:
            header[keyword] = rs[keyword]
    series = next(iter(file.series), "1.2.3")
    identity = SeriesIdentity(header, rs.StudyInstanceUID, series, file.rois[0].frame_of_reference_uid, images)
    organs = StructureSet(geometry, {"Nerv_Optic_L": box(geometry)})
    append(organs, CtGrid(geometry, identity), path, tmp_path / "new.dcm", EXPORT)
    two = load_rtstruct(tmp_path / "new.dcm")
    assert two.rois[: len(file.rois)] == file.rois
    assert two.rois[-1].name == "Nerv_Optic_L"
