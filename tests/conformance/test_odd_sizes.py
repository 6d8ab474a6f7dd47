"""Folders and scans of unusual size, each command in its own process: time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_input import GIGABYTE, contour_whole_body, crowd, measured, whole_body_ct

pytestmark = pytest.mark.conformance


def test_fifty_thousand_unrelated_files_are_looked_at_within_a_minute(tmp_path: Path) -> None:
    crowd(tmp_path / "crowd", 50_000)
    run = measured("check", tmp_path / "crowd")
    assert run.code == 1
    assert "Found: " in run.out
    assert "files looked at: 5000/50000" in run.err
    assert run.seconds < 60


def test_a_ct_of_1500_slices_stays_below_4_gb(ball_folder: Path, tmp_path: Path) -> None:
    ct = whole_body_ct(tmp_path / "ct", 1500)
    for run in (measured("check", ct), contour_whole_body(ct, ball_folder, tmp_path / "RS.dcm")):
        assert run.code == 0, run.err
        assert run.peak_bytes < 4 * GIGABYTE
    assert (tmp_path / "RS.dcm").exists()
