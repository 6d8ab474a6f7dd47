"""The pipeline of the male pelvis walked from end to end with few men and trainings of some steps."""

from __future__ import annotations

import sys
from pathlib import Path

import male_pelvis
import pytest

from rtseg.core import Geometry
from rtseg.jobs import simulate

pytestmark = pytest.mark.conformance


def test_men_are_simulated_learnt_from_and_contoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulate, "GRID", Geometry.regular((60, 128, 128), (4.0, 4.0, 4.0), (-254.0, -254.0, -110.0)))
    words = [
        str(tmp_path),
        "--men",
        "2",
        "1",
        "1",
        "--inputs",
        "ct",
        "ct+smr",
        "--size",
        "tiny",
        "--threads",
        "1",
        "--workers",
        "1",
    ]
    monkeypatch.setattr(sys, "argv", ["male_pelvis.py", *words])
    male_pelvis.main()
    told = capsys.readouterr().out
    assert "Bladder" in told
    assert "with_ct_smr" in told
    assert len(list((tmp_path / "test" / "test").iterdir())) == 1
    assert (tmp_path / "evaluation" / "report.html").is_file()
