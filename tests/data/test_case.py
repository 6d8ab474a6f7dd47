"""Cases and where they come from: who was contoured for what, which side is left, and what is wrong with a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phantoms import Phantom, axial_geometry, centroid, coronal_geometry, oblique_geometry, three_balls, without_slices

from rtseg.core import AXIAL, EMPTY, GeometryError, InputError, Mask, StructureSet, Volume
from rtseg.data import Case, axial, find_cases, read_case, write_case, write_labelled, write_nifti

OPENKBP = "openkbp_head_neck"


@pytest.fixture
def case(phantom: Phantom) -> Case:
    """The phantom; larynx looked for and not there, everything else unknown."""
    organs = {name: phantom.organs[name] for name in phantom.organs} | {"Larynx": EMPTY}
    return Case("pt_3", phantom.ct, StructureSet(phantom.ct.geometry, organs), ("Parotid_L", "Brainstem", "Larynx"))


def test_openkbp_lists_every_patient_by_number(test_data: Callable[[str], Path]) -> None:
    cases = find_cases(test_data(OPENKBP))
    assert sum(case.split == "train" for case in cases) == 163
    assert sum(case.split == "validation" for case in cases) == 31
    numbers = [int(case.name.removeprefix("pt_")) for case in cases if case.split == "train"]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("name", ["pt_1", "pt_2", "pt_201"])
def test_openkbp_left_is_left(name: str, test_data: Callable[[str], Path]) -> None:
    folder = next(case for case in find_cases(test_data(OPENKBP)) if case.name == name)
    read = folder.read()
    left, right = (centroid(read.structures.mask(organ)) for organ in ("Parotid_L", "Parotid_R"))
    assert left[0] > right[0] + 40
    # the brainstem is above the cord, the mandible in front of it (y to posterior)
    stem, cord = (centroid(read.structures.mask(organ)) for organ in ("Brainstem", "SpinalCord"))
    assert stem[2] > cord[2]
    if "Bone_Mandible" in read.contoured:
        assert centroid(read.structures.mask("Bone_Mandible"))[1] < cord[1] - 20


def test_openkbp_knows_what_was_contoured_and_how_large_it_is(test_data: Callable[[str], Path]) -> None:
    # index.csv: pt_1 has five organs; brainstem 9.57, cord 10.03, parotids 11.37 and 5.19, mandible 70.14 ml
    read = next(case for case in find_cases(test_data(OPENKBP)) if case.name == "pt_1").read()
    assert read.contoured == ("Brainstem", "SpinalCord", "Parotid_L", "Parotid_R", "Bone_Mandible")
    assert list(read.structures) == list(read.contoured)
    for organ, ml in zip(read.contoured, (9.57, 10.03, 11.37, 5.19, 70.14), strict=True):
        assert read.structures.volume_ml(organ) == pytest.approx(ml, abs=0.01)


def test_written_and_read_again_a_case_is_the_same(case: Case, tmp_path: Path) -> None:
    again = read_case(write_case(case, tmp_path / "train" / "third"))
    assert (again.name, again.contoured, again.pairing, again.mr) == ("pt_3", case.contoured, "none", None)
    assert again.ct.geometry.same_as(case.ct.geometry)
    np.testing.assert_array_equal(again.ct.array, case.ct.array)
    assert list(again.structures) == list(case.contoured)
    for organ in case.contoured:
        np.testing.assert_array_equal(again.structures.mask(organ).array, case.structures.mask(organ).array)


def test_an_empty_organ_that_was_looked_for_stays_so(case: Case, tmp_path: Path) -> None:
    again = read_case(write_case(case, tmp_path / "case"))
    assert "Larynx" in again.contoured
    assert again.structures["Larynx"].is_empty


def test_an_mr_keeps_its_own_grid(case: Case, tmp_path: Path) -> None:
    mr = three_balls(axial_geometry(shape=(10, 12, 14), spacing_mm=(6.0, 5.0, 5.0))).ct
    again = read_case(write_case(replace(case, mr=mr, pairing="registered"), tmp_path / "case"))
    assert again.pairing == "registered"
    assert again.mr is not None
    assert again.mr.geometry.same_as(mr.geometry)
    np.testing.assert_array_equal(again.mr.array, mr.array)


def test_folders_that_describe_themselves_are_found_with_their_split(case: Case, tmp_path: Path) -> None:
    for split, name in (("validation", "pt_2"), ("train", "pt_10"), ("train", "pt_9")):
        write_case(replace(case, name=name), tmp_path / split / name)
    found = find_cases(tmp_path)
    assert [(one.split, one.name) for one in found] == [("train", "pt_9"), ("train", "pt_10"), ("validation", "pt_2")]
    assert found[0].contoured == case.contoured
    assert found[0].read().structures.volume_ml("Parotid_L") == pytest.approx(case.structures.volume_ml("Parotid_L"))


def test_a_folder_that_is_there_is_not_written_over(case: Case, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is there already"):
        write_case(case, tmp_path)


def test_uneven_slices_leave_no_half_written_folder(tmp_path: Path) -> None:
    uneven = three_balls(without_slices(axial_geometry(), [4]))
    with pytest.raises(GeometryError, match="not evenly spaced"):
        write_case(Case("pt_1", uneven.ct, uneven.organs, ("Brainstem",)), tmp_path / "case")
    assert list(tmp_path.iterdir()) == []


GOOD = {"name": "pt_3", "contoured": ["Parotid_L"], "pairing": "none"}

BAD_CASES = {
    "not JSON": "name: pt_3",
    "a list": "[]",
    "no pairing": json.dumps({"name": "pt_3", "contoured": []}),
    "an unknown key": json.dumps(GOOD | {"split": "train"}),
    "an unknown pairing": json.dumps(GOOD | {"pairing": "strong"}),
    "organs as one text": json.dumps(GOOD | {"contoured": "Parotid_L"}),
    "organs as numbers": json.dumps(GOOD | {"contoured": [1, 2]}),
    "no organs": json.dumps(GOOD | {"contoured": None}),
    "a number as name": json.dumps(GOOD | {"name": 3}),
    "a name that climbs out of the folder": json.dumps(GOOD | {"name": "../pt_3"}),
    "an organ in another folder": json.dumps(GOOD | {"contoured": ["/etc/passwd"]}),
}


@pytest.mark.parametrize("name", BAD_CASES)
def test_a_bad_description_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(BAD_CASES[name])
    with pytest.raises(InputError, match=r"case\.json"):
        find_cases(tmp_path)


def test_no_description_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"case\.json cannot be read"):
        read_case(tmp_path)


@pytest.mark.parametrize("file", ["structures/Brainstem.nii.gz", "ct.nii.gz"])
def test_a_missing_file_is_named(file: str, case: Case, tmp_path: Path) -> None:
    write_case(case, tmp_path / "case")
    (tmp_path / "case" / file).unlink()
    with pytest.raises(InputError, match=rf"{file} is not there"):
        read_case(tmp_path / "case")


def test_an_organ_under_another_name_is_not_silently_unknown(case: Case, tmp_path: Path) -> None:
    write_case(case, tmp_path / "case")
    about = tmp_path / "case" / "case.json"
    about.write_text(about.read_text().replace("Parotid_L", "Parotid_Left"))
    structures = tmp_path / "case" / "structures"
    (structures / "Parotid_L.nii.gz").rename(structures / "Parotid_Left.nii.gz")
    for read in (find_cases, read_case):
        with pytest.raises(InputError, match=r"case\.json: Parotid_Left is no TG-263 name; did you mean Parotid_L\?"):
            read(tmp_path / "case")


def test_a_mask_under_another_name_is_told_what_it_should_be(case: Case, tmp_path: Path) -> None:
    structures = write_case(case, tmp_path / "case") / "structures"
    (structures / "Parotid_L.nii.gz").rename(structures / "parotid lt.nii.gz")
    with pytest.raises(InputError, match=r"parotid lt\.nii\.gz: .*did you mean Parotid_L\?"):
        read_case(tmp_path / "case")


def test_a_structure_that_is_no_known_organ_may_stand_beside(case: Case, tmp_path: Path) -> None:
    with_target = {name: case.structures[name] for name in case.contoured} | {"CTV_70": case.structures["Parotid_L"]}
    contoured = (*case.contoured, "CTV_70")
    write_case(replace(case, structures=StructureSet(case.ct.geometry, with_target), contoured=contoured), tmp_path / "case")
    assert read_case(tmp_path / "case").contoured == contoured


def test_a_missing_mr_that_was_promised_is_named(case: Case, tmp_path: Path) -> None:
    write_case(replace(case, pairing="weak"), tmp_path / "case")
    with pytest.raises(InputError, match=r"mr\.nii\.gz is not there"):
        read_case(tmp_path / "case")


def test_a_mask_on_another_grid_is_named(case: Case, tmp_path: Path) -> None:
    write_case(case, tmp_path / "case")
    write_nifti(three_balls(axial_geometry("FFS")).organs.mask("Brainstem"), tmp_path / "case/structures/Brainstem.nii.gz")
    with pytest.raises(InputError, match=r"Brainstem\.nii\.gz is not on the grid"):
        read_case(tmp_path / "case")


def indexed(tmp_path: Path, row: str, header: str = "patient,split,organs") -> Path:
    (tmp_path / "train" / "pt_1").mkdir(parents=True)
    (tmp_path / "index.csv").write_text(f"{header}\n{row}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("row", "header", "words"),
    [
        ("pt_1,train", "patient,split", r"line 2 lacks organs"),
        ("pt_1,train", "patient,split,organs", r"line 2 lacks organs"),
        ("pt_7,train,Larynx", "patient,split,organs", r"line 2: .*pt_7 is not there"),
        ("pt_1,train,Larynx Lens_L", "patient,split,organs", r"Lens_L has no label"),
    ],
)
def test_a_bad_line_of_the_index_is_named(row: str, header: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        find_cases(indexed(tmp_path, row, header))


def test_labels_on_another_grid_are_named(phantom: Phantom, tmp_path: Path) -> None:
    root = indexed(tmp_path, "pt_1,train,Brainstem")
    write_nifti(phantom.ct, root / "train/pt_1/ct.nii.gz")
    write_nifti(three_balls(axial_geometry("HFP")).organs.mask("Brainstem"), root / "train/pt_1/structures.nii.gz")
    with pytest.raises(InputError, match="not on the grid of ct"):
        find_cases(root)[0].read()


def test_an_organ_nobody_contoured_is_unknown_even_if_it_has_a_label(phantom: Phantom, tmp_path: Path) -> None:
    # label 1 is the brainstem, label 3 the left parotid; the index tells only of the parotid and of a larynx not found
    root = indexed(tmp_path, "pt_1,train,Parotid_L Larynx")
    labels = phantom.organs.mask("Brainstem").array * 1 + phantom.organs.mask("Parotid_L").array * 3
    write_nifti(phantom.ct, root / "train/pt_1/ct.nii.gz")
    write_nifti(Volume(labels.astype(np.uint8), phantom.ct.geometry), root / "train/pt_1/structures.nii.gz")
    read = find_cases(root)[0].read()
    assert set(read.structures) == {"Parotid_L", "Larynx"}
    assert read.structures["Larynx"].is_empty
    np.testing.assert_array_equal(read.structures.mask("Parotid_L").array, phantom.organs.mask("Parotid_L").array)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_cases_is_named(there: bool, tmp_path: Path) -> None:
    root = tmp_path if there else tmp_path / "nowhere"
    with pytest.raises(InputError, match=str(root)):
        find_cases(root)


@pytest.mark.parametrize("grid", [axial_geometry("FFP"), axial_geometry("HFDR"), coronal_geometry()])
def test_turned_to_axial_every_voxel_keeps_its_place_and_value(grid: Any) -> None:
    phantom = three_balls(grid)
    turned = axial(Case("pt_1", phantom.ct, phantom.organs, tuple(phantom.organs)))
    np.testing.assert_array_equal(turned.ct.geometry.direction, AXIAL)
    expected = three_balls(turned.ct.geometry)
    assert turned.ct.array.size == phantom.ct.array.size
    np.testing.assert_array_equal(turned.ct.array, expected.ct.array)
    for organ in phantom.organs:
        np.testing.assert_array_equal(turned.structures.mask(organ).array, expected.organs.mask(organ).array)


@pytest.mark.parametrize("grid", [oblique_geometry(), without_slices(axial_geometry(), [4])])
def test_an_oblique_or_uneven_case_is_not_turned(grid: Any) -> None:
    phantom = three_balls(grid)
    with pytest.raises(GeometryError, match="without interpolation"):
        axial(Case("pt_1", phantom.ct, phantom.organs, ()))


def test_where_an_mr_was_measured_goes_with_it(case: Case, tmp_path: Path) -> None:
    mr = three_balls(axial_geometry(shape=(10, 12, 14), spacing_mm=(6.0, 5.0, 5.0))).ct
    valid = Mask(mr.array > -500, mr.geometry)
    folder = write_case(replace(case, mr=mr, pairing="weak", mr_valid=valid), tmp_path / "case")
    again = read_case(folder)
    assert again.mr_valid is not None
    np.testing.assert_array_equal(again.mr_valid.array, valid.array)
    write_nifti(case.ct, folder / "mr_valid.nii.gz")
    with pytest.raises(InputError, match=r"mr_valid\.nii\.gz is not on the grid of mr\.nii\.gz"):
        read_case(folder)


def test_a_folder_is_written_over_if_asked_whole_or_not_at_all(case: Case, tmp_path: Path) -> None:
    write_case(case, tmp_path / "case")
    uneven = three_balls(without_slices(axial_geometry(), [4]))
    with pytest.raises(GeometryError):
        write_case(Case("pt_1", uneven.ct, uneven.organs, ("Brainstem",)), tmp_path / "case", overwrite=True)
    assert read_case(tmp_path / "case").contoured == case.contoured
    write_case(replace(case, contoured=("Brainstem",)), tmp_path / "case", overwrite=True)
    assert read_case(tmp_path / "case").contoured == ("Brainstem",)
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_labels_are_those_of_the_indexed_tree(case: Case, tmp_path: Path) -> None:
    write_labelled(case, tmp_path / "train" / "pt_3")
    (tmp_path / "index.csv").write_text("patient,split,organs\npt_3,train,Parotid_L Brainstem Larynx\n")
    (found,) = find_cases(tmp_path)
    again = found.read()
    for organ in case.contoured:
        np.testing.assert_array_equal(again.structures.mask(organ).array, case.structures.mask(organ).array)
    with pytest.raises(InputError, match=r"pt_3: Parotid_X has no label in structures\.nii\.gz"):
        write_labelled(replace(case, contoured=("Parotid_X",)), tmp_path / "other")


def test_an_index_may_list_folders_that_describe_themselves_with_any_organ(case: Case, tmp_path: Path) -> None:
    organs = StructureSet(case.ct.geometry, {"Rectum": case.structures["Brainstem"]})
    write_case(replace(case, name="p0001", structures=organs, contoured=("Rectum",)), tmp_path / "train" / "p0001")
    (tmp_path / "index.csv").write_text("patient,split,organs\np0001,train,Rectum\n")
    (found,) = find_cases(tmp_path)
    assert found.read().structures.volume_ml("Rectum") == pytest.approx(case.structures.volume_ml("Brainstem"))
    (tmp_path / "train" / "p0001" / "case.json").unlink()
    with pytest.raises(InputError, match=r"Rectum has no label in structures\.nii\.gz"):
        find_cases(tmp_path)
