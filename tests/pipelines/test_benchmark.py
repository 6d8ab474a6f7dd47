"""The benchmark: every bundle on the same patients in a process of its own, with its time and memory."""

from __future__ import annotations

import sys
from pathlib import Path

import benchmark
import pytest
from case_folders import write_ball_cases


def test_bundles_are_compared_with_their_time_and_memory(
    ball_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases, work = write_ball_cases(tmp_path / "cases"), tmp_path / "work"
    monkeypatch.setattr(sys, "argv", ["benchmark.py", str(cases), str(work), "--model", str(ball_folder), "--threads", "1"])
    benchmark.main()
    assert (work / "evaluation" / "report.html").is_file()
    head, row = (work / "speed.csv").read_text().splitlines()
    told = dict(zip(head.split(","), row.split(",")[: len(head.split(","))], strict=False))
    assert told["patients"] == "1"
    assert 0.2 < float(told["peak_gb"]) < 4
    text = (work / "benchmark.md").read_text()
    assert "| Brainstem | 1 | 0 | 0 |" in text
    assert text in capsys.readouterr().out


def test_a_split_without_cases_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = write_ball_cases(tmp_path / "cases")
    monkeypatch.setattr(sys, "argv", ["benchmark.py", str(cases), str(tmp_path), "--model", "head_neck", "--split", "test"])
    with pytest.raises(SystemExit, match="no case of the split test"):
        benchmark.main()
