"""Simulated men on disk: cases and DICOM, whole, the same for the same seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from rtseg.core import ConfigError, Geometry, OutputError
from rtseg.data import read_case
from rtseg.dicom import read_planning_ct, read_rtstruct
from rtseg.jobs import simulate as job
from rtseg.jobs.simulate import SimulateOrder, simulate


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid of 5 mm: as fast as can be."""
    monkeypatch.setattr(job, "GRID", Geometry.regular((48, 100, 100), (5.0, 5.0, 5.0), (-247.5, -247.5, -110.0)))


def made(order: SimulateOrder) -> list[Path]:
    return simulate(order, lambda _: None, lambda _: None)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_case_holds_both_looks_and_exact_masks_and_says_that_it_is_simulated(tmp_path):
    (folder,) = made(SimulateOrder("male_pelvis", tmp_path / "men", seed=3))
    case = read_case(folder)
    assert case.pairing == "registered"
    assert case.mr is not None
    assert case.mr.geometry.same_as(case.ct.geometry)
    assert {"External", "Bladder", "Prostate", "Rectum", "SeminalVes", "Femur_Head_L", "Femur_Head_R"} <= set(case.contoured)
    about = json.loads((folder / "man.json").read_text())
    assert about["simulated"] is True
    assert about["volumes_ml"]["Bladder"] == pytest.approx(about["drawn"]["bladder_ml"], rel=0.2)


def test_dicom_goes_together_and_says_that_it_is_simulated(tmp_path):
    (folder,) = made(SimulateOrder("male_pelvis", tmp_path / "men", seed=3, format="dicom"))
    ct = read_planning_ct(folder / "CT")
    mr = dcmread(next((folder / "MR").iterdir()))
    assert mr.FrameOfReferenceUID == ct.identity.frame_of_reference_uid
    assert str(mr.PatientName).startswith("SIMULATED")
    read = read_rtstruct(folder / "RS.dcm", ct)
    assert "Bladder" in read.structures
    left, right = (np.argwhere(read.structures.mask(f"Femur_Head_{side}").array)[:, 2].mean() for side in "LR")
    assert left > right


@pytest.mark.parametrize("form", ["cases", "dicom"])
def test_the_same_seed_gives_the_same_bytes_whoever_else_is_made(form, tmp_path):
    one = made(SimulateOrder("male_pelvis", tmp_path / "one", n=1, first=2, seed=3, format=form))
    two = made(SimulateOrder("male_pelvis", tmp_path / "two", n=2, first=1, seed=3, format=form, workers=2))
    assert one[0].name == two[1].name
    assert files(one[0]) == files(two[1])
    assert files(two[0]) != files(two[1])


def test_an_mr_of_another_day_shows_another_bladder_and_is_no_pair(tmp_path):
    order = SimulateOrder("male_pelvis", tmp_path, seed=3, wishes={"bladder_ml": 450.0})  # a wish is for the CT
    same, other = (
        read_case(made(replace(order, output=tmp_path / str(registered), registered=registered))[0])
        for registered in (True, False)
    )
    assert other.pairing == "none"
    np.testing.assert_array_equal(same.ct.array, other.ct.array)
    bladder = same.structures.mask("Bladder").array
    assert same.mr.array[bladder].mean() > other.mr.array[bladder].mean() * 1.1
    with pytest.raises(ConfigError, match=r"frame of reference: ask for registered ones, or for --format cases"):
        made(SimulateOrder("male_pelvis", tmp_path / "x", format="dicom", registered=False))


def test_what_cannot_be_is_told_before_anybody_is_made(tmp_path):
    with pytest.raises(ConfigError, match="liver cannot be simulated; there is male_pelvis"):
        made(SimulateOrder("liver", tmp_path / "x"))
    with pytest.raises(ConfigError, match=r"prostate_ml 500 is outside of the range"):
        made(SimulateOrder("male_pelvis", tmp_path / "x", wishes={"prostate_ml": 500.0}))
    (tmp_path / "y" / "male_pelvis_0_0002").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"male_pelvis_0_0002 exists already"):
        made(SimulateOrder("male_pelvis", tmp_path / "y", n=2))
    assert not (tmp_path / "x").exists()
    assert sorted(path.name for path in (tmp_path / "y").iterdir()) == ["male_pelvis_0_0002"]
