"""The pipeline of the male pelvis walked with few men and trainings of some steps, which find no organ: nobody is judged."""

from __future__ import annotations

import sys
from pathlib import Path

import male_pelvis
import pytest

from rtseg.core import Geometry
from rtseg.data import find_cases
from rtseg.jobs import simulate
from rtseg.systems import load_bundle
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
