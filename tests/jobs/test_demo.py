"""The demo walks the whole road with a patient, or with a phantom if the patient is gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ball_bundle import write_smr_bundle
from case_folders import ball_case
from phantoms import BALLS
from pydicom import dcmread

from rtseg.core import EMPTY, ConfigError, Geometry, OutputError, StructureSet
from rtseg.data import Case, write_case
from rtseg.dicom import read_planning_ct
from rtseg.jobs import demo as job
from rtseg.jobs.demo import DemoResult, demo
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.metrics import Outcome
from rtseg.systems import Bundle, load_bundle
from rtseg.training import Compute

OF_A_PHANTOM = ["RS.dcm", "ct", "demo.json", "report.html"]
MADE = sorted([*OF_A_PHANTOM, "evaluation", "manual.dcm"])


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The three balls as the demo's patient; their images are not square."""
    folder = write_case(ball_case("balls"), tmp_path / "demo_data" / "balls")
    monkeypatch.setattr(job, "DEMO_CASE", folder)
    return folder


def walk(output: Path, model: Bundle) -> DemoResult:
    return demo(output, [model], Stopwatch())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_patient_is_contoured_exported_read_back_and_compared(patient: Path, ball_model: Bundle, tmp_path: Path) -> None:
    done = walk(tmp_path / "demo", ball_model)
    assert names(tmp_path / "demo") == MADE
    assert list(done.roads[0].agreement) == list(BALLS)
    for score in done.roads[0].agreement.values():
        assert score.figures["dsc"] > 0.95
        assert score.figures["hd95_mm"] < 2.5
    page = (tmp_path / "demo" / "evaluation" / "report.html").read_text()
    assert page.count("data:image/png") == 3 * len(BALLS)
    assert [roi.ROIName for roi in dcmread(tmp_path / "demo" / "RS.dcm").StructureSetROISequence] == list(
        done.roads[0].result.volumes_ml
    )
    assert "balls: a real patient" in done.words
    assert "DSC" in done.roads[0].result.report.read_text()


def test_its_images_become_square_so_that_rt_utils_reads_them(patient: Path, ball_model: Bundle, tmp_path: Path) -> None:
    case = ball_case("balls")
    assert case.ct.geometry.shape == (24, 52, 60)
    done = walk(tmp_path / "demo", ball_model)
    written = read_planning_ct(tmp_path / "demo" / "ct").volume
    assert written.geometry.shape == (24, 60, 60)
    np.testing.assert_array_equal(written.array[:, 4:56], case.ct.array)
    assert (written.array[:, :4] == -1000).all()
    assert (written.array[:, 56:] == -1000).all()
    assert [finding for finding in done.roads[0].result.findings if "foreign" in finding.kind] == []


def test_an_organ_that_was_missed_stands_in_the_table(
    ball_model: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = ball_case("balls")
    hu = case.ct.array.copy()
    hu[case.structures.mask("Brainstem").array] = 0
    blind = Case("blind", type(case.ct)(hu, case.ct.geometry), case.structures, case.contoured)
    monkeypatch.setattr(job, "DEMO_CASE", write_case(blind, tmp_path / "demo_data" / "blind"))
    done = walk(tmp_path / "demo", ball_model)
    assert done.roads[0].agreement["Brainstem"].outcome is Outcome.MISSED
    assert done.roads[0].agreement["Brainstem"].figures["dsc"] == 0
    assert done.roads[0].agreement["Brainstem"].figures["hd95_mm"] is None
    assert list(done.roads[0].result.volumes_ml) == list(BALLS)


def test_an_organ_that_nobody_contoured_has_no_figure(
    ball_model: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = ball_case("balls")
    organs = {**case.structures.structures, "Parotid_R": EMPTY}
    partly = Case("partly", case.ct, StructureSet(case.ct.geometry, organs), ("Parotid_L", "Brainstem"))
    monkeypatch.setattr(job, "DEMO_CASE", write_case(partly, tmp_path / "demo_data" / "partly"))
    done = walk(tmp_path / "demo", ball_model)
    assert list(done.roads[0].agreement) == ["Parotid_L", "Brainstem"]
    assert done.roads[0].result.volumes_ml["Parotid_R"] > 3


def test_without_the_patient_a_phantom_is_outlined(ball_model: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "DEMO_CASE", tmp_path / "gone")
    done = walk(tmp_path / "demo", ball_model)
    assert "a phantom" in done.words
    assert done.roads[0].agreement == {}
    cylinder_ml = np.pi * 90 * 110 * 40 * 3 / 1000
    assert done.roads[0].result.volumes_ml == {"External": pytest.approx(cylinder_ml, rel=0.02)}
    assert done.roads[0].result.findings == ()
    assert done.evaluation is None
    assert names(tmp_path / "demo") == OF_A_PHANTOM


def test_a_folder_with_anything_else_is_left_alone(patient: Path, ball_model: Bundle, tmp_path: Path) -> None:
    output = tmp_path / "mine"
    (output / "ct").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"mine holds ct, which no demo made; name another folder with --output"):
        walk(output, ball_model)
    walk(tmp_path / "demo", ball_model)
    (tmp_path / "demo" / "thesis.docx").touch()
    with pytest.raises(OutputError, match=r"holds thesis.docx"):
        walk(tmp_path / "demo", ball_model)
    assert names(tmp_path / "demo") == [*MADE, "thesis.docx"]
    assert names(output) == ["ct"]


def test_a_demo_replaces_a_demo_even_one_that_was_cut_off(patient: Path, ball_model: Bundle, tmp_path: Path) -> None:
    first = walk(tmp_path / "demo", ball_model)
    (tmp_path / "demo" / "RS.dcm").unlink()
    (tmp_path / "demo" / "report.html").unlink()
    second = walk(tmp_path / "demo", ball_model)
    assert names(tmp_path / "demo") == MADE
    assert second.roads[0].result.volumes_ml == first.roads[0].result.volumes_ml


@pytest.fixture
def smr_model(tmp_path: Path) -> Bundle:
    """Finds the balls in CT and synthetic MR, which it makes by a translator with weights by chance."""
    return load_bundle(write_smr_bundle(tmp_path / "three_balls_smr"), Compute(torch.device("cpu"), torch.float32))


def test_a_second_model_is_shown_beside_the_first(patient: Path, ball_model: Bundle, smr_model: Bundle, tmp_path: Path) -> None:
    done = demo(tmp_path / "demo", [ball_model, smr_model], Stopwatch())
    assert names(tmp_path / "demo") == sorted([*MADE, smr_model.about.name])
    assert names(tmp_path / "demo" / smr_model.about.name) == ["RS.dcm", "report.html", "smr"]
    ct, mr = (dcmread(next(folder.iterdir())) for folder in (tmp_path / "demo" / "ct", done.roads[1].smr))
    assert mr.Modality == "MR"
    assert mr.FrameOfReferenceUID == ct.FrameOfReferenceUID
    assert done.roads[0].smr is None
    page = (tmp_path / "demo" / "evaluation" / "report.html").read_text()
    for road in done.roads:
        assert list(road.agreement) == list(BALLS)
        assert road.result.model in page
    walk(tmp_path / "demo", ball_model)
    assert names(tmp_path / "demo") == MADE


def test_two_models_of_one_name_are_refused(patient: Path, ball_model: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="each needs a name of its own"):
        demo(tmp_path / "demo", [ball_model, ball_model], Stopwatch())
    assert not (tmp_path / "demo").exists()


def test_a_place_that_cannot_be_written_is_told(patient: Path, ball_model: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in (tmp_path / "file", tmp_path / "file" / "demo"):
        with pytest.raises(OutputError, match="cannot be made"):
            walk(output, ball_model)


def test_the_demo_of_the_male_pelvis_shows_a_simulated_man_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Geometry.regular((48, 100, 100), (5.0, 5.0, 5.0), (-247.5, -247.5, -110.0))
    monkeypatch.setattr("rtseg.jobs.simulate.GRID", grid)
    whom = job.shown("male_pelvis")
    assert "simulated" in whom.words
    assert {"Bladder", "Prostate", "Rectum"} <= set(whom.case.contoured)
    assert "SIMULATED" in whom.patient.name
    again = job.shown("male_pelvis")
    np.testing.assert_array_equal(again.case.ct.array, whom.case.ct.array)
