"""Training: killed and gone on with it gives the same curve; it ends in time, keeps the best, and learns."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training.packed_phantom import MIRRORED, ORGANS, packed_case

from rtseg.core import ConfigError, InputError
from rtseg.data.pack import SHARES, PackedCase
from rtseg.nets import DAUNet
from rtseg.segmentation.inference import Segmenter, dice_on_grid, segment_logits
from rtseg.segmentation.loss import Positives
from rtseg.segmentation.train import Training, configuration, train
from rtseg.training import Augmentation, Compute, Run, Sampling, Schedule

COMPUTE = Compute(torch.device("cpu"), torch.float32)
TRAINING = Training(
    organs=ORGANS,
    mirrored=MIRRORED,
    windows_hu=((-200.0, 600.0), (-100.0, 300.0)),
    network=DAUNet(channels=(8, 16), fine_channels=8),
    sampling=Sampling((12, 16, 16), batch=2),
    augmentation=Augmentation(turn_deg=6.0, scale=0.06, mirror=0.2, hu_shift=8.0, hu_scale=0.02, noise_hu=10.0, blur=0.2),
    positives=Positives(voxels=2000.0, ceiling=5.0, anneal_steps=6),
    schedule=Schedule(steps=12, rate=5e-3, warmup=3, decay=0.3, log_every=1, validate_every=4),
    seed=3,
)
CASES = [
    packed_case((16, 24, 24), name="p1"),
    packed_case((18, 24, 26), name="p2", shift=-0.1),
    packed_case((16, 24, 24), "validation", "p3", shift=-0.05),
]


def quiet(_step: int, _figures: dict[str, float]) -> None:
    pass


def run_in(
    folder: Path, training: Training = TRAINING, budget_s: float | None = None, cases: Sequence[PackedCase] = CASES
) -> int:
    with Run.open(folder, configuration(training, "data"), budget_s) as run:
        return train(training, cases, run, COMPUTE, quiet)


def logged(folder: Path) -> list[dict[str, Any]]:
    """Log lines without what the clock says."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("time", "seconds")} for line in lines]


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[2])
from segmentation.test_train import CASES, COMPUTE, TRAINING, configuration
from rtseg.segmentation.train import train
from rtseg.training import Run

def die(step, figures):
    if step == 7:
        os.kill(os.getpid(), signal.SIGKILL)

run = Run.open(Path(sys.argv[1]), configuration(TRAINING, "data"), None)
run.save_every_s = 0
train(TRAINING, CASES, run, COMPUTE, die)
"""


def test_killed_and_gone_on_with_it_gives_the_same_curve(tmp_path: Path) -> None:
    assert run_in(tmp_path / "through") == 12
    tests = Path(__file__).parents[1]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "killed", tests], capture_output=True, check=False, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # step 7 was logged, its checkpoint was not yet written
    assert logged(tmp_path / "killed")[-1]["step"] == 7
    assert json.loads((tmp_path / "killed" / "last.json").read_text()) == {"step": 6}

    assert run_in(tmp_path / "killed") == 12
    assert logged(tmp_path / "killed") == logged(tmp_path / "through")
    ours, theirs = (load_file(tmp_path / name / "step_0000012.safetensors") for name in ("killed", "through"))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    best, theirs_best = (json.loads((tmp_path / name / "best.json").read_text()) for name in ("killed", "through"))
    assert best == theirs_best


def test_another_seed_is_another_curve(tmp_path: Path) -> None:
    short = replace(TRAINING, schedule=replace(TRAINING.schedule, steps=2))
    run_in(tmp_path / "a", short)
    run_in(tmp_path / "b", replace(short, seed=4))

    assert logged(tmp_path / "a")[0]["loss"] != logged(tmp_path / "b")[0]["loss"]


def test_each_step_sees_other_patches(tmp_path: Path) -> None:
    resting = replace(
        TRAINING,
        positives=Positives(anneal_steps=0),
        schedule=replace(TRAINING.schedule, steps=4, rate=0.0, weight_decay=0.0),
    )
    run_in(tmp_path, resting)

    # the weights stay as they are: only the patches differ
    assert len({line["loss"] for line in logged(tmp_path) if "loss" in line}) == 4


@pytest.mark.parametrize(("step", "weight"), [(0, 1.0), (5, 1.0), (6, 0.0), (11, 0.0)])
def test_dice_counts_until_its_share_of_the_steps(step: int, weight: float) -> None:
    assert replace(TRAINING, dice_until=0.5).dice_at(step) == weight
    assert TRAINING.dice_at(step) == 1.0


def test_the_budget_ends_a_run_with_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    endless = replace(TRAINING, schedule=replace(TRAINING.schedule, steps=10**6, validate_every=10**6))
    reached = run_in(tmp_path, endless, budget_s=1.0)

    assert 0 < reached < 10**6
    assert json.loads((tmp_path / "last.json").read_text()) == {"step": reached}
    assert run_in(tmp_path, endless, budget_s=0.0) == reached


def test_a_run_without_time_leaves_a_checkpoint_too(tmp_path: Path) -> None:
    assert run_in(tmp_path, budget_s=0.0) == 0
    assert run_in(tmp_path, replace(TRAINING), budget_s=None) == 12


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    short = replace(TRAINING, schedule=replace(TRAINING.schedule, steps=2, validate_every=1))
    run_in(tmp_path, short)
    before = logged(tmp_path)

    assert run_in(tmp_path, short) == 2
    assert logged(tmp_path) == before


def test_progress_hears_each_logged_step_and_each_validation(tmp_path: Path) -> None:
    heard: list[tuple[int, list[str]]] = []
    short = replace(TRAINING, schedule=replace(TRAINING.schedule, steps=5, log_every=2, validate_every=4))
    run = Run(tmp_path)
    train(short, CASES, run, COMPUTE, lambda step, figures: heard.append((step, sorted(figures))))
    run.close()

    figures, dice = ["gradient_norm", "loss", "rate", "seconds"], ["dsc/Brainstem", "dsc/Parotid_L", "dsc/Parotid_R", "dsc/mean"]
    assert heard == [(2, figures), (4, figures), (4, dice), (5, dice)]


@pytest.mark.parametrize("anneal_steps", [0, 40])
def test_it_learns_and_the_best_weights_are_the_ones_that_did(tmp_path: Path, anneal_steps: int) -> None:
    training = replace(
        TRAINING,
        network=DAUNet(channels=(16, 32), fine_channels=8),
        positives=Positives(2000.0, 5.0, anneal_steps),
        sampling=Sampling((16, 24, 24), batch=2),
        schedule=Schedule(steps=80, rate=1e-2, warmup=5, ema=0.9, log_every=20, validate_every=20),
    )
    run_in(tmp_path, training)
    best = json.loads((tmp_path / "best.json").read_text())

    # with positives up-weighted to the end organs come out too large: that is why the weight falls
    assert best["figures"]["dsc/mean"] > (0.9 if anneal_steps else 0.8)
    seen = [line["dsc/mean"] for line in logged(tmp_path) if "dsc/mean" in line]
    assert len(seen) == 4
    assert best["figures"]["dsc/mean"] == pytest.approx(max(seen), abs=1e-6)
    net = training.network.build(inputs=2, outputs=3)
    net.load_state_dict(
        {key.removeprefix("segmenter."): value for key, value in load_file(tmp_path / "best.safetensors").items()}
    )
    segmenter = Segmenter(net, ORGANS, training.windows_hu, training.sampling.patch, training.overlap, COMPUTE)
    logits = segment_logits(torch.from_numpy(CASES[2].ct)[None, None].float(), segmenter)[0]
    figures = dice_on_grid(logits, torch.from_numpy(CASES[2].organs).float() / SHARES, [True] * 3, CASES[2].known.tolist())
    assert figures == pytest.approx([best["figures"][f"dsc/{organ}"] for organ in ORGANS], abs=1e-3)


def test_a_loss_that_is_no_number_stops_the_run_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    run_in(tmp_path, budget_s=0.0)
    before = {file.name: file.read_bytes() for file in tmp_path.glob("step_*")}
    wild = replace(TRAINING, schedule=replace(TRAINING.schedule, rate=1e30, warmup=0, clip=1e30))
    (tmp_path / "configuration.json").unlink()

    with pytest.raises(ConfigError, match=r"broke down by step \d+: loss .*nan.*Try a lower segmentation\.schedule\.rate"):
        run_in(tmp_path, wild)
    assert {file.name: file.read_bytes() for file in tmp_path.glob("step_*")} == before
    assert json.loads((tmp_path / "last.json").read_text()) == {"step": 0}


def unseen(case: PackedCase, organ: str, contoured: bool) -> PackedCase:
    """The case without this organ: looked for and absent, or not contoured."""
    organs, asked = case.organs.copy(), case.contoured.copy()
    organs[ORGANS.index(organ)], asked[ORGANS.index(organ)] = 0, contoured
    return replace(case, organs=organs, contoured=asked)


@pytest.mark.parametrize("contoured", [True, False])
def test_an_organ_that_no_training_case_shows_is_not_learnt_in_silence(tmp_path: Path, contoured: bool) -> None:
    learn = [unseen(case, "Parotid_R", contoured) for case in CASES[:2]]
    with pytest.raises(InputError, match=r"^Parotid_R: contoured in no training case \(2 cases\)"):
        run_in(tmp_path, cases=[*learn, CASES[2]])
    assert not list(tmp_path.glob("step_*"))
    short = replace(TRAINING, schedule=replace(TRAINING.schedule, steps=1))
    assert run_in(tmp_path / "one shows it", short, cases=[learn[0], CASES[1]]) == 1


def test_without_a_case_to_learn_from_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no case to learn from"):
        run_in(tmp_path, cases=CASES[2:])


def test_a_validation_that_shows_no_organ_makes_nothing_the_best(tmp_path: Path) -> None:
    short = replace(TRAINING, schedule=replace(TRAINING.schedule, steps=2, validate_every=1))
    blind = replace(CASES[2], contoured=np.zeros(len(ORGANS), dtype=np.bool_))

    assert run_in(tmp_path, short, cases=[*CASES[:2], blind]) == 2
    assert not (tmp_path / "best.json").exists()
    assert not (tmp_path / "best.safetensors").exists()
    assert [line["step"] for line in logged(tmp_path)] == [1, 2]
