"""The pipelines of the synthetic MR walked from end to end with trainings of some steps."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import head_neck_smr
import head_translators
import pytest
from real_packs import head_pack

from rtseg.jobs.make_bundle import BundleOrder, make_bundle
from rtseg.jobs.train_synthesis import SynthesisOrder, train_synthesis
from rtseg.systems import load_bundle, verify_bundle
from rtseg.training import choose_compute

pytestmark = pytest.mark.conformance


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
    words += ["--models", "head_neck_smr"]
    monkeypatch.setattr(sys, "argv", ["head_translators.py", *words])
    head_translators.main()
    with (tmp_path / "work" / "translators.csv").open(newline="") as file:
        ships, row = csv.DictReader(file)
    assert [(one["system"], one["patient"]) for one in (ships, row)] == [("head_neck_smr", "pt_208"), ("cyclegan", "pt_208")]
    assert ships["dsc_there_and_back"] == ""  # a bundle holds no way back
    assert float(row["dsc_ct"]) > 0.6  # head_neck on its own validation patient
    assert float(row["dsc_there_and_back"]) < float(row["dsc_ct"])  # nothing was learnt in six steps
    assert 0 < float(row["bone_shift_mm"]) < 8
    assert (tmp_path / "work" / "pictures.png").stat().st_size > 1000
    assert "| cyclegan | 6 |" in (tmp_path / "work" / "translators.md").read_text()


def test_one_input_is_trained_contoured_and_shipped(
    test_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = head_pack(test_data("openkbp_head_neck"), test_data("ixi_head_t1"), tmp_path / "data")
    work = tmp_path / "work"
    work.mkdir()
    (work / "pack").symlink_to(pack)
    order = SynthesisOrder("cyclegan", "head_neck", pack, work / "cyclegan", "tiny", threads=1)
    train_synthesis(order, lambda *_: None, lambda _: None)
    translator = make_bundle(BundleOrder(work / "cyclegan", work / "translator", "translator"))
    words = [str(tmp_path / "data" / "cases"), str(work), "--translator", str(translator), "--inputs", "ct+smr", "--steps", "2"]
    words += ["--size", "tiny", "--threads", "1", "--bundle", str(tmp_path / "shipped"), "--start", "head_neck"]
    monkeypatch.setattr(sys, "argv", ["head_neck_smr.py", *words])
    head_neck_smr.main()
    assert "Parotid_L" in capsys.readouterr().out
    verify_bundle(tmp_path / "shipped")
    card = (tmp_path / "shipped" / "card.md").read_text()
    assert "CC BY-SA 3.0" in card
    assert "{" not in card
    with next((work / "inputs" / "evaluation").glob("*.csv")).open(newline="") as file:
        assert next(csv.DictReader(file), None) is not None
    # two steps at a low rate change little of what it began with
    model = load_bundle(tmp_path / "shipped", choose_compute(1))
    assert model.translator is not None
    assert model.system.inputs == "ct+smr"
