"""Every system that ships trains on two real patients through the one command, at its tiny size."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from real_packs import head_pack, limb_pack

from rtseg.cli import main
from rtseg.systems import read_system

pytestmark = pytest.mark.conformance

SYSTEMS = sorted(file.stem for file in (Path(__file__).parents[2] / "configs" / "systems").glob("*.yaml"))


@pytest.fixture(scope="module")
def heads(test_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return head_pack(test_data("openkbp_head_neck"), test_data("ixi_head_t1"), tmp_path_factory.mktemp("heads"))


@pytest.fixture(scope="module")
def limbs(test_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return limb_pack(test_data("sts_ct_mr"), tmp_path_factory.mktemp("limbs"))


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["rtseg", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)


@pytest.mark.parametrize("name", [name for name in SYSTEMS if read_system(name).translator is not None])
def test_a_translator_trains(name: str, heads: Path, limbs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_paired = read_system(name).needs_pairing == "registered"
    task, pack, more = ("limb", limbs, ["--accept-weak-pairs"]) if is_paired else ("head_neck", heads, [])
    order = ["--system", name, "--task", task, "--data", pack, "--run", tmp_path / "run", "--size", "tiny", *more]
    run(monkeypatch, "train", "synthesis", *order)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    run(monkeypatch, "bundle", tmp_path / "run", "--output", tmp_path / "model")


@pytest.mark.parametrize("name", [name for name in SYSTEMS if read_system(name).segmenter is not None])
def test_a_segmenter_trains(name: str, heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more: list[object] = []
    if read_system(name).sees_mr:
        translate = ["--task", "head_neck", "--data", heads, "--run", tmp_path / "smr", "--size", "tiny"]
        run(monkeypatch, "train", "synthesis", "--system", "cyclegan", *translate)
        run(monkeypatch, "bundle", tmp_path / "smr", "--output", tmp_path / "smr_model")
        more = ["--translator", tmp_path / "smr_model"]
    order = ["--system", name, "--data", heads, "--run", tmp_path / "run", "--size", "tiny", *more]
    run(monkeypatch, "train", "segmentation", *order)
    run(monkeypatch, "bundle", tmp_path / "run", "--output", tmp_path / "model", "--last")
