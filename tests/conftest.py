"""Fixtures for every room: real files, where they are, and phantoms whose answer is known beforehand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from phantoms import Phantom, axial_geometry, three_balls

if TYPE_CHECKING:
    from rtseg.systems import Bundle

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks in tests run on one thread: they are tiny, and other tests run beside them. Without torch nothing is done."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


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


@pytest.fixture(scope="session")
def ball_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that finds the three balls of ``contour_cases.ball_ct`` by their HU."""
    from ball_bundle import write_ball_bundle

    return write_ball_bundle(tmp_path_factory.mktemp("bundle") / "three_balls")


@pytest.fixture(scope="session")
def ball_model(ball_folder: Path) -> Bundle:
    """The same bundle, loaded: one CPU, float32."""
    import torch

    from rtseg.systems import load_bundle
    from rtseg.training.device import Compute

    return load_bundle(ball_folder, Compute(torch.device("cpu"), torch.float32))
