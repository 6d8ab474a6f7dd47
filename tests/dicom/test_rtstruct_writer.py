"""Structure sets as files: masks to the voxel by a foreign rule, identity, numbers, names, refusals."""

import os
import re
import stat
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from phantoms import BALLS, axial_geometry, centroid, three_balls
from pydicom import DataElement, config, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import ImplicitVRLittleEndian
from rtstruct_cases import GEOMETRIES, MAKER, case

import rtseg.dicom
from rtseg.core import ConfigError, GeometryError, InputError, OutputError, Structure, StructureSet
from rtseg.dicom import read_planning_ct
from rtseg.dicom.export import Conversion, Export, Maker
from rtseg.dicom.rtstruct_items import distinct_colours
from rtseg.dicom.rtstruct_reader import read_rtstruct
from rtseg.dicom.rtstruct_writer import write_rtstruct


@pytest.fixture(scope="module", params=GEOMETRIES)
def each(request, tmp_path_factory):
    return case(tmp_path_factory.mktemp("case"), GEOMETRIES[request.param])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return case(tmp_path_factory.mktemp("plain"), axial_geometry())


def foreign_mask(roi, ct_paths, shape):
    """Even-odd by matplotlib at pixel centres, each contour on the image it names; no code of ours."""
    images = {(image := dcmread(path, stop_before_pixels=True)).SOPInstanceUID: (i, image) for i, path in enumerate(ct_paths)}
    mask = np.zeros(shape, dtype=bool)
    centres = np.argwhere(np.ones(shape[1:], dtype=bool))[:, ::-1]
    for contour in roi.ContourSequence:
        (reference,) = contour.ContourImageSequence
        i, image = images[reference.ReferencedSOPInstanceUID]
        along, down = np.reshape(np.array(image.ImageOrientationPatient, float), (2, 3))
        offset = np.array(contour.ContourData, float).reshape(-1, 3) - np.array(image.ImagePositionPatient, float)
        assert np.abs(offset @ np.cross(along, down)).max() <= 0.001
        points = np.stack([offset @ along / image.PixelSpacing[1], offset @ down / image.PixelSpacing[0]], axis=1)
        inside = Polygon(np.vstack([points, points[:1]]), closed=True).contains_points(centres).reshape(shape[1:])
        mask[i] ^= inside
    return mask


def test_every_mask_is_read_exactly_by_a_rule_of_others(each):
    rs = dcmread(each.path)
    names = {roi.ROINumber: roi.ROIName for roi in rs.StructureSetROISequence}
    paths = [image.path for image in each.ct.identity.slices]
    for roi in rs.ROIContourSequence:
        expected = each.organs.mask(names[roi.ReferencedROINumber]).array
        assert np.array_equal(foreign_mask(roi, paths, expected.shape), expected)


def test_every_mask_is_read_exactly_by_our_reader_and_left_is_left(each):
    contents = read_rtstruct(each.path, each.ct)
    assert list(contents.structures) == list(each.organs)
    assert contents.findings == ()
    for name, ball in BALLS.items():
        assert np.array_equal(contents.structures.mask(name).array, each.organs.mask(name).array)
        assert np.linalg.norm(centroid(contents.structures.mask(name)) - ball.centre) < 1.5  # mm, voxels are 2 to 2.5 mm


def test_numbers_are_short_plain_decimals(each):
    data = each.path.read_bytes()
    rs = dcmread(each.path)
    assert rs.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    texts = [str(n.original_string) for roi in rs.ROIContourSequence for c in roi.ContourSequence for n in c.ContourData]
    assert all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d{0,2}[1-9])?", text) and len(text) <= 16 for text in texts)
    assert "-0" not in texts
    assert data[128:132] == b"DICM"


def test_contours_lie_on_the_plane_of_their_own_image_at_a_gap(tmp_path):
    """Heights are the images' own, not index times mean spacing: every z of a contour is the z of an image, as text."""
    gap = case(tmp_path, GEOMETRIES["slice gap"])
    heights = {image.sop_instance_uid: float(image.position_text[2]) for image in gap.ct.identity.slices}
    assert len(set(np.round(np.diff(sorted(heights.values())), 3))) == 2
    for roi in dcmread(gap.path).ROIContourSequence:
        for contour in roi.ContourSequence:
            z = {float(n) for n in contour.ContourData[2::3]}
            assert z == {heights[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]}


def test_identity_is_the_cts_and_series_is_new(plain):
    rs, image = dcmread(plain.path), dcmread(plain.ct.identity.slices[0].path)
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime"):
        assert rs[keyword].value == image[keyword].value
    for keyword in ("StudyID", "AccessionNumber", "ReferringPhysicianName", "FrameOfReferenceUID", "PositionReferenceIndicator"):
        assert rs[keyword].value == image[keyword].value
    assert rs.SeriesInstanceUID != image.SeriesInstanceUID
    assert rs.SeriesInstanceUID.startswith("2.25.")
    assert rs.SOPInstanceUID == rs.file_meta.MediaStorageSOPInstanceUID == plain.written.sop_instance_uid
    assert rs.ApprovalStatus == "UNAPPROVED"
    assert re.fullmatch(r"RTSEG\d{8}", rs.StructureSetLabel)
    assert "not a medical device" in rs.StructureSetDescription
    assert "needs a human's review" in rs.StructureSetDescription


def test_each_image_is_referred_to_once(plain):
    (frame,) = dcmread(plain.path).ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    assert study.ReferencedSOPInstanceUID == plain.ct.identity.study_instance_uid
    assert series.SeriesInstanceUID == plain.ct.identity.series_instance_uid
    referred = [image.ReferencedSOPInstanceUID for image in series.ContourImageSequence]
    assert referred == [image.sop_instance_uid for image in plain.ct.identity.slices]


def test_each_roi_has_one_item_in_three_sequences_with_codes_and_maker(plain):
    rs = dcmread(plain.path)
    names = [roi.ROIName for roi in rs.StructureSetROISequence]
    assert names == list(plain.organs)
    assert [roi.ReferencedROINumber for roi in rs.ROIContourSequence] == [1, 2, 3]
    assert [roi.ReferencedROINumber for roi in rs.RTROIObservationsSequence] == [1, 2, 3]
    assert len({tuple(roi.ROIDisplayColor) for roi in rs.ROIContourSequence}) == 3
    roi, seen = rs.StructureSetROISequence[0], rs.RTROIObservationsSequence[0]
    assert (roi.ROIGenerationAlgorithm, roi.ROIGenerationDescription) == ("AUTOMATIC", "rtseg-ct-test 1.2 sha256:1a2b3c4d")
    assert roi.ROIDerivationAlgorithmIdentificationSequence[0].AlgorithmName == MAKER.model
    assert seen.RTROIInterpretedType == "ORGAN"
    assert seen.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "91723000"
    (code,) = seen.RTROIIdentificationCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("45289007", "SCT")  # parotid gland
    assert code.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"


def test_source_planes_stand_there_for_even_slices_only(plain, tmp_path):
    planes = dcmread(plain.path).ROIContourSequence[0].SourcePixelPlanesCharacteristicsSequence[0]
    assert (planes.NumberOfFrames, planes.Rows, planes.Columns, planes.SpacingBetweenSlices) == (34, 56, 64, 2.5)
    gap = case(tmp_path, GEOMETRIES["slice gap"])
    assert "SourcePixelPlanesCharacteristicsSequence" not in dcmread(gap.path).ROIContourSequence[0]


def organs_like(case_, **masks):
    return StructureSet(case_.ct.volume.geometry, {name: Structure.from_full(mask) for name, mask in masks.items()})


def awkward_masks(shape):
    """Masks that break writers: border, full image, one voxel, corner contact, ring with island, noise, many holes."""
    empty = np.zeros(shape, dtype=bool)
    full, single, corner, ringed, noise, sieve = (empty.copy() for _ in range(6))
    full[:] = True
    single[3, 5, 7] = True
    corner[4, [5, 6, 7], [5, 6, 7]] = True
    ringed[5, 5:30, 5:30] = True
    ringed[5, 8:27, 8:27] = False
    ringed[5, 15:18, 15:18] = True
    noise[6] = np.random.default_rng(3).random(shape[1:]) < 0.6
    sieve[7, :41, :41] = True
    sieve[7, 1:40:2, 1:40:2] = False
    return {"Full": full, "Single": single, "Corner": corner, "Ringed": ringed, "Noise": noise, "Sieve": sieve}


def test_awkward_masks_are_exact(plain, tmp_path):
    organs = organs_like(plain, **awkward_masks(plain.ct.volume.geometry.shape))
    written = write_rtstruct(organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER, label="AWKWARD"))
    rs = dcmread(written.path)
    assert rs.StructureSetLabel == "AWKWARD"
    paths = [image.path for image in plain.ct.identity.slices]
    for roi, name in zip(rs.ROIContourSequence, organs, strict=True):
        expected = organs.mask(name).array
        assert np.array_equal(foreign_mask(roi, paths, expected.shape), expected), name
    lengths = [len(contour.ContourData) for contour in rs.ROIContourSequence[5].ContourSequence]
    assert max(lengths) > 3000  # one keyholed polygon of many points: too long for a length of 16 bits in explicit VR


def test_organs_without_a_voxel_are_left_out_and_told(plain, tmp_path):
    nothing = np.zeros(plain.ct.volume.geometry.shape, dtype=bool)
    organs = StructureSet(plain.organs.geometry, {**plain.organs.structures, "Cochlea_L": Structure.from_full(nothing)})
    written = write_rtstruct(organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER))
    assert written.left_out == ("Cochlea_L",)
    assert [(f.kind, f.organ) for f in written.findings] == [("structure_empty", "Cochlea_L")]
    with pytest.raises(OutputError, match="no organ has a voxel"):
        write_rtstruct(organs.subset(["Cochlea_L"]), plain.ct, tmp_path / "none.dcm", Export(MAKER))
    assert not (tmp_path / "none.dcm").exists()


@pytest.mark.parametrize("name", ["", " Bladder", "Blad\\der", "Bladder\n", "B" * 65])
def test_unlawful_names_are_refused(plain, tmp_path, name):
    organs = organs_like(plain, **{name: plain.organs.mask("Brainstem").array})
    with pytest.raises(OutputError, match="cannot name an ROI"):
        write_rtstruct(organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER))
    assert list(tmp_path.iterdir()) == []


def test_names_that_differ_in_case_only_are_refused(plain, tmp_path):
    mask = plain.organs.mask("Brainstem").array
    with pytest.raises(OutputError, match="differ in case at most"):
        write_rtstruct(organs_like(plain, Lens=mask, lens=mask), plain.ct, tmp_path / "rs.dcm", Export(MAKER))


def test_long_names_are_written_and_told(plain, tmp_path):
    mask = plain.organs.mask("Brainstem").array
    organs = organs_like(plain, Musc_Constrict_Superior=mask, Musc_Constrict_S_inferior=mask)
    findings = write_rtstruct(organs.subset(["Musc_Constrict_Superior"]), plain.ct, tmp_path / "rs.dcm", Export(MAKER)).findings
    assert [f.kind for f in findings] == ["name_long"]
    findings = write_rtstruct(organs, plain.ct, tmp_path / "masks.dcm", Export(Conversion())).findings
    assert [f.kind for f in findings] == ["name_long", "name_long", "name_start_shared"]


def test_names_that_would_be_cut_to_one_are_refused_with_both(plain, tmp_path):
    mask = plain.organs.mask("Brainstem").array
    organs = organs_like(plain, Musc_Constrict_Superior=mask, Musc_Constrict_S_inferior=mask)
    with pytest.raises(OutputError, match="'Musc_Constrict_Superior' and 'Musc_Constrict_S_inferior' begin with the same 16"):
        write_rtstruct(organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER))
    assert not (tmp_path / "rs.dcm").exists()


def test_external_is_external_and_there_is_one(plain, tmp_path):
    organs = organs_like(plain, External=plain.ct.volume.array > -500, Unheard_Of=plain.organs.mask("Brainstem").array)
    write_rtstruct(organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER))
    external, unknown = dcmread(tmp_path / "rs.dcm").RTROIObservationsSequence
    assert (external.RTROIInterpretedType, unknown.RTROIInterpretedType) == ("EXTERNAL", "ORGAN")
    assert "RTROIIdentificationCodeSequence" not in unknown


def test_a_name_beyond_the_character_set_turns_the_file_into_utf_8(plain, tmp_path):
    """The CT is Latin-1 with a Latin-1 patient; an organ's Greek name does not fit: all text is encoded again, none lost."""
    ct_folder = tmp_path / "ct"
    ct_folder.mkdir()
    for image in plain.ct.identity.slices:
        data = dcmread(image.path)
        data.SpecificCharacterSet = "ISO_IR 100"
        data.PatientName = "Müller^Änne"
        data.save_as(ct_folder / image.path.name)
    ct = read_planning_ct(ct_folder)
    mask = plain.organs.mask("Brainstem").array
    for name, expected in (("Hörnerv", "ISO_IR 100"), ("Nerv_θ", "ISO_IR 192")):
        organs = StructureSet(ct.volume.geometry, {name: Structure.from_full(mask)})
        rs = dcmread(write_rtstruct(organs, ct, tmp_path / f"{expected}.dcm", Export(MAKER)).path)
        assert rs.SpecificCharacterSet == expected
        assert str(rs.PatientName) == "Müller^Änne"
        assert rs.StructureSetROISequence[0].ROIName == name
    assert "Müller^Änne".encode() in (tmp_path / "ISO_IR 192.dcm").read_bytes()
    assert "Müller^Änne".encode("latin-1") in (tmp_path / "ISO_IR 100.dcm").read_bytes()


def ct_with(plain, folder, **attributes):
    """The CT read again with these attributes in each image, however unlawful; None takes one away."""
    folder.mkdir()
    for image in plain.ct.identity.slices:
        data = dcmread(image.path)
        for keyword, value in attributes.items():
            tag = tag_for_keyword(keyword)
            if value is None:
                del data[tag]
            else:
                data[tag] = DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE)
        data.save_as(folder / image.path.name)
    return read_planning_ct(folder)


def brainstem(plain, ct, name="Brainstem"):
    return StructureSet(ct.volume.geometry, {name: Structure.from_full(plain.organs.mask("Brainstem").array)})


def test_a_label_beyond_the_character_set_turns_the_file_into_utf_8(plain, tmp_path):
    """Without a character set a file holds ASCII alone; the bytes of Latin-1 would be read as anything."""
    ct = ct_with(plain, tmp_path / "ct", SpecificCharacterSet=None)
    for label, expected in (("CHECK", None), ("Prüfung", "ISO_IR 192")):
        written = write_rtstruct(brainstem(plain, ct), ct, tmp_path / f"{label}.dcm", Export(MAKER, label=label))
        rs = dcmread(written.path)
        assert (rs.get("SpecificCharacterSet"), rs.StructureSetLabel) == (expected, label)


@pytest.mark.parametrize(
    ("character_set", "patient", "organ", "expected"),
    [
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "のうかん", "ISO_IR 192"),  # half-width katakana alone, though Python's codec knows more
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "脳幹", ["", "ISO 2022 IR 87"]),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "Hörnerv", "ISO_IR 192"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "뇌간", ["", "ISO 2022 IR 149"]),
        ("GBK", "W=乗^小", "脑乗", "GBK"),  # the second byte of 乗 is a backslash
        ("ISO_IR 144", "Люк^Ж", "Мозг", "ISO_IR 144"),
    ],
)
def test_patients_and_organs_in_other_scripts_are_spelt_right(plain, tmp_path, character_set, patient, organ, expected):
    ct = ct_with(plain, tmp_path / "ct", SpecificCharacterSet=character_set, PatientName=patient)
    rs = dcmread(write_rtstruct(brainstem(plain, ct, organ), ct, tmp_path / "rs.dcm", Export(MAKER)).path)
    assert (rs.SpecificCharacterSet, str(rs.PatientName)) == (expected, patient)
    assert rs.StructureSetROISequence[0].ROIName == rs.RTROIObservationsSequence[0].ROIObservationLabel == organ


@pytest.mark.parametrize("name", ["Brainstem", "Nerv_θ"])
def test_unlawful_identity_is_copied_without_a_word_on_the_terminal(plain, tmp_path, name):
    """Warnings are errors here: what pydicom has to say of the CT's spelling is a finding of the CT, not of each write."""
    unlawful = {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": ["Müller^" + "A" * 80, "Meier^B"],
        "StudyInstanceUID": "1.2.03.4",
        "FrameOfReferenceUID": "1.2.03.5",
        "StudyDate": "2024.01.05",
        "StudyID": "a study id of more than sixteen",
    }
    ct = ct_with(plain, tmp_path / "ct", **unlawful)
    assert [(f.kind, f.value) for f in ct.findings] == [("identity_unlawful", 5.0)]
    write_rtstruct(brainstem(plain, ct, name), ct, tmp_path / "rs.dcm", Export(MAKER))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rs = dcmread(tmp_path / "rs.dcm")
        copied = {keyword: rs[keyword].value for keyword in unlawful}
    assert [str(part) for part in copied.pop("PatientName")] == unlawful.pop("PatientName")
    del copied["SpecificCharacterSet"], unlawful["SpecificCharacterSet"]
    assert copied == unlawful


def test_what_the_ct_lacks_of_type_2_is_there_and_empty(plain, tmp_path):
    lacking = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID")
    lacking += ("AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator")
    ct = ct_with(plain, tmp_path / "ct", **dict.fromkeys(lacking), PatientPosition=None)
    rs = dcmread(write_rtstruct(brainstem(plain, ct), ct, tmp_path / "rs.dcm", Export(MAKER)).path)
    assert all(rs[keyword].is_empty for keyword in lacking)


@pytest.mark.parametrize(("of_ct", "expected"), [("1", 9001), ("9001", 9002), (None, 9001)])
def test_the_series_number_is_never_the_cts(plain, tmp_path, of_ct, expected):
    ct = ct_with(plain, tmp_path / "ct", SeriesNumber=of_ct)
    rs = dcmread(write_rtstruct(brainstem(plain, ct), ct, tmp_path / "rs.dcm", Export(MAKER)).path)
    assert rs.SeriesNumber == expected


def test_every_write_has_new_uids(plain, tmp_path):
    files = [dcmread(write_rtstruct(plain.organs, plain.ct, tmp_path / name, Export(MAKER)).path) for name in "ab"]
    assert len({uid for rs in files for uid in (rs.SOPInstanceUID, rs.SeriesInstanceUID)}) == 4


@pytest.mark.parametrize(
    "position", ["-0.000\\-0\\{z}", "-1.25E+02\\+1.5e-03\\{z:.9e}", " -125.1 \\-88.1234567890123456789 \\ {z}"]
)
def test_positions_in_any_spelling_become_plain_short_numbers(plain, tmp_path, position):
    for i, image in enumerate(plain.ct.identity.slices):
        data = dcmread(image.path)
        text = position.format(z=round(80.123456 - 2.5 * i, 6))  # downwards, six decimals
        data["ImagePositionPatient"] = DataElement(data["ImagePositionPatient"].tag, "OB", text.encode())
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        data["PixelData"].VR = "OW"
        data.save_as(tmp_path / image.path.name)
    ct = read_planning_ct(tmp_path)
    rs = dcmread(write_rtstruct(brainstem(plain, ct), ct, tmp_path / "rs.dcm", Export(MAKER)).path)
    heights = {image.sop_instance_uid: float(image.position_text[2]) for image in ct.identity.slices}
    for contour in rs.ROIContourSequence[0].ContourSequence:
        texts = [n.original_string for n in contour.ContourData]
        assert all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d{0,2}[1-9])?", text) and text != "-0" for text in texts)
        height = heights[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        assert np.abs(np.array(texts[2::3], dtype=float) - height).max() <= 0.0005


def test_an_existing_file_stays_unless_overwriting_is_asked_for(plain, tmp_path):
    path = tmp_path / "rs.dcm"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_rtstruct(plain.organs, plain.ct, path, Export(MAKER))
    assert path.read_text() == "mine"
    write_rtstruct(plain.organs, plain.ct, path, Export(MAKER, overwrite=True))
    assert dcmread(path).Modality == "RTSTRUCT"
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask()


def umask():
    current = os.umask(0)
    os.umask(current)
    return current


def test_a_missing_folder_or_a_folder_in_place_is_named(plain, tmp_path):
    with pytest.raises(OutputError, match=r"nowhere does not exist"):
        write_rtstruct(plain.organs, plain.ct, tmp_path / "nowhere" / "rs.dcm", Export(MAKER))
    with pytest.raises(OutputError, match="is a folder"):
        write_rtstruct(plain.organs, plain.ct, tmp_path, Export(MAKER, overwrite=True))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(plain, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        write_rtstruct(plain.organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER))


def test_a_file_that_does_not_read_back_leaves_nothing(plain, tmp_path):
    """Pixels of 0.0004 mm vanish in three decimals: the masks cannot come back, and that is an error."""
    grid = replace(plain.ct.volume.geometry, pixel_spacing=(0.0004, 0.0004))
    ct = replace(plain.ct, volume=replace(plain.ct.volume, geometry=grid))
    with pytest.raises(OutputError, match="a point twice in a row"):
        write_rtstruct(StructureSet(grid, plain.organs.structures), ct, tmp_path / "rs.dcm", Export(MAKER))
    assert list(tmp_path.iterdir()) == []


def test_another_grid_or_a_ct_without_identity_is_refused(plain, tmp_path):
    with pytest.raises(GeometryError, match="not on the grid"):
        write_rtstruct(three_balls(axial_geometry("HFP")).organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER))
    with pytest.raises(InputError, match="no identity"):
        write_rtstruct(plain.organs, replace(plain.ct, identity=None), tmp_path / "rs.dcm", Export(MAKER))


@pytest.mark.parametrize("label", ["", "A" * 17, " A", "A\\B"])
def test_unlawful_labels_are_refused(label):
    with pytest.raises(ConfigError, match="label"):
        Export(MAKER, label=label)


@pytest.mark.parametrize(("model", "version", "sha256"), [("", "1", "0" * 64), ("m", "1\\2", "0" * 64), ("m", "1", "abc")])
def test_unlawful_makers_are_refused(model, version, sha256):
    with pytest.raises(ConfigError, match="maker"):
        Maker(model, version, sha256)


def test_colours_are_fixed_by_name_and_distinct():
    names = [f"Organ_{i}" for i in range(600)]
    colours = distinct_colours([*names, "Brainstem"])
    assert len(set(colours.values())) == 601
    assert distinct_colours(["Organ_3"])["Organ_3"] == distinct_colours(["Organ_3", "Brainstem"])["Organ_3"]


def test_the_reader_imports_nothing_of_the_writer():
    """Nor does what verifies: else reading back would prove nothing. Contours come from loops to masks alone."""
    room = Path(rtseg.dicom.__file__).parent
    readers = [room / "rtstruct_file.py", room / "rtstruct_reader.py", room / "raw_items.py", *room.glob("verify*.py")]
    assert len(readers) >= 10
    for module in readers:
        text = module.read_text(encoding="utf-8")
        assert not re.search(r"import.*(writer|rtstruct_items|rtstruct_rois|drawing|export|atomic|trace|keyhole|simplify)", text)
        assert not re.search(r"from rtseg.dicom.(\w*writer|rtstruct_items|rtstruct_rois|drawing|export)", text)
