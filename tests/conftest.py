"""Fixtures for every room: real files, where they are, and phantoms whose answer is known beforehand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from phantoms import Phantom, axial_geometry, three_balls

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def test_data() -> Callable[[str], Path]:
    """``test_data("dicom_odd/truncated")`` is that path below RTSEG_TEST_DATA; the test is skipped by name if it is not there."""
    base = Path(os.environ.get("RTSEG_TEST_DATA", ROOT.parent / "shared" / "data"))

    def find(name: str) -> Path:
        path = base / name
        if not path.exists():
            pytest.skip(f"no {name} below {base} (RTSEG_TEST_DATA)")
        return path

    return find


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """Three balls on an axial head-first supine grid of 34 x 56 x 64 voxels."""
    return three_balls(axial_geometry())
