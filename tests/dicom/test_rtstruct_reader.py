"""Structure sets of any maker: oddities met in the wild, one each; real files of Eclipse, Monaco, Pinnacle and MIM."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phantoms import axial_geometry
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid
from rtstruct_cases import case

from rtseg.core import Geometry, InputError
from rtseg.dicom import CtGrid, SeriesIdentity, SliceIdentity, read_ct_grid
from rtseg.dicom.rtstruct_file import load_rtstruct
from rtseg.dicom.rtstruct_reader import read_rtstruct


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return case(tmp_path_factory.mktemp("plain"), axial_geometry())


@pytest.fixture
def rs(plain):
    return dcmread(plain.path)


@pytest.fixture
def read(plain, tmp_path):
    def saved_and_read(rs):
        rs.save_as(tmp_path / "odd.dcm")
        return read_rtstruct(tmp_path / "odd.dcm", plain.ct)

    return saved_and_read


def kinds(contents):
    return [finding.kind for finding in contents.findings]


def assert_exact(contents, organs):
    assert list(contents.structures) == list(organs)
    for name in organs:
        assert np.array_equal(contents.structures.mask(name).array, organs.mask(name).array), name


def box_mm(plain, index, rows, columns):
    """LPS text of a box on a slice: rows and columns are half-open ranges of pixels."""
    (top, bottom), (left, right) = rows, columns
    corners = [(index, top - 0.5, left - 0.5), (index, top - 0.5, right - 0.5)]
    corners += [(index, bottom - 0.5, right - 0.5), (index, bottom - 0.5, left - 0.5)]
    return [f"{mm:.3f}" for mm in plain.ct.volume.geometry.points(corners).ravel()]


def contour(data, kind="CLOSED_PLANAR"):
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(data) // 3
    item.ContourData = data
    return item


def draw(rs, *contours):
    """The first ROI alone, with these contours."""
    rs.ROIContourSequence[0].ContourSequence = Sequence(contours)


# what must make no difference


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_any_transfer_syntax_is_read(plain, rs, tmp_path, syntax):
    rs.file_meta.TransferSyntaxUID = syntax
    dcmwrite(tmp_path / "odd.dcm", rs)
    assert_exact(read_rtstruct(tmp_path / "odd.dcm", plain.ct), plain.organs)


def test_a_file_without_preamble_and_meta_is_read(plain, tmp_path):
    data = plain.path.read_bytes()
    group_length = int.from_bytes(data[140:144], "little")
    (tmp_path / "bare.dcm").write_bytes(data[144 + group_length :])
    assert_exact(read_rtstruct(tmp_path / "bare.dcm", plain.ct), plain.organs)


@pytest.mark.parametrize("spelling", ["{:+.5f} ", "{:.9e}", "  {:.3f}", "{:.14f}"])
def test_numbers_in_any_spelling_are_read(plain, rs, read, spelling):
    for roi in rs.ROIContourSequence:
        for item in roi.ContourSequence:
            text = "\\".join(spelling.format(float(n)) for n in item.ContourData)
            item["ContourData"] = type(item["ContourData"])(0x30060050, "OB", text.encode() + b"\0" * (len(text) % 2))
    assert_exact(read(rs), plain.organs)


@pytest.mark.filterwarnings("ignore:The value for the data element.*exceeds the size of 64 kByte")
def test_contours_too_long_for_explicit_vr_are_read_as_the_unknown_vr_they_were_given(plain, rs, tmp_path):
    """More than 65,534 bytes do not fit into the length of an explicit DS; writers then say UN (CP-1066)."""
    corners = np.array(box_mm(plain, 5, (10, 30), (12, 40)), dtype=float).reshape(4, 3)
    sides = [np.linspace(a, b, 1000, endpoint=False) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    draw(rs, contour([f"{mm:.3f}" for mm in np.concatenate(sides).ravel()]))
    rs.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    rs.save_as(tmp_path / "long.dcm")
    assert b"\x06\x30\x50\x00UN" in (tmp_path / "long.dcm").read_bytes()
    contents = read_rtstruct(tmp_path / "long.dcm", plain.ct)
    assert contents.structures["Parotid_L"].mask.sum() == 20 * 28


def test_rois_are_told_by_number_not_by_place(plain, rs, read):
    """Numbers may be 0, negative and in any order of the sequences."""
    for sequence, word in (
        (rs.StructureSetROISequence, "ROINumber"),
        (rs.ROIContourSequence, "ReferencedROINumber"),
        (rs.RTROIObservationsSequence, "ReferencedROINumber"),
    ):
        for item in sequence:
            setattr(item, word, {1: 7, 2: 0, 3: -4}[int(item[word].value)])
    rs.ROIContourSequence = Sequence(rs.ROIContourSequence[::-1])
    rs.RTROIObservationsSequence = Sequence(rs.RTROIObservationsSequence[1:])
    contents = read(rs)
    assert_exact(contents, plain.organs)
    assert [(roi.number, roi.interpreted_type) for roi in contents.rois] == [(7, None), (0, "ORGAN"), (-4, "ORGAN")]


def test_points_forwards_backwards_and_repeated_make_no_difference(plain, rs, read):
    for roi in rs.ROIContourSequence:
        for i, item in enumerate(roi.ContourSequence):
            points = np.array(item.ContourData, dtype=object).reshape(-1, 3)
            points = (points[::-1], np.vstack([points, points[:1]]), np.repeat(points, 2, axis=0))[i % 3]
            item.ContourData, item.NumberOfContourPoints = list(points.ravel()), len(points)
    contents = read(rs)
    assert_exact(contents, plain.organs)
    assert contents.findings == ()


def test_missing_references_colours_and_observations_are_no_matter(plain, rs, read):
    for roi in rs.ROIContourSequence:
        del roi.ROIDisplayColor
        for item in roi.ContourSequence:
            del item.ContourImageSequence
    del rs.RTROIObservationsSequence, rs.ReferencedFrameOfReferenceSequence
    contents = read(rs)
    assert_exact(contents, plain.organs)
    assert [roi.colour for roi in contents.rois] == [None] * 3


# what is combined


def test_nested_loops_and_xor_leave_holes(plain, rs, read):
    for kind in ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR"):
        outer, inner = box_mm(plain, 5, (10, 30), (12, 40)), box_mm(plain, 5, (15, 20), (20, 25))
        draw(rs, contour(outer, kind), contour(inner, kind))
        contents = read(rs)
        assert contents.structures["Parotid_L"].mask.sum() == 20 * 28 - 5 * 5
        assert contents.findings == ()


def test_a_contour_that_stands_there_twice_counts_once(plain, rs, read):
    box = box_mm(plain, 5, (10, 30), (12, 40))
    turned = [box[3:] + box[:3], box, box + box[:3]]
    draw(rs, *(contour(data) for data in turned))
    contents = read(rs)
    assert contents.structures["Parotid_L"].mask.sum() == 20 * 28
    assert kinds(contents) == ["contour_repeated"]


def test_contours_that_cross_are_combined_by_xor_and_the_overlap_is_told(plain, rs, read):
    """Two boxes of 20 x 28 pixels share 10 x 14; a voxel has 2.5 x 2.2 x 2.0 mm = 0.011 ml."""
    draw(rs, contour(box_mm(plain, 5, (10, 30), (12, 40))), contour(box_mm(plain, 5, (20, 40), (26, 54))))
    contents = read(rs)
    assert contents.structures["Parotid_L"].mask.sum() == 2 * 20 * 28 - 2 * 10 * 14
    (finding,) = contents.findings
    assert (finding.kind, finding.value) == ("contour_crossing", pytest.approx(10 * 14 * 0.011))


# what is skipped and noted


def test_points_and_open_contours_are_skipped_and_counted(plain, rs, read):
    box = box_mm(plain, 5, (10, 30), (12, 40))
    draw(rs, contour(box[:3], "POINT"), contour(box, "OPEN_PLANAR"), contour(box, "OPEN_NONPLANAR"), contour(box[:6]))
    contents = read(rs)
    assert contents.structures["Parotid_L"].is_empty
    assert [(f.kind, f.value) for f in contents.findings] == [("contour_open", 3), ("contour_too_small", 1)]


@pytest.mark.parametrize("text", [b"1\\2\\x ", b"1\\2\\3\\4 ", b"1\\nan\\3", b"1\\inf\\3", b"1\\2e300\\3"])
def test_coordinates_that_are_no_points_are_skipped_and_noted(plain, rs, read, text):
    item = contour(box_mm(plain, 5, (10, 30), (12, 40)))
    draw(rs, item)
    item["ContourData"] = type(item["ContourData"])(0x30060050, "OB", text + b" " * (len(text) % 2))
    assert kinds(read(rs)) == ["contour_unreadable"]


@pytest.mark.parametrize("shift", [0.13, -0.13])
def test_a_contour_beside_its_plane_goes_to_the_nearest_slice(plain, rs, read, shift):
    data = box_mm(plain, 5, (10, 30), (12, 40))
    data[2::3] = [f"{float(z) + shift:.3f}" for z in data[2::3]]
    draw(rs, contour(data))
    contents = read(rs)
    assert contents.structures["Parotid_L"].offset == (5, 10, 12)
    (finding,) = contents.findings
    assert (finding.kind, finding.value) == ("contour_off_plane", pytest.approx(0.13))


def test_a_contour_where_no_slice_is_is_counted_not_moved_to_the_border(plain, rs, read):
    data = box_mm(plain, 0, (10, 30), (12, 40))
    data[2::3] = [f"{float(z) - 2.5:.3f}" for z in data[2::3]]
    draw(rs, contour(data))
    contents = read(rs)
    assert contents.structures["Parotid_L"].is_empty
    assert kinds(contents) == ["contour_outside_stack"]


def test_a_contour_of_a_missing_slice_is_not_put_on_its_neighbour(tmp_path):
    """The structure set was drawn on all slices; the CT lacks two of them now: both contours of the gap are left out."""
    whole = case(tmp_path, axial_geometry())
    for image in whole.ct.identity.slices[12:14]:
        image.path.unlink()
    grid, identity = read_ct_grid(tmp_path / "ct")
    contents = read_rtstruct(whole.path, CtGrid(grid, identity))
    kept = np.setdiff1d(np.arange(34), [12, 13])
    for name in whole.organs:
        assert np.array_equal(contents.structures.mask(name).array, whole.organs.mask(name).array[kept])
    assert "contour_outside_stack" in kinds(contents)


def test_contours_on_a_finer_grid_do_not_erase_each_other(plain, rs, read):
    on, between = box_mm(plain, 5, (10, 30), (12, 40)), box_mm(plain, 5, (10, 30), (12, 40))
    between[2::3] = [f"{float(z) + 1.0:.3f}" for z in between[2::3]]
    draw(rs, contour(on), contour(between))
    contents = read(rs)
    assert contents.structures["Parotid_L"].mask.sum() == 20 * 28
    assert "contour_between_slices" in kinds(contents)


def test_what_reaches_outside_the_image_is_cut_off_and_noted(plain, rs, read):
    draw(rs, contour(box_mm(plain, 5, (-4, 30), (-6, 40))))
    contents = read(rs)
    assert contents.structures["Parotid_L"].mask.sum() == 30 * 40
    assert kinds(contents) == ["contour_outside_image"]


def test_tilted_and_wavy_contours_are_noted(plain, rs, read):
    wavy, tilted = box_mm(plain, 5, (10, 30), (12, 40)), box_mm(plain, 9, (10, 30), (12, 40))
    wavy[2] = f"{float(wavy[2]) + 0.2:.3f}"
    tilted[2] = f"{float(tilted[2]) + 2.0:.3f}"
    draw(rs, contour(wavy), contour(tilted))
    contents = read(rs)
    assert contents.structures["Parotid_L"].mask.sum() == 20 * 28
    assert kinds(contents) == ["contour_tilted", "contour_not_flat"]


def test_slices_left_out_between_contours_are_counted_not_filled(plain, rs, read):
    draw(rs, *(contour(box_mm(plain, i, (10, 30), (12, 40))) for i in (5, 8)))
    contents = read(rs)
    assert contents.structures["Parotid_L"].mask.sum() == 2 * 20 * 28
    assert [(f.kind, f.value) for f in contents.findings] == [("slice_without_contour", 2)]


def test_a_wrong_number_of_points_and_a_wrong_image_are_noted_and_the_data_win(plain, rs, read):
    first = rs.ROIContourSequence[0].ContourSequence[0]
    first.NumberOfContourPoints = 3
    first.ContourImageSequence[0].ReferencedSOPInstanceUID = plain.ct.identity.slices[0].sop_instance_uid
    contents = read(rs)
    assert_exact(contents, plain.organs)
    assert kinds(contents) == ["contour_count_wrong", "contour_other_image"]


# ROIs


def test_rois_without_contours_are_there_and_empty(plain, rs, read):
    del rs.ROIContourSequence[0].ContourSequence
    rs.ROIContourSequence[1].ContourSequence = Sequence()
    del rs.ROIContourSequence[2]
    contents = read(rs)
    assert list(contents.structures) == list(plain.organs)
    assert all(contents.structures[name].is_empty for name in contents.structures)
    assert kinds(contents) == ["roi_without_contours"] * 3


def test_the_same_name_twice_keeps_both(plain, rs, read):
    rs.StructureSetROISequence[2].ROIName = "Parotid_L"
    contents = read(rs)
    assert list(contents.structures) == ["Parotid_L", "Parotid_R", "Parotid_L (3)"]
    assert np.array_equal(contents.structures.mask("Parotid_L (3)").array, plain.organs.mask("Brainstem").array)
    assert kinds(contents) == ["roi_same_name"]


def test_a_backslash_in_a_name_stays(plain, rs, read):
    rs.StructureSetROISequence[0].ROIName = ["GTV", "old"]
    assert next(iter(read(rs).structures)) == "GTV\\old"


def test_a_patient_id_beyond_ascii_is_the_same_in_another_character_set(plain, rs, read):
    header = Dataset()
    header.PatientID = ["Nr-ä1", "b"]
    identity = replace(plain.ct.identity, header=header)
    for character_set in ("ISO_IR 100", "ISO_IR 192"):
        rs.SpecificCharacterSet, rs.PatientID = character_set, ["Nr-ä1", "b"]
        rs.save_as(plain.path.parent / "id.dcm")
        assert read_rtstruct(plain.path.parent / "id.dcm", CtGrid(plain.ct.volume.geometry, identity)).findings == ()


def test_observations_and_contours_without_roi_do_not_crash(plain, rs, read):
    del rs.StructureSetROISequence[0]
    assert list(read(rs).structures) == ["Parotid_R", "Brainstem", "ROI 1"]


def test_another_patient_and_series_are_noted(plain, rs, read):
    rs.PatientID = "P-2"
    study = rs.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.RTReferencedSeriesSequence[0].SeriesInstanceUID = generate_uid()
    contents = read(rs)
    assert_exact(contents, plain.organs)
    assert kinds(contents) == ["rtstruct_other_patient", "rtstruct_other_series"]


# refusals


def test_another_frame_of_reference_is_refused_and_one_of_several_is_skipped(plain, rs, read):
    rs.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = generate_uid()
    contents = read(rs)
    assert list(contents.structures) == ["Parotid_R", "Brainstem"]
    assert kinds(contents) == ["roi_other_frame_of_reference"]
    for roi in rs.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = generate_uid()
    with pytest.raises(InputError, match="another frame of reference"):
        read(rs)


def test_what_is_no_structure_set_is_refused_in_words(plain, tmp_path, rs):
    grid, identity = plain.ct.volume.geometry, plain.ct.identity
    with pytest.raises(InputError, match=r"is not an RTSTRUCT \(it says: CT\)"):
        read_rtstruct(identity.slices[0].path, CtGrid(grid, identity))
    (tmp_path / "text.dcm").write_text("nothing of DICOM in here, only words " * 20)
    (tmp_path / "empty.dcm").write_bytes(b"")
    for name in ("text.dcm", "empty.dcm", "absent.dcm"):
        with pytest.raises(InputError, match=name):
            read_rtstruct(tmp_path / name, CtGrid(grid, identity))
    rs.StructureSetROISequence, rs.ROIContourSequence = Sequence(), Sequence()
    rs.save_as(tmp_path / "none.dcm")
    with pytest.raises(InputError, match="without any ROI"):
        read_rtstruct(tmp_path / "none.dcm", CtGrid(grid, identity))


def test_a_file_cut_anywhere_is_read_or_refused(plain, tmp_path):
    data = plain.path.read_bytes()
    for part in range(1, 40):
        (tmp_path / "cut.dcm").write_bytes(data[: len(data) * part // 40])
        try:
            read_rtstruct(tmp_path / "cut.dcm", plain.ct)
        except InputError as error:
            assert "cut.dcm" in str(error)  # noqa: PT017  # either outcome is lawful


# real files


def around(path) -> tuple[Geometry, SeriesIdentity]:
    """An axial grid of 1 mm pixels on the planes of a structure set that came without its CT."""
    file = load_rtstruct(path)
    points = np.concatenate([c.points() for roi in file.rois for c in roi.contours if c.is_closed])
    low, high = points.min(axis=0), points.max(axis=0)
    heights = np.unique(points[:, 2])
    columns, rows = (np.ceil((high - low)[:2]) + 3).astype(int)
    grid = Geometry.regular((1, rows, columns), (1, 1, 1), (low[0] - 1, low[1] - 1, 0))
    grid = replace(grid, shape=(len(heights), rows, columns), positions=heights)
    header = Dataset()
    header.PatientID = file.patient_id
    series = next(iter(file.series), "")
    images = tuple(SliceIdentity("", str(i), ("0", "0", "0"), Path()) for i in range(len(heights)))
    identity = SeriesIdentity(header, "", series, file.rois[0].frame_of_reference_uid or "", images)
    return grid, identity


VENDORS = {
    "rtstruct_only/eclipse_8.1_prostate_phantom.dcm": ("Bladder", "Rectum", "CTV"),
    "rtstruct_only/monaco_srs_phantom.dcm": ("ANT Box",),
    "rtstruct_only/monaco_tiny.dcm": ("tumor",),
    "rtstruct_only/pinnacle_9.6_dvh_phantom.dcm": ("POI_1", "Cone_02_0"),
    "dicompyler_breast/rtss.dcm": ("Heart", "Areola", "Tumor Bed"),
}
"""ROIs without nested loops, of which some have no contour at all."""


def shoelace_ml(path, name, grid):
    """Volume from the contours' own areas: each loop's area, nested loops counted off, times the slices' thickness."""
    (roi,) = [roi for roi in load_rtstruct(path).rois if roi.name == name]
    thickness = dict(zip(np.round(grid.positions, 3), np.diff(grid.slice_faces), strict=True))
    total = 0.0
    loops = [c.points() for c in roi.contours if c.is_closed]
    for points in loops:
        x, y, z = points.T
        area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
        total += area * thickness[round(float(z[0]), 3)] / 1000
    return total


@pytest.mark.parametrize("name", VENDORS)
def test_files_of_vendors_are_read(test_data, name):
    """The volume of the voxels is that of the polygons' own areas, for ROIs without nested loops."""
    path = test_data(f"rt_real/{name}")
    grid, identity = around(path)
    contents = read_rtstruct(path, CtGrid(grid, identity))
    for roi in VENDORS[name]:
        assert contents.structures.mask(roi).volume_ml == pytest.approx(shoelace_ml(path, roi, grid), rel=0.02)


def test_rings_of_mim_keep_their_holes(test_data):
    """ROI-4 is a ring on three slices, drawn as one loop with a channel: its middle is empty, and there is organ all round."""
    folder = test_data("rt_real/rtutils_mim_phantom")
    contents = read_rtstruct(folder / "rt.dcm", read_ct_grid(folder))
    assert list(contents.structures) == ["ROI-1", "ROI-2", "ROI-3", "ROI-4"]
    assert contents.findings == ()
    mask = contents.structures["ROI-4"].mask
    row, column = mask.shape[1] // 2, mask.shape[2] // 2
    assert not mask[:, row, column].any()
    for side in (mask[:, :row, column], mask[:, row:, column], mask[:, row, :column], mask[:, row, column:]):
        assert side.any(axis=1).all()


@pytest.mark.parametrize("patient", ["STS_042", "STS_019"])
def test_the_tumours_of_the_sarcoma_set_have_their_volume(test_data, patient):
    """Volume as published with the set's own masks, rounded to 0.1 ml; frame and planes agree, image UIDs do not."""
    folder = test_data(f"sts_ct_mr/dicom/{patient}")
    meta = json.loads(test_data(f"sts_ct_mr/cases/{patient}/meta.json").read_text(encoding="utf-8"))
    grid, identity = read_ct_grid(folder / "CT")
    contents = read_rtstruct(folder / "RS_CT.dcm", CtGrid(grid, identity))
    assert contents.structures.mask("GTV_Mass_CT").volume_ml == pytest.approx(meta["gtv_ml_ct"], abs=0.06)
    assert kinds(contents) == ["contour_other_image"]
