"""From a planning CT on disk to a structure set on disk and back: each ball on its own side, nothing half-written."""

from __future__ import annotations

import builtins
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from contour_cases import PATIENT, ball_ct, balls
from phantoms import BALLS, axial_geometry, centroid, oblique_geometry, sagittal_geometry, without_slices
from pydicom import dcmread

from rtseg.core import ConfigError, Geometry, GeometryError, InputError, OutputError, Volume
from rtseg.data import read_nifti, write_nifti
from rtseg.dicom import PlanningCT, WrittenRoi, read_ct_grid, read_planning_ct, read_rtstruct, read_seg
from rtseg.jobs.contour import contour, contour_series
from rtseg.jobs.contour_order import ContourOrder, ContourResult
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.jobs.writing import Writing
from rtseg.metrics import dsc
from rtseg.segmentation.confidence import Calibration
from rtseg.segmentation.inference import segment
from rtseg.systems import Bundle

SQUARE = axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64))

TURNED = {
    **{position: (axial_geometry(position), position) for position in ("HFS", "HFP", "FFS", "FFP")},
    "oblique": (oblique_geometry(), "HFS"),
    "sagittal": (sagittal_geometry(), "HFS"),
}


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ball_ct(tmp_path_factory.mktemp("patient") / "ct", SQUARE)


def run(order: ContourOrder, model: Bundle) -> ContourResult:
    return contour_series(order, model, Stopwatch())


def kinds(result: ContourResult) -> list[str]:
    return [finding.kind for finding in result.findings]


def held(folder: Path) -> list[str]:
    """All names in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The disk is full after so many bytes of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("way", TURNED)
def test_each_ball_lies_on_its_own_side_in_the_file(way: str, ball_model: Bundle, tmp_path: Path) -> None:
    geometry, position = TURNED[way]
    run(ContourOrder(ball_ct(tmp_path / "ct", geometry, position), tmp_path / "rs.dcm"), ball_model)
    ct, truth = read_planning_ct(tmp_path / "ct"), balls(geometry).organs
    assert ct.identity is not None
    read = read_rtstruct(tmp_path / "rs.dcm", ct)
    assert list(read.structures) == ["Parotid_L", "Parotid_R", "Brainstem"]
    assert read.findings == ()
    for name, ball in BALLS.items():
        np.testing.assert_allclose(centroid(read.structures.mask(name)), ball.centre, atol=1.0)
        agreement = dsc(replace(truth.mask(name), geometry=ct.volume.geometry), read.structures.mask(name))
        assert agreement is not None
        assert agreement > 0.95


def test_contouring_knows_of_no_file(ct: Path, ball_model: Bundle) -> None:
    made = contour(read_planning_ct(ct), ball_model)
    assert list(made.structures) == ["Parotid_L", "Parotid_R", "Brainstem"]
    assert made.synthetic_mr is None
    assert made.findings == ()


@pytest.mark.parametrize("below", [True, False])
def test_slices_of_another_scan_are_told_and_not_contoured(below: bool, ball_model: Bundle) -> None:
    # 34 slices of a body without a ball, half a picture to the side
    plain = balls(SQUARE).ct
    other = np.repeat(np.roll(plain.array[:1], 32, axis=2), 34, axis=0)
    array = np.concatenate([other, plain.array] if below else [plain.array, other])
    grid = Geometry.regular(array.shape, (2.5, 2.0, 2.0), SQUARE.points([[-34 if below else 0, 0, 0]])[0], SQUARE.direction)
    alone = contour(PlanningCT(plain, None, (), "plain"), ball_model)
    made = contour(PlanningCT(Volume(array, grid), None, (), "long"), ball_model, body=True)
    assert [(finding.kind, finding.value) for finding in made.findings] == [("broken_stack", 34.0)]
    first = 34 if below else 0
    assert f"only slices {first + 1} to {first + 34} were contoured" in made.findings[0].words
    for name in alone.structures:
        ours = made.structures.mask(name).array
        np.testing.assert_array_equal(ours[first : first + 34], alone.structures.mask(name).array)
        assert ours.sum() == alone.structures.mask(name).array.sum()
    assert made.structures.mask("External").array.any(axis=(1, 2)).all()


def test_volumes_are_those_of_balls(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    result = run(ContourOrder(ct, tmp_path / "rs.dcm"), ball_model)
    for name, radius_mm in {"Parotid_L": 14, "Parotid_R": 10, "Brainstem": 7}.items():
        assert result.volumes_ml[name] == pytest.approx(4 / 3 * np.pi * radius_mm**3 / 1000, rel=0.06)
    assert list(result.timings) == ["read CT", "contour", "write and read back"]


def test_the_file_names_its_model_and_its_ct(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    result = run(ContourOrder(ct, tmp_path / "rs.dcm"), ball_model)
    written, image = dcmread(tmp_path / "rs.dcm"), dcmread(next(ct.iterdir()))
    assert written.PatientID == PATIENT.id
    assert written.StudyInstanceUID == image.StudyInstanceUID
    made_by = written.StructureSetROISequence[0].ROIGenerationDescription
    assert made_by == f"rtseg-three_balls 1.0 sha256:{ball_model.sha256[:8]}"
    assert result.model == f"three_balls 1.0 sha256:{ball_model.sha256[:8]}"
    assert result.name == f"ct ...{image.SeriesInstanceUID[-8:]}"


def calibrated_model(model: Bundle, **lines: Calibration) -> Bundle:
    return replace(model, limits=replace(model.limits, calibration=lines))


ALWAYS_09 = Calibration((1e-6, 1.0), (0.9, 0.9), error=0.02, margin=0.1, limit=0.6, patients=30)
"""Whatever the soft Dice, a DSC of 0.9 is predicted, 0.8 at least."""


def test_how_sure_the_model_was_is_told_of_each_organ(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    model = calibrated_model(ball_model, Brainstem=ALWAYS_09)
    order = ContourOrder(ct, tmp_path / "rs.dcm", organs=("Brainstem", "Parotid_L"), report=tmp_path / "report")
    result = run(order, model)
    assert list(result.confidence) == ["Brainstem", "Parotid_L"]
    assert all(0 < about.soft_dice < 1 for about in result.confidence.values())
    told = result.as_dict()["confidence"]
    assert told["Brainstem"] == {
        "soft_dice": round(result.confidence["Brainstem"].soft_dice, 3),
        "predicted_dsc": 0.9,
        "at_least": 0.8,
    }
    assert (told["Parotid_L"]["predicted_dsc"], told["Parotid_L"]["at_least"]) == (None, None)
    assert kinds(result) == []
    assert "0.90 (\N{GREATER-THAN OR EQUAL TO} 0.80)" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_an_organ_that_may_have_to_be_redrawn_is_a_finding(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    model = calibrated_model(ball_model, Brainstem=replace(ALWAYS_09, limit=0.85), Parotid_L=ALWAYS_09)
    result = run(ContourOrder(ct, tmp_path / "rs.dcm"), model)
    assert [(finding.kind, finding.organ) for finding in result.findings] == [("low_confidence", "Brainstem")]


def test_an_organ_that_is_not_found_has_no_confidence(ball_model: Bundle, tmp_path: Path) -> None:
    made = contour(read_planning_ct(ball_ct(tmp_path / "ct", SQUARE, missing="Brainstem")), ball_model)
    assert list(made.confidence) == ["Parotid_L", "Parotid_R"]


def test_only_the_organs_asked_for_are_written(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    result = run(ContourOrder(ct, tmp_path / "rs.dcm", organs=("Brainstem",)), ball_model)
    written = dcmread(tmp_path / "rs.dcm")
    assert [roi.ROIName for roi in written.StructureSetROISequence] == ["Brainstem"]
    assert list(result.volumes_ml) == ["Brainstem"]


def test_findings_about_organs_not_asked_for_are_left_out(ball_model: Bundle, tmp_path: Path) -> None:
    ct = ball_ct(tmp_path / "ct", SQUARE, missing="Parotid_R")
    assert kinds(run(ContourOrder(ct, tmp_path / "all.dcm"), ball_model)) == ["missing"]
    assert kinds(run(ContourOrder(ct, tmp_path / "one.dcm", organs=("Brainstem",)), ball_model)) == []


def test_an_organ_that_is_not_found_is_told_and_left_out(ball_model: Bundle, tmp_path: Path) -> None:
    result = run(ContourOrder(ball_ct(tmp_path / "ct", SQUARE, missing="Brainstem"), tmp_path / "rs.dcm"), ball_model)
    assert [(finding.kind, finding.organ) for finding in result.findings] == [("missing", "Brainstem")]
    assert result.volumes_ml["Brainstem"] == 0
    assert [roi.ROIName for roi in dcmread(tmp_path / "rs.dcm").StructureSetROISequence] == ["Parotid_L", "Parotid_R"]


def test_where_nothing_was_found_the_findings_are_told(ball_model: Bundle, tmp_path: Path) -> None:
    order = ContourOrder(ball_ct(tmp_path / "ct", SQUARE, missing="Brainstem"), tmp_path / "rs.dcm", organs=("Brainstem",))
    with pytest.raises(InputError, match=r"none of Brainstem was found.*Brainstem was not found on this scan.*rtseg check"):
        run(order, ball_model)
    assert held(tmp_path) == ["ct"]


def test_an_unknown_organ_is_named_with_those_that_exist(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no Liver; it has Parotid_L, Parotid_R, Brainstem"):
        run(ContourOrder(ct, tmp_path / "rs.dcm", organs=("Brainstem", "Liver")), ball_model)
    with pytest.raises(ConfigError, match="no organ is asked for"):
        run(ContourOrder(ct, tmp_path / "rs.dcm", organs=()), ball_model)
    assert held(tmp_path) == []


def test_the_body_is_an_external_as_large_as_the_patient(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    result = run(ContourOrder(ct, tmp_path / "rs.dcm", organs=(), body=True), ball_model)
    written = dcmread(tmp_path / "rs.dcm")
    assert [roi.ROIName for roi in written.StructureSetROISequence] == ["External"]
    assert [item.RTROIInterpretedType for item in written.RTROIObservationsSequence] == ["EXTERNAL"]
    ellipse_ml = np.pi * 52 * 44 * 34 * 2.5 / 1000
    assert result.volumes_ml["External"] == pytest.approx(ellipse_ml, rel=0.02)


def test_rt_utils_reads_square_images_and_has_nothing_to_say(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    assert kinds(run(ContourOrder(ct, tmp_path / "rs.dcm"), ball_model)) == []


def test_a_second_reading_that_could_not_be_done_is_told(
    ct: Path, ball_model: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "rt_utils":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *args, **kwargs)

    other = ball_ct(tmp_path / "ct", axial_geometry())
    assert kinds(run(ContourOrder(other, tmp_path / "odd.dcm"), ball_model)) == ["foreign_reader_not_applicable"]
    monkeypatch.setattr(builtins, "__import__", without)
    assert kinds(run(ContourOrder(ct, tmp_path / "rs.dcm"), ball_model)) == ["foreign_reader_unavailable"]


def test_findings_about_the_ct_are_passed_on(ball_model: Bundle, tmp_path: Path) -> None:
    ct = ball_ct(tmp_path / "ct", axial_geometry("FFS", (34, 64, 64), (2.5, 2.0, 2.0)), "FFS")
    (ct / "notes.txt").touch()
    assert kinds(run(ContourOrder(ct, tmp_path / "rs.dcm"), ball_model)) == ["left_out", "not_head_first_supine"]


def test_a_hole_in_the_ct_is_refused_unless_it_is_allowed(ball_model: Bundle, tmp_path: Path) -> None:
    ct = ball_ct(tmp_path / "ct", without_slices(SQUARE, (3, 4)))
    order = ContourOrder(ct, tmp_path / "rs.dcm")
    with pytest.raises(GeometryError, match=r"a gap of 7.5 mm beside slices 2.5 mm apart.*--allow-gaps"):
        run(order, ball_model)
    assert held(tmp_path) == ["ct"]
    assert kinds(run(replace(order, allow_gaps=True), ball_model)) == ["uneven_slices"]


def test_an_existing_output_is_left_as_it_is_unless_it_may_be_replaced(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    output = tmp_path / "rs.dcm"
    output.write_text("mine")
    with pytest.raises(OutputError, match=r"exists already.*--overwrite"):
        run(ContourOrder(ct, output), ball_model)
    assert output.read_text() == "mine"
    run(ContourOrder(ct, output, overwrite=True), ball_model)
    assert dcmread(output).Modality == "RTSTRUCT"
    assert held(tmp_path) == ["rs.dcm"]


def test_a_slice_of_the_ct_is_never_replaced(ball_model: Bundle, tmp_path: Path) -> None:
    ct = ball_ct(tmp_path / "ct", SQUARE)
    first = next(ct.iterdir())
    before = first.read_bytes()
    with pytest.raises(OutputError, match="is a slice of the CT"):
        run(ContourOrder(ct, first, overwrite=True), ball_model)
    assert first.read_bytes() == before


@pytest.mark.parametrize("output", ["nowhere/rs.dcm", "file/rs.dcm", "folder"])
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    output: str, ct: Path, ball_model: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    heard: list[str] = []
    with pytest.raises(OutputError, match=r"does not exist. Make it first|is a folder: name a file"):
        contour_series(ContourOrder(ct, tmp_path / output), ball_model, Stopwatch(heard.append))
    assert heard == []
    assert held(tmp_path) == ["file", "folder"]


def test_a_report_that_cannot_be_written_is_told_before_the_work(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "report.html").write_text("mine")
    for report, words in {"file": "is a file", "file/report": "is a file", "old": "exists already"}.items():
        with pytest.raises(OutputError, match=words):
            run(ContourOrder(ct, tmp_path / "rs.dcm", report=tmp_path / report), ball_model)
    assert held(tmp_path) == ["file", "old"]
    assert (tmp_path / "old" / "report.html").read_text() == "mine"


def test_a_full_disk_leaves_nothing(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    with files_of_at_most(8000), pytest.raises(OutputError, match="cannot be written: File too large"):
        run(ContourOrder(ct, tmp_path / "rs.dcm"), ball_model)
    assert held(tmp_path) == []


def test_a_full_disk_leaves_the_old_structure_set(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    (tmp_path / "rs.dcm").write_text("mine")
    with files_of_at_most(8000), pytest.raises(OutputError):
        run(ContourOrder(ct, tmp_path / "rs.dcm", overwrite=True), ball_model)
    assert held(tmp_path) == ["rs.dcm"]
    assert (tmp_path / "rs.dcm").read_text() == "mine"


def test_the_report_tells_of_organs_findings_and_no_patient(ct: Path, ball_model: Bundle, tmp_path: Path) -> None:
    result = run(ContourOrder(ct, tmp_path / "rs.dcm", report=tmp_path / "a" / "report", body=True), ball_model)
    assert result.report == tmp_path / "a" / "report" / "report.html"
    assert held(tmp_path / "a" / "report") == ["report.html"]
    page = result.report.read_text()
    for words in ("Parotid_L", "Parotid_R", "Brainstem", "External", "Knows nothing but balls.", ball_model.sha256, result.name):
        assert words in page
    assert "SECRET" not in page
    assert "19500102" not in page


def nifti(folder: Path) -> Path:
    return write_nifti(balls(SQUARE).ct, folder / "p07.nii.gz")


def test_a_nifti_ct_gives_masks_on_its_own_grid(ball_model: Bundle, tmp_path: Path) -> None:
    result = run(ContourOrder(nifti(tmp_path), tmp_path / "masks", body=True), ball_model)
    assert result.name == "p07"
    assert held(tmp_path) == ["masks", "p07.nii.gz"]
    assert held(tmp_path / "masks") == [f"{name}.nii.gz" for name in ("Brainstem", "External", "Parotid_L", "Parotid_R")]
    image: Any = nibabel.load(tmp_path / "p07.nii.gz")
    for name, ball in BALLS.items():
        mask: Any = nibabel.load(tmp_path / "masks" / f"{name}.nii.gz")
        np.testing.assert_allclose(mask.affine, image.affine, atol=1e-5)
        assert mask.shape == image.shape
        read = read_nifti(tmp_path / "masks" / f"{name}.nii.gz")
        np.testing.assert_allclose(read.geometry.points(np.argwhere(read.array > 0)).mean(axis=0), ball.centre, atol=1.0)


def test_a_full_disk_leaves_no_mask_and_the_old_ones(ball_model: Bundle, tmp_path: Path) -> None:
    source = nifti(tmp_path)
    with files_of_at_most(100), pytest.raises(OutputError, match="cannot be written"):
        run(ContourOrder(source, tmp_path / "masks"), ball_model)
    assert held(tmp_path) == ["p07.nii.gz"]
    run(ContourOrder(source, tmp_path / "masks", organs=("Brainstem",)), ball_model)
    with files_of_at_most(100), pytest.raises(OutputError, match="cannot be written"):
        run(ContourOrder(source, tmp_path / "masks", overwrite=True), ball_model)
    assert held(tmp_path) == ["masks", "p07.nii.gz"]
    assert held(tmp_path / "masks") == ["Brainstem.nii.gz"]


def test_masks_replace_masks_alone(ball_model: Bundle, tmp_path: Path) -> None:
    source, masks = nifti(tmp_path), tmp_path / "masks"
    order = ContourOrder(source, masks, organs=("Brainstem",))
    run(order, ball_model)
    with pytest.raises(OutputError, match=r"holds something already.*--overwrite"):
        run(order, ball_model)
    run(replace(order, organs=("Parotid_L",), overwrite=True), ball_model)
    assert held(masks) == ["Parotid_L.nii.gz"]
    (masks / "thesis.docx").touch()
    with pytest.raises(OutputError, match=r"holds thesis.docx, which is no mask"):
        run(replace(order, overwrite=True), ball_model)
    assert held(masks) == ["Parotid_L.nii.gz", "thesis.docx"]


def test_overwriting_never_deletes_the_ct_that_is_read(ball_model: Bundle, tmp_path: Path) -> None:
    source = nifti(tmp_path)
    with pytest.raises(OutputError, match=r"holds p07.nii.gz, which is no mask"):
        run(ContourOrder(source, tmp_path, overwrite=True), ball_model)
    assert source.is_file()


def test_a_nifti_ct_wants_a_folder(ball_model: Bundle, tmp_path: Path) -> None:
    source = nifti(tmp_path)
    with pytest.raises(OutputError, match="masks come out: give --output a folder"):
        run(ContourOrder(source, tmp_path / "rs.dcm"), ball_model)
    with pytest.raises(OutputError, match=r"does not exist. Make it first"):
        run(ContourOrder(source, tmp_path / "nowhere" / "masks"), ball_model)
    with pytest.raises(InputError, match="is not there"):
        run(ContourOrder(tmp_path / "other.nii.gz", tmp_path / "masks"), ball_model)
    assert held(tmp_path) == ["p07.nii.gz"]


def test_a_clinics_names_and_fineness_reach_the_file(tmp_path: Path, ball_model: Bundle) -> None:
    writing = Writing(subvoxel=True, names={"Parotid_L": WrittenRoi("Parotis li", (1, 2, 3), "AVOIDANCE")})
    order = ContourOrder(ball_ct(tmp_path / "ct", axial_geometry()), tmp_path / "rs.dcm", writing=writing)
    result = contour_series(order, ball_model, Stopwatch())
    kinds = {finding.kind for finding in result.findings}
    assert {"not_in_names", "foreign_reader_not_applicable"} <= kinds
    assert "contour_not_subvoxel" not in kinds
    read = read_rtstruct(tmp_path / "rs.dcm", result.ct)
    assert [(roi.name, roi.colour, roi.interpreted_type) for roi in read.rois] == [("Parotis li", (1, 2, 3), "AVOIDANCE")]
    assert np.array_equal(read.structures.mask("Parotis li").array, result.structures.mask("Parotid_L").array)


def test_organs_are_appended_to_a_structure_set(tmp_path: Path, ball_model: Bundle) -> None:
    ct = ball_ct(tmp_path / "ct", axial_geometry())
    first = ContourOrder(ct, tmp_path / "old.dcm", organs=("Parotid_L",))
    contour_series(first, ball_model, Stopwatch())
    order = replace(first, output=tmp_path / "new.dcm", organs=None, writing=Writing(append_to=tmp_path / "old.dcm"))
    with pytest.raises(InputError, match="Parotid_L: there already"):
        contour_series(order, ball_model, Stopwatch())
    assert not (tmp_path / "new.dcm").exists()
    contour_series(replace(order, organs=("Parotid_R",)), ball_model, Stopwatch())
    assert list(read_rtstruct(tmp_path / "new.dcm", read_ct_grid(ct)).structures) == ["Parotid_L", "Parotid_R"]


def test_a_nifti_ct_has_no_use_for_names(tmp_path: Path, ball_model: Bundle) -> None:
    ct = tmp_path / "ct.nii.gz"
    ct.touch()
    order = ContourOrder(ct, tmp_path / "masks", writing=Writing(simplify_mm=0.5))
    with pytest.raises(ConfigError, match="masks come out of a NIfTI CT"):
        contour_series(order, ball_model, Stopwatch())


def test_measures_below_zero_are_refused() -> None:
    with pytest.raises(ConfigError, match="simplify_mm is 0 or more, got -1"):
        Writing(simplify_mm=-1)


def test_organs_come_out_as_a_segmentation_too(tmp_path: Path, ball_model: Bundle) -> None:
    ct = ball_ct(tmp_path / "ct", axial_geometry())
    order = ContourOrder(ct, tmp_path / "rs.dcm", writing=Writing(seg=tmp_path / "seg.dcm"))
    result = contour_series(order, ball_model, Stopwatch())
    found = read_seg(tmp_path / "seg.dcm", read_ct_grid(ct))
    assert all(np.array_equal(found[name], result.structures.mask(name).array) for name in found)
    assert found
    with pytest.raises(OutputError, match="name two files"):
        contour_series(replace(order, overwrite=True, writing=Writing(seg=tmp_path / "rs.dcm")), ball_model, Stopwatch())


def test_a_model_that_looks_first_contours_the_slices_that_it_found(
    ball_model: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finder works on a grid of 8 mm; with no room beyond what it finds, the network sees fewer slices."""
    from rtseg.jobs import contour as page
    from rtseg.segmentation import find

    monkeypatch.setattr(find, "ROOM_MM", 8.0)
    ct = read_planning_ct(ball_ct(tmp_path / "ct", SQUARE))
    coarse = replace(ball_model.preparation, spacing_mm=(8.0, 8.0, 8.0))
    finder = replace(ball_model, task=ball_model.task.model_copy(update={"preparation": coarse}))
    depths: list[float] = []

    def watched(*given: Any) -> Any:
        grid = given[0].volume.geometry
        depths.append(grid.shape[0] * grid.slice_spacing)
        return segment(*given)

    monkeypatch.setattr(page, "segment", watched)
    whole, found = contour(ct, ball_model), contour(ct, replace(ball_model, finder=finder))
    assert depths[2] < depths[0] - 10
    for name in BALLS:
        assert dsc(found.structures.mask(name), whole.structures.mask(name)) > 0.97
    assert "broken_stack" not in [finding.kind for finding in found.findings]
