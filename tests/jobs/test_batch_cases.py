"""What a batch finds below a folder: every CT once, in a place of its own, and a reason for everything else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from contour_cases import edit, slices
from phantoms import axial_geometry, three_balls

from rtseg.core import InputError
from rtseg.data import write_nifti
from rtseg.dicom import Patient, write_ct_series
from rtseg.dicom.find_series import scan_folder
from rtseg.dicom.uids import new_uid
from rtseg.jobs.batch_cases import BatchCase, find_cases

PHANTOM = three_balls(axial_geometry(shape=(6, 20, 20), spacing_mm=(2.5, 2.0, 2.0)))


def ct(folder: Path) -> Path:
    write_ct_series(PHANTOM.ct, folder, Patient("SECRET^NAME", "SECRETID"))
    return folder


def places(root: Path) -> dict[str, int]:
    return {str(case.place): len(case.files) for case in find_cases(root).cases}


def only(root: Path) -> BatchCase:
    (case,) = find_cases(root).cases
    return case


def into(source: Path, target: Path, names: Sequence[str] = (), prefix: str = "") -> None:
    """Move files, all if no name is given, into another folder; a source that is empty then goes."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names or [path.name for path in source.iterdir()]:
        shutil.move(source / name, target / f"{prefix}{name}")
    if not any(source.iterdir()):
        source.rmdir()


def test_one_folder_a_patient_at_any_depth(tmp_path: Path) -> None:
    for name in ("p01", "p02/ct", "ward/p03/plan"):
        ct(tmp_path / name)
    assert places(tmp_path) == {"p01": 6, "p02/ct": 6, "ward/p03/plan": 6}


def test_a_patient_that_lies_in_the_input_folder_itself_bears_its_name(tmp_path: Path) -> None:
    case = only(ct(tmp_path / "p01"))
    assert (str(case.place), case.name, len(case.files)) == (".", "p01", 6)


def test_several_series_in_one_folder_have_each_a_place_by_the_end_of_its_uid(tmp_path: Path) -> None:
    ct(tmp_path / "first")
    into(ct(tmp_path / "second"), tmp_path / "first", prefix="other")
    found = find_cases(tmp_path).cases
    assert [str(case.place) for case in found] == sorted(f"first/{case.series_uid[-8:]}" for case in found)
    assert [len(case.files) for case in found] == [6, 6]


def test_series_whose_uids_end_alike_are_told_apart_by_all_of_it(tmp_path: Path) -> None:
    for number in (1, 2):
        for path in slices(ct(tmp_path / str(number))):
            edit(path, SeriesInstanceUID=f"1.2.{number}.12345678")
        into(tmp_path / str(number), tmp_path / "p", prefix=f"{number}_")
    assert places(tmp_path) == {"p/1.2.1.12345678": 6, "p/1.2.2.12345678": 6}


def test_a_series_over_several_folders_of_one_patient_is_one_case(tmp_path: Path) -> None:
    ct(tmp_path / "p01" / "a")
    into(tmp_path / "p01" / "a", tmp_path / "p01" / "b", [path.name for path in slices(tmp_path / "p01" / "a")[:3]])
    assert places(tmp_path) == {"p01": 6}


def test_a_copy_of_a_patient_is_a_case_of_its_own(tmp_path: Path) -> None:
    ct(tmp_path / "p01" / "ct")
    shutil.copytree(tmp_path / "p01" / "ct", tmp_path / "p01" / "copy")
    shutil.copytree(tmp_path / "p01" / "ct", tmp_path / "p02")
    assert places(tmp_path) == {"p01/copy": 6, "p01/ct": 6, "p02": 6}


def test_a_broken_slice_goes_with_the_only_series_of_its_folder(tmp_path: Path) -> None:
    first = slices(ct(tmp_path / "p01"))[0]
    first.write_bytes(first.read_bytes()[:400])
    assert places(tmp_path) == {"p01": 6}


def test_a_broken_slice_among_several_series_stops_none_of_them(tmp_path: Path) -> None:
    ct(tmp_path / "all")
    into(ct(tmp_path / "x"), tmp_path / "all", prefix="other")
    first = slices(tmp_path / "all")[0]
    first.write_bytes(first.read_bytes()[:400])
    assert sorted(places(tmp_path).values()) == [1, 5, 6]
    assert places(tmp_path)["all/unreadable"] == 1


def test_what_is_no_ct_is_left_out_with_the_reason(tmp_path: Path) -> None:
    for path in slices(ct(tmp_path / "mr")):
        edit(path, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR")
    (tmp_path / "notes").mkdir()
    for number in range(7):
        (tmp_path / "notes" / f"{number}.txt").write_text("x")
    found = find_cases(tmp_path)
    assert found.cases == ()
    rows = {row.folder.name: row for row in found.left_out}
    assert rows["mr"].files == 6
    assert rows["mr"].what.startswith("MR, series ...")
    assert rows["mr"].reason == "MR Image Storage"
    assert (rows["notes"].reason, rows["notes"].files) == ("not DICOM", 7)
    assert rows["notes"].examples == "0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more"


def test_nifti_files_are_cts_unless_they_are_organs_or_belong_to_one(tmp_path: Path) -> None:
    for name in ("chest.nii.gz", "Brainstem.nii.gz", "case/ct.nii.gz", "case/structures.nii.gz", "case/structures/Heart.nii.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_nifti(PHANTOM.ct, tmp_path / name)
    found = find_cases(tmp_path)
    assert [(str(case.place), case.source.name, case.is_nifti) for case in found.cases] == [
        ("case", "ct.nii.gz", True),
        ("chest", "chest.nii.gz", True),
    ]
    assert sorted(row.examples for row in found.left_out) == ["Brainstem.nii.gz", "Heart.nii.gz", "structures.nii.gz"]


def test_a_nifti_ct_beside_a_folder_of_its_name_has_its_own_place(tmp_path: Path) -> None:
    uid = only(ct(tmp_path / "p01")).series_uid
    write_nifti(PHANTOM.ct, tmp_path / "p01.nii.gz")
    assert places(tmp_path) == {f"p01/{uid[-8:]}": 6, "p01/p01.nii.gz": 1}


def test_hidden_files_are_passed_over_and_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".hidden").touch()
    with pytest.raises(InputError, match=r"holds no file: a folder with planning CTs was expected"):
        find_cases(tmp_path)


def test_the_fingerprint_follows_the_files_and_not_where_they_lie(tmp_path: Path) -> None:
    ct(tmp_path / "here" / "p01")
    before = only(tmp_path / "here").fingerprint()
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert only(tmp_path / "there").fingerprint() == before
    late = only(tmp_path / "there").files[0]
    late.unlink()
    assert only(tmp_path / "there").fingerprint() != before


def test_a_nifti_file_that_was_written_again_is_another_input(tmp_path: Path) -> None:
    file = write_nifti(PHANTOM.ct, tmp_path / "p01.nii.gz")
    before = only(tmp_path).fingerprint()
    os.utime(file, (1e9, 1e9))
    assert only(tmp_path).fingerprint() != before


def test_progress_is_told(tmp_path: Path) -> None:
    heard: list[str] = []
    find_cases(ct(tmp_path / "p01"), heard.append)
    assert heard == ["0 of 6 files looked at"]


def test_a_series_in_two_patients_folders_is_two_cases(tmp_path: Path) -> None:
    ct(tmp_path / "p01")
    uid = new_uid()
    for path in slices(tmp_path / "p01"):
        edit(path, SeriesInstanceUID=uid)
    into(tmp_path / "p01", tmp_path / "p02", [path.name for path in slices(tmp_path / "p01")[:3]])
    assert places(tmp_path) == {"p01": 3, "p02": 3}


def test_a_link_to_nothing_goes_with_its_patient_and_stops_no_other(tmp_path: Path) -> None:
    ct(tmp_path / "p01")
    (tmp_path / "p01" / "lost.dcm").symlink_to(tmp_path / "gone.dcm")
    ct(tmp_path / "p02")
    assert places(tmp_path) == {"p01": 7, "p02": 6}


def test_what_a_link_to_nothing_is_told_as(tmp_path: Path) -> None:
    (tmp_path / "p01").mkdir()
    (tmp_path / "p01" / "lost.dcm").symlink_to(tmp_path / "gone.dcm")
    case = only(tmp_path)
    with pytest.raises(InputError, match=r"lost\.dcm.*No such file"):
        scan_folder(case.source, case.files)
