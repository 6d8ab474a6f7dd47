"""Folders and scans of unusual size, each command in its own process: time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_input import GIGABYTE, crowd, measured, whole_body_ct

pytestmark = pytest.mark.conformance


def test_fifty_thousand_unrelated_files_are_looked_at_within_a_minute(tmp_path: Path) -> None:
    crowd(tmp_path / "crowd", 50_000)
    run = measured("check", tmp_path / "crowd")
    assert run.code == 1
    assert "Found: " in run.out
    assert "files looked at: 5000/50000" in run.err
    assert run.seconds < 60


def test_a_ct_of_1500_slices_is_checked_below_4_gb(tmp_path: Path) -> None:
    """Contouring it takes minutes: benchmarks/bad_input.py measures that."""
    run = measured("check", whole_body_ct(tmp_path / "ct", 1500))
    assert run.code == 0, run.err
    assert run.peak_bytes < 4 * GIGABYTE
