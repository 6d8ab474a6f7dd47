"""The challenge's tree on disk: every patient tried, what is there passed over, the index as it grows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from openkbp_csv import write_arrays

from rtseg.core import ConfigError, InputError
from rtseg.data import find_cases
from rtseg.jobs.import_cases import Imported
from rtseg.jobs.import_openkbp import OpenKbpOrder, import_openkbp, openkbp_splits

SPACING_MM = (3.0, 4.0, 4.0)


def silent(_: object) -> None:
    pass


def run(source: Path, output: Path, *splits: str) -> Imported:
    return import_openkbp(OpenKbpOrder(source, output, openkbp_splits(splits)), silent, silent)


@pytest.fixture(scope="module")
def patient() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A round neck with a spine; the larger parotid lies left (high columns)."""
    mm = (np.arange(128) - 63.5) * 4
    y, x = np.meshgrid(mm, mm, indexing="ij")
    hu = np.full((128, 128, 128), -1000)
    hu[50:80, x**2 + y**2 <= 70**2] = 10
    hu[50:80, x**2 + (y - 35) ** 2 <= 16**2] = 700
    masks = {name: np.zeros(hu.shape, dtype=bool) for name in ("LeftParotid", "RightParotid", "Mandible")}
    masks["LeftParotid"][60:70, (x - 45) ** 2 + y**2 <= 14**2] = True
    masks["RightParotid"][60:68, (x + 45) ** 2 + y**2 <= 10**2] = True
    return hu, masks


@pytest.fixture
def challenge(tmp_path: Path, patient: tuple[np.ndarray, dict[str, np.ndarray]]) -> Path:
    root = tmp_path / "open-kbp"
    for place in ("train-pats/pt_2", "train-pats/pt_10", "validation-pats/pt_201", "test-pats/pt_241"):
        write_arrays(root / "provided-data" / place, *patient, SPACING_MM)
    return root


def test_train_and_validation_become_cases_and_the_test_set_stays_where_it_is(challenge: Path, tmp_path: Path) -> None:
    result = run(challenge, tmp_path / "cases")
    assert [(row.patient, row.split, row.state, row.slices) for row in result.rows] == [
        ("pt_2", "train", "made", 30),
        ("pt_10", "train", "made", 30),
        ("pt_201", "validation", "made", 30),
    ]
    assert result.failed == 0
    cases = find_cases(tmp_path / "cases")
    assert [(case.split, case.name) for case in cases] == [("train", "pt_2"), ("train", "pt_10"), ("validation", "pt_201")]
    read = cases[0].read()
    assert read.contoured == ("Parotid_L", "Parotid_R")  # the mandible's file is empty
    assert read.structures.volume_ml("Parotid_L") > read.structures.volume_ml("Parotid_R")
    index = (tmp_path / "cases" / "index.csv").read_text().splitlines()
    assert index[0] == "patient,split,organs,person,source,made,pairing,first_slice,last_slice,cut"
    assert index[1].startswith("pt_10,train,Parotid_L Parotid_R,pt_10,pt_10,")
    assert index[1].endswith(",none,48,77,")  # from superior: 127 - 79 to 127 - 50


def test_left_is_left_in_the_written_files(challenge: Path, tmp_path: Path) -> None:
    run(challenge, tmp_path / "cases", "validation")
    read = find_cases(tmp_path / "cases")[0].read()
    middle = {
        organ: read.ct.geometry.points(np.argwhere(read.structures.mask(organ).array)).mean(axis=0) for organ in read.contoured
    }
    assert middle["Parotid_L"][0] == pytest.approx(45, abs=2)
    assert middle["Parotid_R"][0] == pytest.approx(-45, abs=2)


def test_a_bad_patient_stops_no_other_and_a_second_run_does_what_is_not_done(challenge: Path, tmp_path: Path) -> None:
    dimensions = challenge / "provided-data/train-pats/pt_2/voxel_dimensions.csv"
    good = dimensions.read_text()
    dimensions.unlink()
    result = run(challenge / "provided-data", tmp_path / "cases")
    assert [(row.patient, row.state) for row in result.rows] == [("pt_2", "failed"), ("pt_10", "made"), ("pt_201", "made")]
    assert "voxel_dimensions.csv is not there" in str(result.rows[0].problem)
    assert result.failed == 1
    before = (tmp_path / "cases/train/pt_10/ct.nii.gz").stat().st_mtime_ns
    dimensions.write_text(good)
    assert [row.state for row in run(challenge, tmp_path / "cases").rows] == ["made", "there already", "there already"]
    assert (tmp_path / "cases/train/pt_10/ct.nii.gz").stat().st_mtime_ns == before
    assert len(find_cases(tmp_path / "cases")) == 3


def test_a_case_without_its_line_in_the_index_is_made_again(challenge: Path, tmp_path: Path) -> None:
    run(challenge, tmp_path / "cases", "validation")
    (tmp_path / "cases/index.csv").unlink()
    (tmp_path / "cases/validation/pt_201/ct.nii.gz").write_bytes(b"half")
    assert [row.state for row in run(challenge, tmp_path / "cases", "validation").rows] == ["made"]
    assert find_cases(tmp_path / "cases")[0].read().ct.array.max() == 700


def test_patients_known_to_be_unfit_are_left_out(tmp_path: Path, patient: tuple[np.ndarray, dict[str, np.ndarray]]) -> None:
    write_arrays(tmp_path / "train-pats/pt_36", *patient, SPACING_MM)
    result = run(tmp_path, tmp_path / "cases", "train")
    assert [(row.state, row.problem) for row in result.rows] == [
        ("left out", "it is the same scan as test patient pt_293 (correlation 0.98 round the parotids)")
    ]
    assert result.failed == 0


def test_another_folder_and_another_split_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train-pats is not there: expected the folder provided-data"):
        run(tmp_path, tmp_path / "cases")
    (tmp_path / "test-pats").mkdir()
    with pytest.raises(InputError, match="no folder pt_N below"):
        run(tmp_path, tmp_path / "cases", "test")
    with pytest.raises(ConfigError, match="no split 'valid'; there is train, validation, test"):
        run(tmp_path, tmp_path / "cases", "valid")
