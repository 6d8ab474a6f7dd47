"""Contours in any form against a reference in any form: matched, measured, and nothing dropped in silence."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from contour_cases import edit
from evaluations import FORMS, GRID, evaluated, moved, organs_of, renamed, without, write_as, write_ct
from phantoms import axial_geometry

from rtseg.core import GeometryError, InputError, OutputError
from rtseg.data.organ_names import OrganNames
from rtseg.metrics import HowMeasured, SurfaceModel

ORGANS = organs_of()
NAMES = list(ORGANS)


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ct(tmp_path_factory.mktemp("scan") / "ct")


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("predicted", FORMS)
@pytest.mark.parametrize("reference", FORMS)
def test_any_form_against_any_other(tmp_path, ct, predicted, reference):
    """Two columns to the patient's left are 4 mm; the reference is where it was."""
    auto = write_as(predicted, moved(ORGANS, columns=2), tmp_path / "auto", ct)
    manual = write_as(reference, ORGANS, tmp_path / "manual", ct)
    result = evaluated(auto, manual, tmp_path / "out", ct=ct)
    assert [score.organ for score in result.scores["auto"]] == NAMES
    for score in result.scores["auto"]:
        assert score.figures["centroid_left_mm"] == pytest.approx(4.0, abs=1e-6)
        assert score.figures["volume_ratio"] == pytest.approx(1.0)
        assert 3.0 < score.figures["hd95_mm"] <= 4.0
    assert result.plan.without_prediction == {"auto": ()}


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP"])
def test_left_is_the_patients_left_however_he_lies(tmp_path, position):
    geometry = axial_geometry(position, spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64))
    ct = write_ct(tmp_path / "ct", geometry)
    organs = organs_of(geometry)
    to_left = 2 if geometry.direction[2, 0] > 0 else -2
    auto = write_as("rtstruct", moved(organs, columns=to_left), tmp_path / "auto", ct)
    result = evaluated(auto, write_as("masks", organs, tmp_path / "manual"), tmp_path / "out", ct=ct)
    assert all(score.figures["centroid_left_mm"] == pytest.approx(4.0, abs=1e-6) for score in result.scores["auto"])


def test_tables_hold_every_figure_with_its_definition(tmp_path):
    auto, manual = (write_as("masks", organs, tmp_path / name) for name, organs in (("a", moved(ORGANS, 1)), ("m", ORGANS)))
    measured = {"Parotid_L": HowMeasured(nsd_mm=3.0, is_open_ended=True)}
    result = evaluated(auto, manual, tmp_path / "out", measured=measured, model=SurfaceModel.VOXEL)
    table = rows(tmp_path / "out" / "figures.csv")
    assert [(row["patient"], row["organ"]) for row in table] == [("m", name) for name in NAMES]
    assert {row["surface_model"] for row in table} == {"voxel"}
    left = next(row for row in table if row["organ"] == "Parotid_L")
    assert left["nsd_3"] == "1.0"
    assert left["nsd_2"] == "" != left["dsc_in_reference_range"]
    assert float(left["dsc"]) == pytest.approx(result.scores["auto"][NAMES.index("Parotid_L")].figures["dsc"], abs=1e-6)
    summary = {(row["organ"], row["figure"]): row for row in rows(tmp_path / "out" / "summary.csv")}
    assert summary["Parotid_L", "nsd_3"]["mean"] == "1.0"
    about = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert set(about["definitions"]) == {name for name in table[0] if name not in list(table[0])[:6]}


def test_a_missed_organ_counts_and_one_that_nobody_predicts_is_listed(tmp_path):
    missed, never, *_ = NAMES
    for patient, organs in (("p1", without(ORGANS, missed, never)), ("p2", without(ORGANS, never))):
        write_as("masks", organs, tmp_path / "auto" / patient)
        write_as("masks", ORGANS, tmp_path / "manual" / patient)
    result = evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / "out")
    assert result.not_predicted == {"auto": (never,)}
    summary = {organ.organ: organ for organ in result.summaries["auto"]}
    assert never not in summary
    assert (summary[missed].n, summary[missed].missed, summary[missed].figures["dsc"].mean) == (2, 1, 0.5)
    asked = evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / "asked", organs=(never,))
    assert [(organ.organ, organ.missed) for organ in asked.summaries["auto"]] == [(never, 2)]


def test_an_organ_asked_for_that_no_reference_has_is_told(tmp_path):
    auto, manual = (write_as("masks", ORGANS, tmp_path / name) for name in ("auto", "manual"))
    result = evaluated(auto, manual, tmp_path / "out", organs=(NAMES[0], "Larynx", "Parotis"))
    assert result.in_vain == ("Larynx", "Parotis")
    assert "no reference has" in (tmp_path / "out" / "report.html").read_text()


def test_an_organ_that_is_drawn_and_not_there_is_a_false_organ(tmp_path):
    first = NAMES[0]
    empty = np.zeros(GRID.shape, dtype=np.bool_)
    for name, organs in (("auto", ORGANS), ("manual", ORGANS)):
        write_as("masks", organs, tmp_path / name)
    image = nibabel.load(tmp_path / "manual" / f"{first}.nii.gz")
    blank = nibabel.Nifti1Image(empty.astype(np.uint8).transpose(2, 1, 0), image.affine)
    nibabel.save(blank, tmp_path / "manual" / f"{first}.nii.gz")
    (summary, *_) = evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / "out").summaries["auto"]
    assert (summary.organ, summary.n, summary.false_organs) == (first, 0, 1)


def test_an_organ_of_the_prediction_alone_has_no_row_and_is_listed(tmp_path):
    auto = write_as("masks", ORGANS, tmp_path / "auto")
    result = evaluated(auto, write_as("masks", without(ORGANS, NAMES[0]), tmp_path / "manual"), tmp_path / "out")
    assert [score.organ for score in result.scores["auto"]] == NAMES[1:]
    assert result.unmatched == {"auto": (NAMES[0],)}


def test_organs_meet_through_their_synonyms_and_a_file_of_names_goes_before(tmp_path):
    names = {"Parotid_L": "parotis li", "Parotid_R": "OAR7"}
    auto = write_as("masks", renamed(ORGANS, names), tmp_path / "auto")
    manual = write_as("masks", ORGANS, tmp_path / "manual")
    plain = evaluated(auto, manual, tmp_path / "out")
    assert "Parotid_L" in {score.organ for score in plain.scores["auto"]}
    assert plain.unmatched == {"auto": ("OAR7",)}
    mapped = evaluated(auto, manual, tmp_path / "mapped", names=OrganNames({"OAR7": "Parotid_R", "parotis li": None}))
    assert {score.organ for score in mapped.scores["auto"]} == set(NAMES) - {"Parotid_L"}
    assert mapped.unmatched == {"auto": ()}


def test_two_labels_of_one_organ_are_refused(tmp_path):
    auto = write_as("masks", renamed(ORGANS, {"Parotid_L": "Left Parotid", "Brainstem": "parotid_lt"}), tmp_path / "auto")
    manual = write_as("masks", ORGANS, tmp_path / "manual")
    with pytest.raises(InputError, match=r"'Left Parotid' and 'parotid_lt' both mean Parotid_L; .*--map") as error:
        evaluated(auto, manual, tmp_path / "out")
    assert "auto" in str(error.value)


def test_trees_of_structure_sets_meet_by_their_ct_whatever_folders_are_called(tmp_path):
    for n, name in enumerate(("anna", "bert", "carl"), start=1):
        ct = write_ct(tmp_path / "cts" / name, patient=str(n))
        write_as("rtstruct", ORGANS, tmp_path / "manual" / f"clinic_{4 - n}", ct)
        if name != "carl":
            write_as("rtstruct", moved(ORGANS, columns=n), tmp_path / "auto" / name, ct)
    result = evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / "out", ct=tmp_path / "cts")
    shifts = {score.patient: score.figures["centroid_left_mm"] for score in result.scores["auto"]}
    assert shifts == {"clinic_3": pytest.approx(2.0), "clinic_2": pytest.approx(4.0)}
    assert result.plan.without_prediction == {"auto": ("clinic_1",)}


def test_a_folder_and_a_file_of_one_name_are_two_patients(tmp_path):
    for n, place in enumerate(("x", ".")):
        ct = write_ct(tmp_path / "cts" / str(n), patient=str(n))
        for side in ("auto", "manual"):
            file = write_as("rtstruct", ORGANS, tmp_path / side / place, ct)
            if place == ".":
                file.rename(file.with_name("x.dcm"))
    result = evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / "out", ct=tmp_path / "cts")
    assert sorted({score.patient for score in result.scores["auto"]}) == ["x.dcm", "x/RS.dcm"]


def test_one_broken_patient_stops_no_other_and_is_told(tmp_path):
    for patient in ("p1", "p2", "p3"):
        write_as("masks", ORGANS, tmp_path / "auto" / patient)
        write_as("masks", ORGANS, tmp_path / "manual" / patient)
    broken = tmp_path / "auto" / "p2" / f"{NAMES[0]}.nii.gz"
    broken.write_bytes(broken.read_bytes()[:100])
    result = evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / "out")
    ((patient, label, words),) = result.failures
    assert (patient, label) == ("p2", "auto")
    assert str(broken) in words
    assert {score.patient for score in result.scores["auto"]} == {"p1", "p3"}
    assert "p2 could not be compared" in (tmp_path / "out" / "report.html").read_text()


def test_several_predictions_are_compared_patient_by_patient(tmp_path):
    for n in range(1, 4):
        for name, shift in (("one", 2), ("other", 1), ("manual", 0)):
            write_as("masks", moved(ORGANS, columns=shift), tmp_path / name / f"p{n}")
    named = {name: tmp_path / name for name in ("one", "other")}
    result = evaluated(named, tmp_path / "manual", tmp_path / "out")
    better = [one for one in result.comparisons["other"] if one.figure == "hd95_mm"]
    assert all(one.differences.mean == pytest.approx(-2.0, abs=0.3) and one.differences.n == 3 for one in better)
    table = rows(tmp_path / "out" / "comparison.csv")
    assert {(row["prediction"], row["against"]) for row in table} == {("other", "one")}
    assert len(table) == 3 * len(NAMES)


def test_processes_find_what_one_finds(tmp_path):
    for patient in ("p1", "p2"):
        write_as("masks", moved(ORGANS, columns=1), tmp_path / "auto" / patient)
        write_as("masks", ORGANS, tmp_path / "manual" / patient)
    one, two = (evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / f"out{n}", workers=n, pictures=1) for n in (1, 2))
    assert one.scores == two.scores
    assert (tmp_path / "out1" / "figures.csv").read_bytes() == (tmp_path / "out2" / "figures.csv").read_bytes()


def test_an_organ_at_the_scans_edge_is_marked_and_the_table_stands_without_it_too(tmp_path):
    edge = moved(ORGANS, slices=-int(np.flatnonzero(ORGANS.mask(NAMES[0]).array.any(axis=(1, 2)))[0]))
    for name in ("auto", "manual"):
        write_as("masks", edge, tmp_path / name / "p1")
        write_as("masks", ORGANS, tmp_path / name / "p2")
    result = evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / "out")
    cut = {(score.patient, score.organ) for score in result.scores["auto"] if score.is_cut}
    assert ("p1", NAMES[0]) in cut
    assert not any(patient == "p2" for patient, _ in cut)
    whole = {organ.organ: organ.n for organ in result.whole["auto"]}
    assert whole[NAMES[0]] == 1
    assert result.summaries["auto"][0].n == 2


def test_another_grid_is_refused_with_both_grids_shown_and_resampled_on_request(tmp_path):
    finer = axial_geometry(spacing_mm=(2.5, 1.0, 1.0), shape=(34, 128, 128))
    auto = write_as("masks", organs_of(finer), tmp_path / "auto")
    manual = write_as("masks", ORGANS, tmp_path / "manual")
    with pytest.raises(InputError, match=r"34 x 128 x 128 voxels of 2.5 x 1 x 1 mm .*34 x 64 x 64 voxels .*--resample"):
        evaluated(auto, manual, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    result = evaluated(auto, manual, tmp_path / "out", resample=True)
    assert all(score.figures["dsc"] > 0.93 for score in result.scores["auto"])
    assert ("manual", "auto: resampled onto the reference's grid") in result.notes


def test_masks_whose_axes_lie_otherwise_in_the_file_are_the_same_grid(tmp_path):
    write_as("masks", ORGANS, tmp_path / "manual")
    write_as("masks", ORGANS, tmp_path / "auto")
    for file in (tmp_path / "auto").glob("*.nii.gz"):
        image = nibabel.load(file)
        array, affine = np.asarray(image.dataobj), image.affine.copy()
        affine[:3, 3] += affine[:3, 0] * (array.shape[0] - 1)
        affine[:3, 0] *= -1  # columns run to the other side now
        turned = array[::-1].transpose(1, 2, 0)
        nibabel.save(nibabel.Nifti1Image(turned, affine[:, [1, 2, 0, 3]]), file)
    result = evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / "out")
    assert [score.figures["dsc"] for score in result.scores["auto"]] == [1.0] * len(NAMES)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda image: np.asarray(image.dataobj) * np.arange(image.shape[0])[:, None, None], "several labels, or probabilities"),
        (lambda image: np.asarray(image.dataobj) * 0.5 + 0.1, "several labels, or probabilities"),
    ],
)
def test_masks_that_are_none_are_refused(tmp_path, spoil, words):
    auto, manual = (write_as("masks", ORGANS, tmp_path / name) for name in ("auto", "manual"))
    file = auto / f"{NAMES[1]}.nii.gz"
    image = nibabel.load(file)
    nibabel.save(nibabel.Nifti1Image(spoil(image).astype(np.float32), image.affine), file)
    with pytest.raises(InputError, match=words) as error:
        evaluated(auto, manual, tmp_path / "out")
    assert file.name in str(error.value)


def test_a_mask_without_spacing_is_refused(tmp_path):
    auto, manual = (write_as("masks", ORGANS, tmp_path / name) for name in ("auto", "manual"))
    file = auto / f"{NAMES[0]}.nii.gz"
    image = nibabel.load(file)
    image.header["srow_x"] = [np.nan, 0, 0, 0]
    image.header["sform_code"] = 1
    image.header["qform_code"] = 0
    spoiled = nibabel.Nifti1Image(np.asarray(image.dataobj), None, image.header)
    nibabel.save(spoiled, file)
    with pytest.raises(InputError, match="no usable affine"):
        evaluated(auto, manual, tmp_path / "out")


def test_nothing_to_compare_is_said(tmp_path, ct):
    manual = write_as("masks", ORGANS, tmp_path / "manual" / "p1").parent
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no contours"):
        evaluated(tmp_path / "empty", manual, tmp_path / "out")
    with pytest.raises(InputError, match="does not exist"):
        evaluated(tmp_path / "nowhere", manual, tmp_path / "out")
    for patient in ("p7", "p8"):
        write_as("masks", ORGANS, tmp_path / "auto" / patient)
    with pytest.raises(InputError, match=r"no patient of .*auto is in .*manual: found p7, p8 and p1"):
        evaluated(tmp_path / "auto", manual, tmp_path / "out")
    with pytest.raises(InputError, match="single NIfTI file"):
        evaluated(manual / "p1" / f"{NAMES[0]}.nii.gz", manual, tmp_path / "out")
    structure_set = write_as("rtstruct", ORGANS, tmp_path / "rs", ct)
    with pytest.raises(InputError, match="not in the tree"):
        evaluated(structure_set, manual / "p1", tmp_path / "out")
    with pytest.raises(InputError, match="holds no CT series"):
        evaluated(structure_set, manual / "p1", tmp_path / "out", ct=tmp_path / "empty")
    with pytest.raises(InputError, match="nowhere does not exist"):
        evaluated(manual / "p1", manual / "p1", tmp_path / "out", ct=tmp_path / "nowhere")
    other = write_as("masks", renamed(ORGANS, {name: f"x{n}" for n, name in enumerate(NAMES)}), tmp_path / "other")
    with pytest.raises(InputError, match=r"no organ is on both sides.*--map"):
        evaluated(other, manual / "p1", tmp_path / "out")


def test_two_structure_sets_for_one_ct_are_no_prediction_but_the_approved_one_is_the_reference(tmp_path):
    ct = write_ct(tmp_path / "cts" / "p1")
    older = write_as("rtstruct", moved(ORGANS, columns=5), tmp_path / "tree" / "p1" / "a", ct)
    approved = write_as("rtstruct", ORGANS, tmp_path / "tree" / "p1" / "b", ct)
    edit(older, StructureSetDate="20200101", Manufacturer="clinic")
    edit(approved, ApprovalStatus="APPROVED", Manufacturer="clinic")
    auto = write_as("rtstruct", ORGANS, tmp_path / "auto" / "p1", ct).parent.parent
    result = evaluated(auto, tmp_path / "tree", tmp_path / "out", ct=ct)
    assert all(score.figures["dsc"] == 1.0 for score in result.scores["auto"])
    assert "2 structure sets: the newest approved was taken" in result.plan.left_out[0]
    with pytest.raises(InputError, match=r"2 structure sets for one CT .*which is meant"):
        evaluated(tmp_path / "tree", auto, tmp_path / "other", ct=ct)


def test_the_output_lies_apart_and_replaces_only_an_evaluation(tmp_path):
    auto, manual = (write_as("masks", ORGANS, tmp_path / name) for name in ("auto", "manual"))
    with pytest.raises(OutputError, match="which is compared"):
        evaluated(auto, manual, auto / "out")
    out = tmp_path / "out"
    evaluated(auto, manual, out)
    with pytest.raises(OutputError, match=r"--overwrite"):
        evaluated(auto, manual, out)
    evaluated(auto, manual, out, overwrite=True)
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"thesis\.txt, which no evaluation made"):
        evaluated(auto, manual, out, overwrite=True)
    assert (out / "thesis.txt").exists()


def test_the_page_shows_the_worst_patients_and_needs_nothing_else(tmp_path):
    for n, shift in ((1, 1), (2, 4), (3, 0)):
        write_as("case", ORGANS, tmp_path / "manual" / f"p{n}")
        write_as("masks", moved(ORGANS, columns=shift), tmp_path / "auto" / f"p{n}")
    evaluated(tmp_path / "auto", tmp_path / "manual", tmp_path / "out", pictures=1)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3 * len(NAMES)
    assert "Brainstem of p2, axial" in page
    assert "of p1, axial" not in page
    assert 'src="http' not in page
    assert "<script" not in page
    assert "dai2021" in page
    assert "human" in page


def test_why_a_picture_has_no_ct_is_told_beside_it(tmp_path):
    auto, manual = (write_as("masks", ORGANS, tmp_path / name) for name in ("auto", "manual"))
    evaluated(auto, manual, tmp_path / "none", pictures=1)
    assert "no CT was named" in (tmp_path / "none" / "report.html").read_text()
    (tmp_path / "ct.nii.gz").write_bytes(b"nothing")
    evaluated(auto, manual, tmp_path / "broken", pictures=1, ct=tmp_path / "ct.nii.gz")
    assert "the CT cannot be shown: " in (tmp_path / "broken" / "report.html").read_text()


def test_grids_that_only_differ_in_a_case_raise_a_geometry_error_alone():
    from rtseg.data.contours_read import ContoursRead, on_common_grid

    read = ContoursRead(ORGANS, {})
    with pytest.raises(GeometryError, match="another grid than the reference"):
        on_common_grid(read, axial_geometry(), "x", resampling=False)
