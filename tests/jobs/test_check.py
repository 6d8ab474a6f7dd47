"""What a folder holds, in plain numbers and words, without a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phantoms import Phantom, axial_geometry, oblique_geometry, three_balls, without_slices

from rtseg.data import write_nifti
from rtseg.dicom import Patient, write_ct_series
from rtseg.jobs.check import check_ct

PATIENT = Patient("Doe^Jane", "secret-4711")


def test_a_good_ct(tmp_path: Path, phantom: Phantom) -> None:
    write_ct_series(phantom.ct, tmp_path / "p07", PATIENT, series_description="planning")
    result = check_ct(tmp_path / "p07")
    assert result.error is None
    assert result.findings == ()
    (row,) = result.series
    assert (row.modality, row.images, row.description, row.left_out) == ("CT", 34, "planning", None)
    assert result.name == f"p07 ...{row.series_instance_uid[-8:]}"
    grid = result.grid
    assert grid is not None
    assert (grid.slices, grid.rows, grid.columns) == (34, 56, 64)
    assert (grid.row_spacing_mm, grid.column_spacing_mm, grid.has_hole) == (2.2, 2.0, False)
    assert (grid.smallest_gap_mm, grid.largest_gap_mm) == pytest.approx((2.5, 2.5))
    assert grid.size_mm == pytest.approx((34 * 2.5, 56 * 2.2, 64 * 2.0))
    assert grid.centre_mm == pytest.approx((11, -23, 640))
    assert grid.slice_direction == (0, 0, 1)
    assert (grid.lowest_hu, grid.highest_hu) == (-1000, 200)


def test_a_hole_is_told(tmp_path: Path) -> None:
    write_ct_series(three_balls(without_slices(axial_geometry(), [10, 11])).ct, tmp_path / "ct", PATIENT)
    result = check_ct(tmp_path / "ct")
    assert result.grid is not None
    assert result.grid.has_hole
    assert result.grid.largest_gap_mm == pytest.approx(7.5)
    assert [finding.kind for finding in result.findings] == ["uneven_slices"]


def test_a_nifti_ct_is_held_to_the_same(tmp_path: Path, phantom: Phantom) -> None:
    write_nifti(phantom.ct, tmp_path / "p07.nii.gz")
    result = check_ct(tmp_path / "p07.nii.gz")
    assert (result.name, result.series, result.error) == ("p07", (), None)
    assert result.grid is not None
    assert (result.grid.slices, result.grid.rows, result.grid.columns) == (34, 56, 64)
    assert (result.grid.lowest_hu, result.grid.highest_hu) == (-1000, 200)
    assert result.findings == ()


def test_odd_nifti_cts_have_findings_or_an_error(tmp_path: Path, phantom: Phantom) -> None:
    write_nifti(replace(phantom.ct, array=phantom.ct.array + 1024), tmp_path / "stored.nii")
    write_nifti(three_balls(oblique_geometry()).ct, tmp_path / "oblique.nii")
    write_nifti(three_balls(axial_geometry(shape=(1, 5, 6))).ct, tmp_path / "slice.nii")
    assert [finding.kind for finding in check_ct(tmp_path / "stored.nii").findings] == ["not_hu"]
    assert [finding.kind for finding in check_ct(tmp_path / "oblique.nii").findings] == ["oblique"]
    single, missing = (check_ct(tmp_path / name).error for name in ("slice.nii", "nowhere.nii"))
    assert single is not None
    assert "single slice: two at least are needed" in single
    assert missing is not None
    assert "is not there" in missing


def test_an_error_stands_beside_what_was_found(tmp_path: Path, phantom: Phantom) -> None:
    for name in ("a", "b"):
        write_ct_series(phantom.ct, tmp_path / "p" / name, PATIENT)
    result = check_ct(tmp_path / "p")
    assert result.grid is None
    assert [row.images for row in result.series] == [34, 34]
    assert result.error is not None
    assert "2 CT series" in result.error
    chosen = check_ct(tmp_path / "p", series=result.series[1].series_instance_uid)
    assert chosen.error is None


def test_a_missing_folder_is_an_error_in_words(tmp_path: Path) -> None:
    result = check_ct(tmp_path / "nowhere")
    assert (result.series, result.grid) == ((), None)
    assert result.error is not None
    assert "does not exist" in result.error


def test_json_holds_it_all_and_no_patient(tmp_path: Path, phantom: Phantom) -> None:
    write_ct_series(phantom.ct, tmp_path / "ct", PATIENT, patient_position="FFS")
    (tmp_path / "ct" / "notes.txt").touch()
    result = check_ct(tmp_path / "ct")
    text = json.dumps(result.as_dict())
    back = json.loads(text)
    assert [finding["kind"] for finding in back["findings"]] == ["left_out", "not_head_first_supine"]
    assert back["other_files"] == 1
    assert back["grid"]["slices"] == 34
    assert "secret" not in text
    assert "Doe" not in text


def test_a_real_ct_with_mr_and_structure_sets_beside_it(test_data: Callable[[str], Path]) -> None:
    result = check_ct(test_data("sts_ct_mr/dicom/STS_019"))
    assert result.error is None
    assert {row.modality: row.images for row in result.series} == {"CT": 47, "MR": 47, "RTSTRUCT": 1}
    assert result.grid is not None
    np.testing.assert_allclose((result.grid.smallest_gap_mm, result.grid.largest_gap_mm), 3.27, atol=1e-6)
    assert {finding.kind for finding in result.findings} == {"left_out", "identity_unlawful"}
