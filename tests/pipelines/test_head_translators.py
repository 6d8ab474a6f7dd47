"""What is measured of heads' translators: statistics of known images, and one tiny training measured from end to end."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import head_translators
import numpy as np
import pytest
from real_packs import head_pack

from rtseg.jobs.train_synthesis import SynthesisOrder, train_synthesis


def test_statistics_of_known_images() -> None:
    """Half of the voxels in one range of values; a ramp of 0.1 a voxel is as steep everywhere."""
    image = np.zeros((4, 6, 20), np.float32)
    image[:] = np.arange(20) * 0.1 - 1
    inside = np.ones_like(image, dtype=bool)
    shape, steep = head_translators.statistics(image, inside)
    assert steep == pytest.approx(0.1, rel=1e-5)
    assert shape.sum() == pytest.approx(1)
    assert (shape > 0).all()


def test_a_training_is_measured_from_end_to_end(
    test_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = head_pack(test_data("openkbp_head_neck"), test_data("ixi_head_t1"), tmp_path / "data")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "pack").symlink_to(pack)
    train_synthesis(
        SynthesisOrder("cyclegan", "head_neck", pack, tmp_path / "work" / "cyclegan", "tiny", threads=1),
        lambda *_: None,
        lambda _: None,
    )
    words = [str(tmp_path), str(tmp_path), str(tmp_path / "work"), "--systems", "cyclegan", "--trained", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["head_translators.py", *words])
    head_translators.main()
    with (tmp_path / "work" / "translators.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["system"], row["patient"]) == ("cyclegan", "pt_208")
    assert float(row["dsc_ct"]) > 0.6  # head_neck on its own validation patient
    assert float(row["dsc_there_and_back"]) < float(row["dsc_ct"])  # nothing was learnt in six steps
    assert 0 < float(row["bone_shift_mm"]) < 8
    assert (tmp_path / "work" / "pictures.png").stat().st_size > 1000
    assert "| cyclegan | 6 |" in (tmp_path / "work" / "translators.md").read_text()
