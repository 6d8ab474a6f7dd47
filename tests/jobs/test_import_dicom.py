"""A clinic's DICOM tree becomes cases: who is paired with what, which organ is which, who is in which split, what is told."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case_folders import ball_case, grid
from clinic_tree import LABELS, add_mr, add_structure_set, move, truncate, write_patient
from contour_cases import edit, slices
from phantoms import BALLS, CENTRE, axial_geometry, centroid, coronal_geometry, turned_geometry, without_slices
from pydicom import dcmread

from rtseg.core import ConfigError, InputError, Mask, OutputError
from rtseg.data import Case, find_cases, read_nifti
from rtseg.data.splits import Splits
from rtseg.jobs.import_cases import Imported, Target
from rtseg.jobs.import_dicom import DicomOrder, Listeners, import_dicom


def run(source: Path, output: Path, names: Path | None = None, mr_words: str = "", **target: Any) -> Imported:
    splits = target.pop("splits", Splits())
    return import_dicom(DicomOrder(source, Target(output, splits, **target), names, mr_words), Listeners())


def cases(output: Path) -> list[Case]:
    return [case.read() for case in find_cases(output)]


def only(output: Path) -> Case:
    (case,) = cases(output)
    return case


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two patients."""
    for number in (1, 2):
        write_patient(tmp_path / "dicom" / f"SECRET{number}", f"SECRET{number}")
    return tmp_path / "dicom"


# Images and organs


def test_each_ct_with_a_structure_set_becomes_a_case(tree: Path, tmp_path: Path) -> None:
    result = run(tree, tmp_path / "cases")
    assert sorted((row.patient, row.state, row.slices) for row in result.rows) == [("p0001", "made", 24), ("p0002", "made", 24)]
    assert (result.failed, result.unmatched) == (0, {})
    assert result.labels == {organ: {label: 2} for organ, label in sorted(LABELS.items())}
    expected = ball_case("any")
    for case in cases(tmp_path / "cases"):
        assert case.ct.geometry.same_as(expected.ct.geometry)
        np.testing.assert_array_equal(case.ct.array, expected.ct.array)
        assert sorted(case.contoured) == sorted(expected.contoured)
        for organ in expected.contoured:
            np.testing.assert_array_equal(case.structures.mask(organ).array, expected.structures.mask(organ).array)


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP", "coronal"])
def test_left_is_the_patients_left_however_it_was_scanned(position: str, tmp_path: Path) -> None:
    """Parotid_L lies 30 mm to the left (x is positive), Parotid_R 26 mm to the right of the patient's middle."""
    geometry = coronal_geometry() if position == "coronal" else axial_geometry(position)
    write_patient(tmp_path / "dicom", "1", geometry)
    add_mr(tmp_path / "dicom", axial_geometry("HFS", (20, 40, 44), (4.0, 3.0, 3.0)))
    assert run(tmp_path / "dicom", tmp_path / "cases").failed == 0
    case = only(tmp_path / "cases")
    assert centroid(case.structures.mask("Parotid_L")) == pytest.approx(BALLS["Parotid_L"].centre, abs=0.5)
    assert centroid(case.structures.mask("Parotid_R")) == pytest.approx(BALLS["Parotid_R"].centre, abs=0.5)
    assert case.mr is not None
    inside = case.structures.mask("Parotid_L").array
    assert np.median(case.mr.array[inside]) - np.median(case.ct.array[inside]) == pytest.approx(1024, abs=20)


def test_files_mixed_in_one_folder_are_told_apart_by_their_identity(tree: Path, tmp_path: Path) -> None:
    for folder in list(tree.iterdir()):
        move(folder, tmp_path / "flat" / "export")
    (tmp_path / "flat" / "export" / "readme.txt").write_text("no DICOM")
    assert [row.state for row in run(tmp_path / "flat", tmp_path / "cases").rows] == ["made", "made"]


def test_an_mr_comes_onto_the_grid_of_the_ct_with_where_it_was_measured(tmp_path: Path) -> None:
    folder = write_patient(tmp_path / "dicom" / "a", "1")
    small = turned_geometry((1, 0, 0), (0, 1, 0), (10, 30, 32), (4.0, 2.5, 2.5))  # 40 x 75 x 80 mm round the same centre
    add_mr(folder, small)
    (row,) = run(tmp_path / "dicom", tmp_path / "cases").rows
    assert row.mr.startswith("...")
    case = only(tmp_path / "cases")
    assert case.pairing == "weak"
    assert case.mr is not None
    assert case.mr_valid is not None
    assert case.mr.geometry.same_as(case.ct.geometry)
    index = np.argwhere(case.mr_valid.array)
    middles = case.ct.geometry.points(index) - CENTRE
    assert np.abs(middles).max(axis=0) == pytest.approx((40, 37.5, 20), abs=3)
    assert (case.mr.array[~case.mr_valid.array] == 0).all()
    body = case.mr_valid.array & (case.ct.array == 0)
    assert np.median(case.mr.array[body]) == 1024
    assert json.loads((tmp_path / "cases/train/p0001/case.json").read_text())["pairing"] == "weak"


def test_an_mr_in_another_frame_of_reference_is_left_out_and_told(tmp_path: Path) -> None:
    folder = write_patient(tmp_path / "dicom" / "a", "1")
    add_mr(folder, grid(), frame="1.2.3.4")
    (row,) = run(tmp_path / "dicom", tmp_path / "cases").rows
    assert (row.mr, row.state) == ("", "made")
    assert any("another frame of reference than the CT; register it" in note for note in row.notes)
    assert only(tmp_path / "cases").mr is None


def test_of_several_mr_the_one_with_most_images_or_the_one_asked_for(tmp_path: Path) -> None:
    folder = write_patient(tmp_path / "dicom" / "a", "1")
    add_mr(folder, turned_geometry((1, 0, 0), (0, 1, 0), (8, 30, 32), (4.0, 2.5, 2.5)), description="t2 tse", name="t2")
    add_mr(folder, turned_geometry((1, 0, 0), (0, 1, 0), (12, 30, 32), (4.0, 2.5, 2.5)), description="localiser")
    (row,) = run(tmp_path / "dicom", tmp_path / "one", dry_run=True).rows
    assert any("2 MR series" in note and "'localiser'" in note for note in row.notes)
    (asked,) = run(tmp_path / "dicom", tmp_path / "one", mr_words="T2", dry_run=True).rows
    assert asked.notes == ()
    assert asked.mr not in ("", row.mr)


def test_an_mr_that_makes_no_stack_costs_the_mr_alone(tmp_path: Path) -> None:
    folder = write_patient(tmp_path / "dicom" / "a", "1")
    mr = add_mr(folder, grid())
    edit(slices(mr)[3], ImageOrientationPatient=[0, 1, 0, 1, 0, 0])
    (row,) = run(tmp_path / "dicom", tmp_path / "cases").rows
    assert (row.state, row.mr) == ("made", "")
    assert any("left out: slices of one series have different orientations" in note for note in row.notes)


# Which structure set


def organs_of(tmp_path: Path, **second: Any) -> tuple[str, ...]:
    """Organs of the case of a CT with two structure sets: the first, approved on 1 January 2025, has one parotid alone."""
    folder = write_patient(tmp_path / "dicom" / "a", "1", labels={"Parotid_L": "Parotid_L"})
    add_structure_set(folder, "second.dcm", StructureSetLabel="SECOND", **second)
    (row,) = run(tmp_path / "dicom", tmp_path / "cases").rows
    assert row.state == "made"
    return row.organs


def test_the_newest_approved_structure_set_counts(tmp_path: Path) -> None:
    assert len(organs_of(tmp_path, StructureSetDate="20250102")) == 3


def test_an_approved_one_counts_before_a_newer_one(tmp_path: Path) -> None:
    assert len(organs_of(tmp_path, StructureSetDate="20260101", ApprovalStatus="UNAPPROVED")) == 1


def test_a_rejected_one_never_counts(tmp_path: Path) -> None:
    assert len(organs_of(tmp_path, StructureSetDate="20260101", ApprovalStatus="REJECTED")) == 1


def test_our_own_contours_teach_nothing_unless_somebody_approved_them(tmp_path: Path) -> None:
    write_patient(tmp_path / "dicom" / "a", "1", Manufacturer="rtseg", ApprovalStatus="UNAPPROVED")
    (row,) = run(tmp_path / "dicom", tmp_path / "cases").rows
    assert (row.state, row.problem) == ("left out", "no structure set for this CT")
    assert any("rtseg made it and nobody approved it" in note for note in row.notes)


def test_which_of_several_was_taken_is_told(tmp_path: Path) -> None:
    organs_of(tmp_path, StructureSetDate="20250102")
    (row,) = run(tmp_path / "dicom", tmp_path / "again", dry_run=True).rows
    assert any("2 structure sets: the newest approved was taken (SECOND), not RTSEG" in note for note in row.notes)


def test_a_structure_set_that_names_no_series_belongs_to_the_only_ct_of_its_frame(tmp_path: Path) -> None:
    folder = write_patient(tmp_path / "dicom" / "a", "1", ReferencedFrameOfReferenceSequence=[])
    assert [row.state for row in run(tmp_path / "dicom", tmp_path / "cases").rows] == ["made"]
    other = write_patient(tmp_path / "dicom" / "b", "1")
    frame = dcmread(slices(folder / "ct")[0]).FrameOfReferenceUID
    for path in slices(other / "ct"):
        edit(path, FrameOfReferenceUID=frame)
    (other / "rs.dcm").unlink()
    result = run(tmp_path / "dicom", tmp_path / "two", dry_run=True)
    assert [row.state for row in result.rows] == ["left out", "left out"]
    assert any("2 CT series lie in its frame of reference" in words for words in result.left_out)


def test_a_structure_set_without_its_ct_and_a_ct_without_structure_set_are_told(tmp_path: Path) -> None:
    one, two = (write_patient(tmp_path / "dicom" / name, name) for name in "ab")
    for path in slices(one / "ct"):
        path.unlink()
    (two / "rs.dcm").unlink()
    result = run(tmp_path / "dicom", tmp_path / "cases")
    assert [(row.state, row.problem) for row in result.rows] == [("left out", "no structure set for this CT")]
    assert len(result.left_out) == 1
    assert "is not in the tree; add it, or remove the structure set" in result.left_out[0]


# Names


def test_the_clinics_own_names_go_first_and_unknown_labels_are_counted(tmp_path: Path) -> None:
    labels = {"Parotid_L": "OAR_7", "Parotid_R": "PTV_60", "Brainstem": "Hirnstamm"}
    write_patient(tmp_path / "dicom" / "a", "1", labels=labels)
    result = run(tmp_path / "dicom", tmp_path / "cases", dry_run=True)
    assert result.unmatched == {"OAR_7": 1, "PTV_60": 1}
    names = tmp_path / "names.yaml"
    names.write_text("OAR_7: Parotid_L\nPTV_60: null\nHirnstamm: GTV\nGhost: Brainstem\n")
    result = run(tmp_path / "dicom", tmp_path / "cases", names)
    assert result.unmatched == {}
    assert result.labels == {"GTV": {"Hirnstamm": 1}, "Parotid_L": {"OAR_7": 1}}
    assert result.hints == ("the file of names has 'Ghost', which no ROI is called",)
    assert only(tmp_path / "cases").contoured == ("GTV", "Parotid_L")


def test_a_patient_without_any_known_organ_fails_with_the_remedy(tmp_path: Path) -> None:
    write_patient(tmp_path / "dicom" / "a", "1", labels={"Parotid_L": "PTV_60"})
    result = run(tmp_path / "dicom", tmp_path / "cases")
    assert [(row.state, row.patient) for row in result.rows] == [("failed", "")]
    assert "name them in a file of names (--map)" in str(result.rows[0].problem)
    assert not (tmp_path / "cases").exists()


def test_two_labels_for_one_organ_leave_it_unknown(tmp_path: Path) -> None:
    write_patient(
        tmp_path / "dicom" / "a", "1", labels={"Parotid_L": "Lt Parotid", "Parotid_R": "Parotis li", "Brainstem": "Hirnstamm"}
    )
    (row,) = run(tmp_path / "dicom", tmp_path / "cases").rows
    assert row.organs == ("Brainstem",)
    assert (
        "Parotid_L left out: 'Lt Parotid' and 'Parotis li' both mean it; name the wrong one null in the file of names"
        in row.notes
    )


def test_an_roi_without_contours_is_unknown_not_absent(tmp_path: Path) -> None:
    folder = write_patient(tmp_path / "dicom" / "a", "1")
    data = dcmread(folder / "rs.dcm")
    for item, contours in zip(data.StructureSetROISequence, data.ROIContourSequence, strict=True):
        if item.ROIName == "Lt Parotid":
            contours.ContourSequence = []
    data.save_as(folder / "rs.dcm")
    (row,) = run(tmp_path / "dicom", tmp_path / "cases").rows
    assert row.organs == ("Brainstem", "Parotid_R")
    assert only(tmp_path / "cases").contoured == ("Brainstem", "Parotid_R")


WRONG_NAMES = {
    "OAR_7: Parotid_Left": "Parotid_Left is no TG-263 name; did you mean Parotid_L?",
    "OAR_7: [Parotid_L]": "must be a TG-263 name or null",
    "OAR_7: ../x": "must be a TG-263 name or null",
    "OAR_7: ''": "must be a TG-263 name or null",
    "- Parotid_L": "must hold names and values",
}


@pytest.mark.parametrize("text", WRONG_NAMES)
def test_a_file_of_names_that_cannot_be_is_told(text: str, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        run(tree, tmp_path / "cases", tmp_path / "names.yaml")
    assert WRONG_NAMES[text] in str(raised.value)


# Persons, splits, keys


def test_nobody_is_named_in_what_is_written(tree: Path, tmp_path: Path) -> None:
    run(tree, tmp_path / "cases", key=tmp_path / "key.csv")
    for path in (tmp_path / "cases").rglob("*"):
        assert "SECRET" not in str(path.relative_to(tmp_path))
        assert path.is_dir() or b"SECRET" not in path.read_bytes()
    with (tmp_path / "key.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert sorted(row["person_in_source"] for row in rows) == ["SECRET1", "SECRET2"]
    assert sorted(row["patient"] for row in rows) == ["p0001", "p0002"]
    assert stat.S_IMODE((tmp_path / "key.csv").stat().st_mode) == 0o600


def test_a_key_file_may_not_lie_with_the_cases(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="keep it apart from the cases"):
        Target(tmp_path / "cases", Splits(), tmp_path / "cases" / "key.csv")


def test_two_scans_of_one_person_are_in_one_split(tmp_path: Path) -> None:
    for name in "abcdef":
        write_patient(tmp_path / "dicom" / name, "same" if name in "abc" else name)
    run(tmp_path / "dicom", tmp_path / "cases", splits=Splits(0.5))
    with (tmp_path / "cases/index.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    persons = {row["person"]: {one["split"] for one in rows if one["person"] == row["person"]} for row in rows}
    assert len(persons) == 4
    assert sorted(split for splits in persons.values() for split in splits) == ["train", "train", "validation", "validation"]
    assert sum("_" in row["patient"] for row in rows) == 2  # pNNNN, pNNNN_2, pNNNN_3


def test_a_table_of_splits_decides(tree: Path, tmp_path: Path) -> None:
    write_patient(tree / "SECRET3", "SECRET3")
    write_patient(tree / "SECRET4", "SECRET4")
    splits = Splits(table={"SECRET1": "validation", "SECRET2": "train", "SECRET3": "test"})
    result = run(tree, tmp_path / "cases", splits=splits)
    assert sorted((row.state, row.split) for row in result.rows) == [
        ("failed", ""),
        ("left out", ""),
        ("made", "train"),
        ("made", "validation"),
    ]
    assert any("does not name this person" in str(row.problem) for row in result.rows)
    with pytest.raises(InputError, match="1 persons were imported into another split"):
        run(tree, tmp_path / "cases", splits=Splits(table={"SECRET1": "train", "SECRET2": "train"}))


def test_a_second_run_does_only_what_is_new_or_changed_and_nobody_changes_split(tree: Path, tmp_path: Path) -> None:
    first = {row.found: row for row in run(tree, tmp_path / "cases").rows}
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "cases").rglob("*.nii.gz")}
    write_patient(tree / "SECRET3", "SECRET3")
    write_patient(tree / "SECRET1b", "SECRET1")
    again = run(tree, tmp_path / "cases").rows
    assert sorted(row.state for row in again) == ["made", "made", "there already", "there already"]
    assert all(
        (row.patient, row.split) == (first[row.found].patient, first[row.found].split) for row in again if row.found in first
    )
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    (tmp_path / "names.yaml").write_text("Hirnstamm: null\n")
    assert {row.state for row in run(tree, tmp_path / "cases", tmp_path / "names.yaml").rows} == {"made"}
    assert all(case.contoured == ("Parotid_L", "Parotid_R") for case in cases(tmp_path / "cases"))


def test_persons_that_cannot_be_recognised_are_not_mixed_with_others(tree: Path, tmp_path: Path) -> None:
    run(tree, tmp_path / "cases", key=tmp_path / "key.csv")
    write_patient(tmp_path / "more" / "x", "SECRET1")
    with pytest.raises(InputError, match=r"\(p0001, p0002\) whose scans are not in this source.*--key"):
        run(tmp_path / "more", tmp_path / "cases")
    (row,) = run(tmp_path / "more", tmp_path / "cases", key=tmp_path / "key.csv").rows
    with (tmp_path / "cases/index.csv").open() as lines:
        same = [one for one in csv.DictReader(lines) if one["person"] == row.patient.partition("_")[0]]
    assert row.patient.endswith("_2")
    assert len({one["split"] for one in same}) == 1
    assert len(same) == 2


def test_without_a_patient_id_each_study_is_a_person(tmp_path: Path) -> None:
    for name in "ab":
        for path in slices(write_patient(tmp_path / "dicom" / name, "same") / "ct"):
            edit(path, PatientID="")
    rows = run(tmp_path / "dicom", tmp_path / "cases").rows
    assert sorted(row.split for row in rows) == ["train", "validation"]
    assert all("names another patient ID than the CT" in " ".join(row.notes) for row in rows)


# What goes wrong


def test_a_bad_patient_stops_no_other(tree: Path, tmp_path: Path) -> None:
    write_patient(tree / "gap", "gap", without_slices(axial_geometry(), (5,)))
    truncate(slices(write_patient(tree / "cut", "cut") / "ct")[0])
    foreign = write_patient(tree / "frame", "frame")
    for path in slices(foreign / "ct"):
        edit(path, FrameOfReferenceUID="1.2.3")
    result = run(tree, tmp_path / "cases")
    problems = [str(row.problem) for row in result.rows if row.state == "failed"]
    assert sum(row.state == "made" for row in result.rows) >= 2
    assert any("slices are not evenly spaced" in problem for problem in problems)
    assert any("lies in another frame of reference than the CT it names" in problem for problem in problems)
    assert any("CT0001.dcm" in problem for problem in [*problems, *result.broken])
    assert result.failed >= 3
    assert len(find_cases(tmp_path / "cases")) == sum(row.state == "made" for row in result.rows)


def test_a_structure_set_that_breaks_off_is_told(tree: Path, tmp_path: Path) -> None:
    truncate(tree / "SECRET1" / "rs.dcm")
    result = run(tree, tmp_path / "cases")
    assert sorted(row.state for row in result.rows) == ["left out", "made"]
    assert result.failed == 1
    assert "rs.dcm lacks RTROIObservationsSequence, which follows the contours: it breaks off" in result.broken[0]


def test_a_dry_run_writes_nothing_and_tells_the_same(tree: Path, tmp_path: Path) -> None:
    dry = run(tree, tmp_path / "cases", key=tmp_path / "key.csv", dry_run=True)
    assert {row.state for row in dry.rows} == {"would be made"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dicom"]
    wet = run(tree, tmp_path / "cases")
    assert [(row.patient, row.split, row.organs) for row in wet.rows] == [
        (row.patient, row.split, row.organs) for row in dry.rows
    ]
    assert {row.state for row in run(tree, tmp_path / "cases", dry_run=True).rows} == {"there already"}


def test_no_folder_and_no_ct_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        run(tmp_path / "nowhere", tmp_path / "cases")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no CT series below"):
        run(tmp_path / "empty", tmp_path / "cases")


# Real files


def test_real_ct_mr_and_structure_sets(tmp_path: Path, test_data: Callable[[str], Path]) -> None:
    """GTV volumes at full resolution as the data's README has them: STS_019 17.4 ml, STS_042 34.8 ml."""
    (tmp_path / "names.yaml").write_text("GTV_Mass_CT: GTV\n")
    result = run(test_data("sts_ct_mr/dicom"), tmp_path / "cases", tmp_path / "names.yaml", key=tmp_path / "key.csv")
    assert [row.state for row in result.rows] == ["made", "made"]
    assert result.left_out == ("structure set RS_MR_T1.dcm (RTstruct): it was drawn on an MR series, not on the CT",) * 2
    with (tmp_path / "key.csv").open() as lines:
        who = {row["patient"]: row["person_in_source"] for row in csv.DictReader(lines)}
    for case in cases(tmp_path / "cases"):
        assert case.structures.volume_ml("GTV") == pytest.approx({"STS_019": 17.4, "STS_042": 34.8}[who[case.name]], abs=0.15)
        same = read_shipped(test_data(f"sts_ct_mr/cases/{who[case.name]}"))
        assert centroid(case.structures.mask("GTV")) == pytest.approx(same, abs=0.7)
        assert case.mr is not None
        assert case.mr_valid is not None
        muscle = case.mr_valid.array & (np.abs(case.ct.array - 50) < 30)
        air = case.mr_valid.array & (case.ct.array < -900)
        assert np.median(case.mr.array[muscle]) > np.median(case.mr.array[air]) + 50
        if who[case.name] == "STS_042":  # its MR lies on the CT's lattice: every pixel is there as it was
            pixels = np.stack([dcmread(path).pixel_array for path in test_data("sts_ct_mr/dicom/STS_042/MR_T1").iterdir()])
            assert case.mr_valid.array.sum() == pixels.size
            np.testing.assert_array_equal(np.sort(case.mr.array[case.mr_valid.array]), np.sort(pixels, axis=None))


def read_shipped(folder: Path) -> np.ndarray:
    mask = read_nifti(folder / "mask.nii.gz")
    return centroid(Mask(mask.array > 0, mask.geometry))
