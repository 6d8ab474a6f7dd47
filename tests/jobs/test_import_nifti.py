"""Folders with a NIfTI CT and masks become cases; each fault has its own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case_folders import ball_case, grid
from phantoms import BALLS, axial_geometry, centroid, three_balls

from rtseg.core import Geometry, InputError, Mask, Volume
from rtseg.data import find_cases, read_nifti, write_nifti
from rtseg.data.splits import Splits
from rtseg.jobs.import_cases import Imported, Row, Target
from rtseg.jobs.import_nifti import NiftiOrder, import_nifti

LABELS = {"Parotid_L": "Lt Parotid", "Parotid_R": "parotid_right", "Brainstem": "Brainstem"}


def silent(_: object) -> None:
    pass


def run(source: Path, output: Path, names: Path | None = None, **target: Any) -> Imported:
    return import_nifti(NiftiOrder(source, Target(output, Splits(), **target), names), silent, silent)


def only(result: Imported) -> Row:
    (row,) = result.rows
    return row


def write_folder(folder: Path, masks_in: str = ".") -> Path:
    """The three balls under a clinic's labels, masks beside the CT or in a sub-folder."""
    case = ball_case("any")
    (folder / masks_in).mkdir(parents=True)
    write_nifti(case.ct, folder / "CT.nii.gz")
    for organ, label in LABELS.items():
        write_nifti(case.structures.mask(organ), folder / masks_in / f"{label}.nii.gz")
    return folder


@pytest.mark.parametrize("masks_in", [".", "structures", "masks"])
def test_a_plain_folder_becomes_a_case(masks_in: str, tmp_path: Path) -> None:
    write_folder(tmp_path / "in" / "Smith", masks_in)
    row = only(run(tmp_path / "in", tmp_path / "cases"))
    assert (row.patient, row.split, row.found, row.slices, row.state) == ("p0001", "train", "Smith", 24, "made")
    (case,) = (one.read() for one in find_cases(tmp_path / "cases"))
    assert sorted(case.contoured) == sorted(LABELS)
    for organ in ("Parotid_L", "Parotid_R"):
        assert centroid(case.structures.mask(organ)) == pytest.approx(BALLS[organ].centre, abs=0.5)
    assert not any("Smith" in path.name for path in (tmp_path / "cases").rglob("*"))


def test_an_mr_beside_the_ct_comes_onto_its_grid(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in" / "a")
    write_nifti(three_balls(axial_geometry(shape=(10, 30, 30), spacing_mm=(3.0, 2.5, 2.5))).ct, folder / "mr.nii.gz")
    assert only(run(tmp_path / "in", tmp_path / "cases")).mr == "mr.nii.gz"
    (case,) = (one.read() for one in find_cases(tmp_path / "cases"))
    assert case.pairing == "weak"
    assert case.mr is not None
    assert case.mr_valid is not None
    assert case.mr.geometry.same_as(case.ct.geometry)
    assert case.mr_valid.volume_ml == pytest.approx(30 * 75 * 75 / 1000, rel=0.15)


def test_unknown_labels_are_counted_and_names_help(tmp_path: Path) -> None:
    for name in "ab":
        folder = write_folder(tmp_path / "in" / name)
        (folder / "Lt Parotid.nii.gz").rename(folder / "OAR_7.nii.gz")
    assert run(tmp_path / "in", tmp_path / "cases", dry_run=True).unmatched == {"OAR_7": 2}
    (tmp_path / "names.yaml").write_text("OAR_7: Parotid_L\nGhost: null\n")
    result = run(tmp_path / "in", tmp_path / "cases", tmp_path / "names.yaml")
    assert (result.unmatched, result.failed) == ({}, 0)
    assert result.hints == ("the file of names has 'Ghost', which no mask is called",)
    assert sorted(row.split for row in result.rows) == ["train", "validation"]


def test_a_second_run_makes_what_changed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in" / "a")
    assert only(run(tmp_path / "in", tmp_path / "cases")).state == "made"
    assert only(run(tmp_path / "in", tmp_path / "cases")).state == "there already"
    (folder / "Brainstem.nii.gz").unlink()
    assert only(run(tmp_path / "in", tmp_path / "cases")).organs == ("Parotid_L", "Parotid_R")


def test_an_empty_mask_is_an_organ_that_is_absent(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in" / "a")
    write_nifti(Mask(np.zeros(grid().shape, dtype=bool), grid()), folder / "Brainstem.nii.gz")
    assert only(run(tmp_path / "in", tmp_path / "cases")).state == "made"
    (case,) = (one.read() for one in find_cases(tmp_path / "cases"))
    assert case.structures["Brainstem"].is_empty


# One fault, one answer


def other_grid(folder: Path) -> None:
    small = Geometry.regular((4, 4, 4), (3.0, 2.0, 2.0))
    write_nifti(Mask(np.ones(small.shape, dtype=bool), small), folder / "Brainstem.nii.gz")


def shifted(folder: Path) -> None:
    mask = read_nifti(folder / "Brainstem.nii.gz")
    write_nifti(Volume(mask.array, grid(shift_mm=2.0)), folder / "Brainstem.nii.gz")


def many_labels(folder: Path) -> None:
    mask = read_nifti(folder / "Brainstem.nii.gz")
    mask.array[0, 0, :3] = (1, 2, 3)
    write_nifti(mask, folder / "Brainstem.nii.gz")


def broken_mask(folder: Path) -> None:
    (folder / "Brainstem.nii.gz").write_bytes(b"broken")


def broken_ct(folder: Path) -> None:
    (folder / "CT.nii.gz").write_bytes(b"broken")


def one_slice(folder: Path) -> None:
    ct = read_nifti(folder / "CT.nii.gz")
    write_nifti(Volume(ct.array[:1], ct.geometry.crop((0, 0, 0), (1, *ct.geometry.shape[1:]))), folder / "CT.nii.gz")


def two_for_one(folder: Path) -> None:
    (folder / "Lt Parotid.nii.gz").rename(folder / "brain_stem.nii.gz")


def no_organ(folder: Path) -> None:
    for label in LABELS.values():
        (folder / f"{label}.nii.gz").rename(folder / f"x{label}x.nii.gz")


FAULTS: dict[Callable[[Path], None], str] = {
    other_grid: "Brainstem.nii.gz is not on the grid of CT.nii.gz: (4, 4, 4) voxels (slices, rows, columns) against (24, 52, 60)",
    shifted: "Brainstem.nii.gz is not on the grid of CT.nii.gz: (24, 52, 60) voxels (slices, rows, columns) against (24, 52, 60)",
    many_labels: "Brainstem.nii.gz holds several labels, expected one organ",
    broken_mask: "Brainstem.nii.gz cannot be read as NIfTI",
    broken_ct: "CT.nii.gz cannot be read as NIfTI",
    one_slice: "CT.nii.gz holds a single slice",
    two_for_one: "Brainstem.nii.gz and brain_stem.nii.gz both mean Brainstem; remove one",
    no_organ: "no mask is called as an organ that rtseg knows; name them in a file of names (--map)",
}


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda spoil: spoil.__name__)
def test_a_fault_is_told_and_stops_no_other(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    spoil(write_folder(tmp_path / "in" / "bad"))
    write_folder(tmp_path / "in" / "good")
    result = run(tmp_path / "in", tmp_path / "cases")
    assert {row.found: row.state for row in result.rows} == {"bad": "failed", "good": "made"}
    assert FAULTS[spoil] in str(result.rows[0].problem)
    assert result.failed == 1
    assert len(find_cases(tmp_path / "cases")) == 1


def test_no_folder_and_no_ct_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder; expected folders with"):
        run(tmp_path / "nowhere", tmp_path / "cases")
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match=r"no ct\.nii\.gz below"):
        run(tmp_path, tmp_path / "cases")
