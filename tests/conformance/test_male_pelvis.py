"""The male pelvis: its pipeline with few men and short trainings; the model that ships, on a simulated man and on real ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import male_pelvis
import pytest
from pelvis_real_men import tried
from pydicom import dcmread

from rtseg.cli import main
from rtseg.core import Geometry, StructureSet
from rtseg.data import Case, axial, find_cases, read_nifti, squared
from rtseg.jobs import simulate
from rtseg.jobs.verify import verify_structure_set
from rtseg.systems import load_bundle, shipped_bundles
from rtseg.training import Run, choose_compute

pytestmark = pytest.mark.conformance


def test_men_are_simulated_and_learnt_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "GRID", Geometry.regular((60, 128, 128), (4.0, 4.0, 4.0), (-254.0, -254.0, -110.0)))
    words = [str(tmp_path), "--men", *"2210", "--translators", "dong2019", "--more", "2", "--size", "tiny", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["male_pelvis.py", *words, "--workers", "1"])
    male_pelvis.main()
    assert [case.split for case in find_cases(tmp_path / "men")] == ["train", "train", "validation"]
    more, smr, both = (load_bundle(tmp_path / "models" / name, choose_compute(1)) for name in ("ct_more", "smr", "ct_smr"))
    assert more.translator is None
    assert both.translator is not None
    assert (smr.system.inputs, both.system.inputs) == ("smr", "ct+smr")
    assert both.task.organs[:3] == ("Bladder", "Prostate", "Rectum")
    table = (tmp_path / "translators.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| dong2019", "| simulated MR itself"]
    assert Run(tmp_path / "run_mr").last() is not None


@pytest.mark.skipif("male_pelvis" not in shipped_bundles(), reason="the model male_pelvis is not there")
def test_the_demo_of_the_male_pelvis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A simulated man as DICOM, through synthetic MR to a structure set; the MR-like series in the CT's frame of reference."""
    monkeypatch.setattr(
        sys, "argv", ["rtseg", "demo", "--site", "male_pelvis", "--output", str(tmp_path / "demo"), "--threads", "1"]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    answer = capsys.readouterr()
    assert not ended.value.code, answer.err
    assert "a simulated man" in answer.out
    dsc = {
        words[0]: float(words[2]) for line in answer.out.splitlines() if len(words := line.split()) == 4 and words[2][0] == "0"
    }
    assert dsc["Bladder"] > 0.9
    assert dsc["Prostate"] > 0.8
    ct, mr = (dcmread(next((tmp_path / "demo" / name).iterdir())) for name in ("ct", "smr"))
    assert (mr.Modality, mr.FrameOfReferenceUID) == ("MR", ct.FrameOfReferenceUID)
    assert "SIMULATED" in str(ct.PatientName)
    assert verify_structure_set(tmp_path / "demo" / "RS.dcm", tmp_path / "demo" / "ct").defects == ()


@pytest.mark.skipif("male_pelvis" not in shipped_bundles(), reason="the model male_pelvis is not there")
def test_both_whole_real_men_are_contoured(test_data: Callable[[str], Path], tmp_path: Path) -> None:
    """Through DICOM; each bladder is found where it is: by a model's label in one, by its volume in the other."""
    model = load_bundle(shipped_bundles()["male_pelvis"], choose_compute(1))
    home = test_data("pelvis_ct")
    men = {name: tried(home / f"{name}.nii.gz", model, tmp_path) for name in ("m_tsexample_whole", "m_pelvicref002_whole")}
    assert [man.defects for man in men.values()] == [0, 0]
    for man in men.values():
        assert {"Bladder", "Prostate", "Rectum"} <= set(man.found)
        assert (tmp_path / man.name / "smr").is_dir()
    labels = read_nifti(home / "m_tsexample_whole_model_labels.nii.gz")
    told = squared(axial(Case("labels", labels, StructureSet(labels.geometry), ()))).ct.array == 21
    found = men["m_tsexample_whole"].found.mask("Bladder").array
    assert 2 * (told & found).sum() / (told.sum() + found.sum()) > 0.8
    assert 15 < men["m_pelvicref002_whole"].result.volumes_ml["Bladder"] < 60
    assert "metal" in {finding.kind for finding in men["m_tsexample_whole"].result.findings}
