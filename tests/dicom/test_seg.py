"""Organs as a DICOM segmentation: exact in every geometry, with the codes of the structure set, all or nothing."""

import io

import numpy as np
import pytest
from dciodvfy import errors, wants_dciodvfy
from phantoms import axial_geometry
from pydicom import dcmread
from rtstruct_cases import GEOMETRIES, MAKER, case

from rtseg.core import EMPTY, GeometryError, InputError, OutputError, StructureSet
from rtseg.core.anatomy import organ
from rtseg.dicom import CtGrid, read_seg, write_seg


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return case(tmp_path_factory.mktemp("plain"), axial_geometry())


@pytest.mark.parametrize("name", GEOMETRIES)
def test_each_organ_comes_back_to_the_voxel(tmp_path, name):
    each = case(tmp_path, GEOMETRIES[name])
    write_seg(each.organs, each.ct, tmp_path / "seg.dcm", MAKER)
    found = read_seg(tmp_path / "seg.dcm", each.ct.grid)
    assert list(found) == list(each.organs)
    assert all(np.array_equal(found[name], each.organs.mask(name).array) for name in found)


def test_a_library_of_others_reads_frames_in_their_place(plain, tmp_path):
    """Planes of each frame as the file tells them, held against the CT's own files."""
    write_seg(plain.organs, plain.ct, tmp_path / "seg.dcm", MAKER)
    seg = dcmread(tmp_path / "seg.dcm")
    positions = {image.sop_instance_uid: [float(x) for x in image.position_text] for image in plain.ct.identity.slices}
    assert seg.FrameOfReferenceUID == plain.ct.identity.frame_of_reference_uid
    for groups in seg.PerFrameFunctionalGroupsSequence:
        source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        assert np.allclose(groups.PlanePositionSequence[0].ImagePositionPatient, positions[source], atol=1e-3)


def test_codes_sides_and_algorithm_are_those_of_the_structure_set(plain, tmp_path):
    write_seg(plain.organs, plain.ct, tmp_path / "seg.dcm", MAKER)
    seg = dcmread(tmp_path / "seg.dcm")
    assert seg.SegmentationType == "BINARY"
    for item in seg.SegmentSequence:
        known = organ(item.SegmentLabel)
        (concept,) = item.SegmentedPropertyTypeCodeSequence
        assert (concept.CodeValue, concept.CodingSchemeDesignator) == (known.code.value, known.code.scheme)
        sides = [side.CodeMeaning.lower() for side in concept.get("SegmentedPropertyTypeModifierCodeSequence", [])]
        assert sides == ([] if known.laterality is None else [known.laterality])
        assert item.SegmentAlgorithmType == "AUTOMATIC"
        (algorithm,) = item.SegmentationAlgorithmIdentificationSequence
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (MAKER.model, MAKER.version)
    for keyword in ("PatientID", "StudyInstanceUID"):
        assert seg[keyword].value == plain.ct.identity.header[keyword].value


def test_overlapping_unknown_and_empty_organs(plain, tmp_path):
    organs = {"Brainstem": plain.organs["Brainstem"], "Stem again": plain.organs["Brainstem"], "Lens_L": EMPTY}
    written = write_seg(StructureSet(plain.organs.geometry, organs), plain.ct, tmp_path / "seg.dcm", MAKER)
    assert written.left_out == ("Lens_L",)
    assert [finding.kind for finding in written.findings] == ["structure_empty", "segment_without_code"]
    found = read_seg(tmp_path / "seg.dcm", plain.ct.grid)
    assert np.array_equal(found["Brainstem"], found["Stem again"])
    assert found["Brainstem"].any()


def test_into_memory(plain):
    buffer = io.BytesIO()
    assert write_seg(plain.organs, plain.ct, buffer, MAKER).path is None
    assert list(read_seg(buffer, plain.ct.grid)) == list(plain.organs)


def test_what_cannot_be_is_refused_and_nothing_is_written(plain, tmp_path):
    empty = StructureSet(plain.organs.geometry, {"Brainstem": EMPTY})
    with pytest.raises(OutputError, match="no organ has a voxel"):
        write_seg(empty, plain.ct, tmp_path / "seg.dcm", MAKER)
    other = StructureSet(axial_geometry("HFP"), {})
    with pytest.raises(GeometryError, match="not on the grid"):
        write_seg(other, plain.ct, tmp_path / "seg.dcm", MAKER)
    (tmp_path / "there.dcm").touch()
    with pytest.raises(OutputError, match="exists already"):
        write_seg(plain.organs, plain.ct, tmp_path / "there.dcm", MAKER)
    from dataclasses import replace

    gone = tuple(replace(image, path=tmp_path / "gone") for image in plain.ct.identity.slices)
    ct = CtGrid(plain.organs.geometry, replace(plain.ct.identity, slices=gone))
    with pytest.raises(InputError, match="the CT's files are needed"):
        write_seg(plain.organs, ct, tmp_path / "seg.dcm", MAKER)
    assert not (tmp_path / "seg.dcm").exists()


@wants_dciodvfy
@pytest.mark.parametrize(
    "name",
    ["HFS", pytest.param("oblique", marks=pytest.mark.conformance), pytest.param("slice gap", marks=pytest.mark.conformance)],
)
def test_dciodvfy_finds_no_error(tmp_path, name):
    each = case(tmp_path, GEOMETRIES[name], "Müller^Änne")
    write_seg(each.organs, each.ct, tmp_path / "seg.dcm", MAKER)
    assert errors(tmp_path / "seg.dcm") == []
