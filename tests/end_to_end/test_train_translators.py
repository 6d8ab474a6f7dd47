"""Translators trained for some steps on real patients, through the command line, and used: an unpaired one and a paired one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from real_packs import head_pack, limb_pack

from rtseg.cli import main
from rtseg.data import read_nifti
from rtseg.systems import read_system


def rtseg(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["rtseg", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)


def test_dai2021_learns_from_heads_of_different_people(
    test_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = head_pack(test_data("openkbp_head_neck"), test_data("ixi_head_t1"), tmp_path / "data")
    train = ("train", "synthesis", "--system", "dai2021", "--task", "head_neck", "--data", pack, "--run", tmp_path / "run")
    rtseg(monkeypatch, *train, "--size", "tiny", "--threads", 1)
    last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert {*read_system("dai2021").at_size("tiny").terms.given, "turned_mr_critic_accuracy"} <= set(last)
    rtseg(monkeypatch, "bundle", tmp_path / "run", "--output", tmp_path / "model")
    ct = test_data("openkbp_head_neck") / "validation" / "pt_208" / "ct.nii.gz"
    rtseg(monkeypatch, "synthesize", ct, "--model", tmp_path / "model", "--output", tmp_path / "mr.nii.gz", "--threads", 1)
    assert read_nifti(tmp_path / "mr.nii.gz").geometry.same_as(read_nifti(ct).geometry)


def test_regression_learns_from_limbs_that_are_weakly_paired_when_told_so(
    test_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = limb_pack(test_data("sts_ct_mr"), tmp_path / "data")
    train = ("train", "synthesis", "--system", "regression", "--task", "limb", "--data", pack, "--run", tmp_path / "run")
    monkeypatch.setattr(sys, "argv", ["rtseg", *map(str, train)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "--accept-weak-pairs" in capsys.readouterr().err
    rtseg(monkeypatch, *train, "--size", "tiny", "--threads", 1, "--accept-weak-pairs")
    rtseg(monkeypatch, "bundle", tmp_path / "run", "--output", tmp_path / "model")
    ct = test_data("sts_ct_mr") / "dicom" / "STS_042" / "CT"
    rtseg(monkeypatch, "synthesize", ct, "--model", tmp_path / "model", "--output", tmp_path / "mr", "--threads", 1)
    assert len(list((tmp_path / "mr").glob("*.dcm"))) == 49


def test_a_head_is_no_limb(
    test_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rtseg.imaging import prepare
    from rtseg.synthesis.review import where_trained
    from rtseg.systems import read_task

    task = read_task("limb")
    head = read_nifti(test_data("openkbp_head_neck") / "validation" / "pt_208" / "ct.nii.gz")
    ready = prepare(head, task.preparation)
    with pytest.raises(Exception, match="--force"):
        where_trained(ready, task.mr_region, force=False)
    limb = read_nifti(test_data("sts_ct_mr") / "cases" / "STS_042" / "ct.nii.gz")
    assert where_trained(prepare(limb, task.preparation), task.mr_region, force=False) == ()
    assert np.isfinite(limb.array).all()
