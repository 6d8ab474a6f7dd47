"""What docs/commissioning.md shows runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from case_folders import grid
from contour_cases import ball_ct

from rtseg.jobs.contour import contour_series
from rtseg.jobs.contour_order import ContourOrder
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.systems import Bundle

PAGE = Path(__file__).parents[2] / "docs" / "commissioning.md"
SYSTEMS = ("Eclipse", "RayStation", "Monaco", "Pinnacle", "ProKnow", "MIM")


def test_the_comparison_runs_and_names_what_was_missed(
    ball_model: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ct = ball_ct(tmp_path / "CT_DIR", grid())
    contour_series(ContourOrder(ct, tmp_path / "MANUAL.dcm"), ball_model, Stopwatch())
    contour_series(ContourOrder(ct, tmp_path / "RS.dcm", organs=("Brainstem", "Parotid_L")), ball_model, Stopwatch())
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})
    brainstem, left, right = sorted(capsys.readouterr().out.splitlines())
    assert brainstem == "Brainstem 1.0 0.0 1.0"
    assert left == "Parotid_L 1.0 0.0 1.0"
    assert right == "Parotid_R missed: DSC 0"


def test_every_planning_system_is_marked_untested() -> None:
    rows = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(tuple(f"| {name}" for name in SYSTEMS))
    ]
    assert len(rows) == len(SYSTEMS)
    assert all("| **UNTESTED** |" in row for row in rows)
