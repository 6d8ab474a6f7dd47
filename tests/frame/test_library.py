"""The examples of docs/library.md run as they stand there."""

from __future__ import annotations

from pathlib import Path

import pytest
from phantoms import axial_geometry
from rtstruct_cases import case

GUIDE = Path(__file__).parents[2] / "docs" / "library.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    case(tmp_path / "p", axial_geometry())
    (tmp_path / "p" / "ct").rename(tmp_path / "CT_DIR")
    monkeypatch.chdir(tmp_path)
    (example,) = [part.split("```")[0] for part in GUIDE.read_text(encoding="utf-8").split("```python\n")[1:]]
    exec(compile(example, str(GUIDE), "exec"), {})
    assert "1 Brainstem ORGAN" in capsys.readouterr().out
