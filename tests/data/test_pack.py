"""Packed data: what training reads is what was contoured, and only what was packed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phantoms import BALLS, Phantom, axial_geometry, three_balls

from rtseg.core import EMPTY, InputError, OutputError, Structure, StructureSet
from rtseg.data import Case, CaseFolder, PackedCase, PackPlan, find_cases, pack, pack_case, read_pack, write_case
from rtseg.data.pack import SHARES
from rtseg.imaging import Preparation, prepare

ORGANS = ("Brainstem", "SpinalCord", "Parotid_L", "Parotid_R", "Larynx")

PLAN = PackPlan(ORGANS, ("SpinalCord",), Preparation((2.5, 2.5, 2.5), (-1000.0, 2000.0), 8.0))

HEARD: list[str] = []


@pytest.fixture
def case(phantom: Phantom) -> Case:
    """A cord on slices 10 to 19 of 34, a brainstem and a left parotid; larynx looked for and absent; right parotid unknown."""
    cord = np.zeros(phantom.ct.geometry.shape, dtype=np.bool_)
    cord[10:20, 24:32, 28:36] = True
    organs = {name: phantom.organs[name] for name in phantom.organs}
    organs |= {"SpinalCord": Structure.from_full(cord), "Larynx": EMPTY}
    contoured = ("Brainstem", "SpinalCord", "Parotid_L", "Larynx")
    return Case("pt_1", phantom.ct, StructureSet(phantom.ct.geometry, organs), contoured)


@pytest.fixture
def folders(case: Case, tmp_path: Path) -> list[CaseFolder]:
    write_case(case, tmp_path / "cases/train/pt_1")
    write_case(replace(case, name="pt_2", contoured=("Parotid_L",)), tmp_path / "cases/validation/pt_2")
    return find_cases(tmp_path / "cases")


def test_a_packed_case_has_one_grid_for_all(case: Case) -> None:
    packed = pack_case(case, "train", PLAN)
    shape = prepare(case.ct, PLAN.preparation).volume.geometry.shape
    assert (packed.name, packed.split) == ("pt_1", "train")
    assert (packed.ct.shape, packed.ct.dtype) == (shape, np.int16)
    assert (packed.organs.shape, packed.organs.dtype) == ((5, *shape), np.uint8)
    assert packed.known.shape == (5, 2)


def test_shares_are_stored_in_sixteenths(case: Case) -> None:
    # the ball of 14 mm: 11.49 ml; a voxel of 2.5 mm is 0.015625 ml
    packed = pack_case(case, "train", PLAN)
    parotid = packed.organs[ORGANS.index("Parotid_L")]
    assert parotid.max() == SHARES
    assert parotid.sum() / SHARES * 0.015625 == pytest.approx(4 / 3 * np.pi * BALLS["Parotid_L"].radius_mm ** 3 / 1000, rel=0.03)


def test_an_organ_nobody_contoured_is_unknown_and_zero(case: Case) -> None:
    packed = pack_case(case, "train", PLAN)
    assert packed.contoured.tolist() == [True, True, True, False, True]
    assert not packed.organs[ORGANS.index("Parotid_R")].any()


def test_an_organ_looked_for_and_absent_is_known_to_be_absent_everywhere(case: Case) -> None:
    packed = pack_case(case, "train", PLAN)
    larynx = ORGANS.index("Larynx")
    assert not packed.organs[larynx].any()
    assert packed.contoured[larynx]
    assert packed.known[larynx].tolist() == [0, packed.ct.shape[0]]


def test_below_an_open_ended_organ_and_one_slice_more_nothing_is_known(case: Case) -> None:
    # working slices are the CT's and go upwards: the cord is on 10 to 19, so from 9 on its absence is absence
    packed = pack_case(case, "train", PLAN)
    cord = ORGANS.index("SpinalCord")
    assert packed.ct.shape[0] == 34
    assert np.flatnonzero(packed.organs[cord].any(axis=(1, 2))).tolist() == list(range(10, 20))
    assert packed.known[cord].tolist() == [9, 34]
    assert packed.known[ORGANS.index("Brainstem")].tolist() == [0, 34]


@pytest.mark.parametrize(("first", "last", "known"), [(0, 3, [0, 34]), (1, 3, [0, 34]), (30, 33, [29, 34]), (33, 33, [32, 34])])
def test_known_slices_end_with_the_scan(first: int, last: int, known: list[int], case: Case) -> None:
    full = np.zeros(case.ct.geometry.shape, dtype=np.bool_)
    full[first : last + 1, 24:32, 28:36] = True
    there = StructureSet(case.ct.geometry, {"SpinalCord": Structure.from_full(full)})
    packed = pack_case(replace(case, structures=there, contoured=("SpinalCord",)), "train", PLAN)
    assert packed.known[ORGANS.index("SpinalCord")].tolist() == known


def test_below_is_towards_the_feet_also_where_slices_are_stored_downwards() -> None:
    # feet first, 34 slices go down: CT slices 10 to 19 are working slices 33 - 19 = 14 to 23
    ct = three_balls(axial_geometry("FFS")).ct
    cord = np.zeros(ct.geometry.shape, dtype=np.bool_)
    cord[10:20, 24:32, 28:36] = True
    organs = StructureSet(ct.geometry, {"SpinalCord": Structure.from_full(cord)})
    packed = pack_case(Case("pt_1", ct, organs, ("SpinalCord",)), "train", PLAN)
    assert packed.known[ORGANS.index("SpinalCord")].tolist() == [13, 34]


def test_values_are_rounded_by_less_than_noise(case: Case) -> None:
    # by half a step at most: 8 HU below -200, 2 HU up to 400, 16 HU above
    packed, ready = pack_case(case, "train", PLAN), prepare(case.ct, PLAN.preparation)
    off = np.abs(packed.ct - ready.volume.array)
    tissue = (ready.volume.array > -200) & (ready.volume.array < 400)
    assert off.max() <= 16
    assert off[ready.volume.array < -200].max() <= 8
    assert off[tissue].max() <= 2


def assert_same(a: PackedCase, b: PackedCase) -> None:
    assert (a.name, a.split) == (b.name, b.split)
    for name in ("ct", "organs", "contoured", "known"):
        assert getattr(a, name).dtype == getattr(b, name).dtype
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_packed_cases_are_read_as_they_were_packed(folders: list[CaseFolder], tmp_path: Path) -> None:
    heard: list[str] = []
    found = read_pack(pack(folders, PLAN, tmp_path / "packed", heard.append))
    cases = found.cases
    assert found.plan == PLAN
    assert heard == ["pt_1", "pt_2"]
    for packed, folder in zip(cases, folders, strict=True):
        assert_same(packed, pack_case(folder.read(), folder.split, PLAN))
    assert cases[1].contoured.tolist() == [False, False, True, False, False]


def test_the_same_cases_give_the_same_bytes_whenever_they_are_packed(folders: list[CaseFolder], tmp_path: Path) -> None:
    first, second = (pack(folders, PLAN, tmp_path / name, HEARD.append) for name in ("first", "second"))
    files = sorted(path.name for path in first.iterdir())
    assert files == ["index.json", "pt_1.npz", "pt_2.npz"]
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert read_pack(first).fingerprint == read_pack(second).fingerprint
    # the hour does not stand in the files
    with zipfile.ZipFile(first / "pt_1.npz") as arrays:
        assert {member.date_time for member in arrays.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_another_plan_has_another_fingerprint(folders: list[CaseFolder], tmp_path: Path) -> None:
    other = replace(PLAN, open_ended=())
    first, second = (
        pack(folders[:1], plan, tmp_path / name, HEARD.append) for plan, name in ((PLAN, "first"), (other, "second"))
    )
    assert read_pack(first).fingerprint != read_pack(second).fingerprint


def test_an_altered_or_missing_file_is_refused(folders: list[CaseFolder], tmp_path: Path) -> None:
    packed = pack(folders[:1], PLAN, tmp_path / "packed", HEARD.append)
    file = packed / "pt_1.npz"
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    with pytest.raises(InputError, match=r"pt_1\.npz"):
        read_pack(packed)
    file.unlink()
    with pytest.raises(InputError, match=r"pt_1\.npz is missing"):
        read_pack(packed)


def test_a_folder_that_holds_something_is_not_packed_into(folders: list[CaseFolder], tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        pack(folders, PLAN, tmp_path / "packed", HEARD.append)
    assert [path.name for path in (tmp_path / "packed").iterdir()] == ["notes.txt"]


def test_two_patients_of_one_name_are_refused(folders: list[CaseFolder], tmp_path: Path) -> None:
    twins = [folders[0], replace(folders[1], name="pt_1")]
    with pytest.raises(InputError, match="pt_1"):
        pack(twins, PLAN, tmp_path / "packed", HEARD.append)
    assert not (tmp_path / "packed").exists()


def test_a_case_of_another_split_is_not_packed_to_be_forgotten(folders: list[CaseFolder], tmp_path: Path) -> None:
    for split in ("val", "test"):
        with pytest.raises(InputError, match=rf"1 cases .*: pt_2 \({split}\); there is train, validation"):
            pack([folders[0], replace(folders[1], split=split)], PLAN, tmp_path / "packed", HEARD.append)
    assert not (tmp_path / "packed").exists()


@pytest.mark.parametrize("text", [None, "{", json.dumps({"plan": {}})])
def test_a_folder_without_a_whole_index_is_named(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "index.json").write_text(text)
    with pytest.raises(InputError, match=r"index\.json"):
        read_pack(tmp_path)


def test_a_real_patient_packs(test_data: Callable[[str], Path], tmp_path: Path) -> None:
    # pt_1: mandible contoured 70.14 ml; larynx unknown; 60 slices of 2.5 mm; a voxel of 2.5 x 4 x 4 mm is 0.04 ml
    organs = ("Bone_Mandible", "Larynx", "SpinalCord")
    plan = PackPlan(organs, ("SpinalCord",), Preparation((2.5, 4.0, 4.0), (-1000.0, 2000.0), 8.0))
    folder = next(case for case in find_cases(test_data("openkbp_head_neck")) if case.name == "pt_1")
    (packed,) = read_pack(pack([folder], plan, tmp_path / "packed", HEARD.append)).cases
    assert packed.contoured.tolist() == [True, False, True]
    assert packed.ct.shape[0] == 60
    assert packed.organs[0].sum() / SHARES * 0.04 == pytest.approx(70.14, rel=0.02)
    assert packed.ct.min() >= -1000
    assert packed.ct.max() <= 2000
