"""A bundle from a run folder: the weights asked for, and words where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ball_bundle import ORGANS, ball_system, ball_task, ball_weights

from rtseg.core import BundleError, OutputError
from rtseg.jobs.make_bundle import BundleOrder, make_bundle
from rtseg.segmentation.review import Limits
from rtseg.systems import LIMITS, load_bundle, write_limits, write_yaml
from rtseg.training import Checkpoint, Run
from rtseg.training.device import Compute

CPU = Compute(torch.device("cpu"), torch.float32)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose best weights are of step 30; the last averaged ones, of step 40, are all zero but for the head's bias."""
    weights = ball_weights(ball_system())
    folder = Run.open(tmp_path / "run", {"seed": 0}, None)
    write_yaml(ball_system(), folder.folder / "system.yaml")
    write_yaml(ball_task(), folder.folder / "task.yaml")
    write_limits(Limits(), folder.folder / LIMITS)
    folder.save_best(
        {f"segmenter.{name}": tensor for name, tensor in weights.items()}, {"step": 30, "figures": {"dsc/mean": 1.0}}
    )
    last = {f"average.{name}": torch.zeros_like(tensor) for name, tensor in weights.items()}
    last |= {f"segmenter.{name}": torch.ones_like(tensor) for name, tensor in weights.items()}
    folder.save(Checkpoint(40, last, {}))
    folder.close()
    return folder.folder


def head_bias(folder: Path) -> list[float]:
    return [float(value) for value in load_bundle(folder, CPU).segmenter.net.state_dict()["head.bias"]]


def test_the_best_weights_unless_the_last_are_asked_for(run: Path, tmp_path: Path) -> None:
    best = make_bundle(BundleOrder(run, tmp_path / "best", "balls", "2.1"))
    assert head_bias(best) == [-1, -1, 0]
    model = load_bundle(best, CPU)
    assert (model.about.name, model.about.version, model.about.step) == ("balls", "2.1", 30)
    assert model.task.organs == ORGANS
    last = make_bundle(BundleOrder(run, tmp_path / "last", "balls", weights="last"))
    assert head_bias(last) == [0, 0, 0]
    assert load_bundle(last, CPU).about.step == 40


def test_the_card_claims_nothing(run: Path, tmp_path: Path) -> None:
    card = (make_bundle(BundleOrder(run, tmp_path / "model", "balls")) / "card.md").read_text()
    assert "Not a medical device" in card
    assert "no accuracy is claimed" in card
    assert "step 30" in card


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is no run folder"):
        make_bundle(BundleOrder(tmp_path, tmp_path / "model", "balls"))
    assert not (tmp_path / "model").exists()


def test_weights_that_are_not_there_yet_are_told(run: Path, tmp_path: Path) -> None:
    (run / "best.json").unlink()
    with pytest.raises(BundleError, match=r"has no best weights yet: train it longer; .* --last"):
        make_bundle(BundleOrder(run, tmp_path / "model", "balls"))
    (run / "last.json").unlink()
    with pytest.raises(BundleError, match=r"has no last weights yet: train it longer$"):
        make_bundle(BundleOrder(run, tmp_path / "model", "balls", weights="last"))
    assert not (tmp_path / "model").exists()


def test_a_folder_that_holds_something_is_left_alone(run: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").touch()
    with pytest.raises(OutputError, match="holds something already"):
        make_bundle(BundleOrder(run, tmp_path / "model", "balls"))
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["mine"]
