"""A translator's training: learns, goes on exactly where it was killed, stops at nonsense with its last weights kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from rtseg.core import ConfigError, InputError
from rtseg.nets.patch import Patch
from rtseg.nets.translators import Resnet
from rtseg.synthesis.patches import Patches, Scan
from rtseg.synthesis.terms import Adversarial, Consistency, Cycle, Identity, Voxel
from rtseg.synthesis.train import SynthesisTraining, WarmStart, configuration, train_translator
from rtseg.training import Compute, Run, Schedule

CPU = Compute(torch.device("cpu"), torch.float32)
GENERATOR, CRITIC = Resnet(channels=4, blocks=1, halvings=1, skips=True), Patch(channels=4, layers=2)
TABLE = WarmStart(0, (-1.0, -0.5, 0.5, 1.0), (-1.0, 0.8, 0.2, -0.9))

UNPAIRED = SynthesisTraining(
    kind="two_way",
    terms={
        "adversarial": Adversarial(pool=3),
        "turned": Adversarial(on="turned_mr", pool=3),
        "cycle": Cycle(weight=5.0),
        "identity": Identity(weight=0.3),
        "consistency": Consistency(),
    },
    generator=GENERATOR,
    critic=CRITIC,
    patches=Patches((12, 16, 16)),
    schedule=Schedule(steps=6, rate=2e-3, warmup=1, log_every=1),
    critic_rate=1e-3,
)
PAIRED = replace(
    UNPAIRED,
    kind="one_way",
    terms={"voxel": Voxel(weight=1.0)},
    patches=Patches((8, 16, 16), batch=2, paired=True),
    schedule=Schedule(steps=120, rate=1e-2, warmup=1, log_every=10),
)


def scans() -> tuple[list[Scan], list[Scan]]:
    """Three smooth CTs and their MRs by the table, bright where the CT is middling."""
    torch.manual_seed(3)
    images = [torch.tanh(nn.functional.avg_pool3d(torch.randn(1, 1, 22, 26, 26), 5, 1)[0] * 8) for _ in range(3)]
    return [Scan(f"ct{n}", image) for n, image in enumerate(images)], [
        Scan(f"mr{n}", TABLE.table(image)) for n, image in enumerate(images)
    ]


def train(training: SynthesisTraining, folder: Path, budget_s: float | None = None) -> list[dict]:
    with Run.open(folder, configuration(training, "phantoms"), budget_s) as run:
        train_translator(training, *scans(), run, CPU, lambda *_: None)
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    step = json.loads((folder / "last.json").read_text())["step"]
    return load_file(folder / f"step_{step:07d}.safetensors")


def test_a_paired_translator_learns_the_table(tmp_path):
    log = train(PAIRED, tmp_path / "run")
    assert log[0]["voxel"] > 0.3
    assert log[-1]["voxel"] < 0.5 * log[0]["voxel"]
    assert {name.split(".")[0] for name in weights(tmp_path / "run")} == {"ct_to_mr", "average"}


def test_an_unpaired_one_shows_every_term_and_how_well_its_critics_see(tmp_path):
    log = train(UNPAIRED, tmp_path / "run")
    assert len(log) == 6
    critics = ("mr_critic", "ct_critic", "turned_mr_critic")
    shown = {*UNPAIRED.terms, "total", "gradient_norm", *(f"{c}_{what}" for c in critics for what in ("loss", "accuracy"))}
    assert shown <= set(log[-1])
    assert {name.split(".")[0] for name in weights(tmp_path / "run")} == {"ct_to_mr", "mr_to_ct", *critics, "average"}


class KilledError(Exception):
    """The process is gone."""


def test_killed_and_started_again_it_goes_on_on_the_same_curve(tmp_path):
    """Pools, both optimizers and the average come back too: the weights are the same to the bit."""
    train(UNPAIRED, tmp_path / "straight")

    def kill(step: int, _: object) -> None:
        if step == 4:
            raise KilledError

    folder = tmp_path / "killed"
    with Run.open(folder, configuration(UNPAIRED, "phantoms"), None) as run:
        run.save_every_s = 0.0
        with pytest.raises(KilledError):
            train_translator(UNPAIRED, *scans(), run, CPU, kill)
    assert json.loads((folder / "last.json").read_text())["step"] == 3
    train(UNPAIRED, folder)
    straight, gone_on = weights(tmp_path / "straight"), weights(folder)
    assert straight.keys() == gone_on.keys()
    assert all(torch.equal(straight[name], gone_on[name]) for name in straight)


def test_another_training_does_not_go_on_in_the_folder(tmp_path):
    train(UNPAIRED, tmp_path / "run")
    with pytest.raises(ConfigError, match="another turn"):
        Run.open(tmp_path / "run", configuration(replace(UNPAIRED, turn="vf"), "phantoms"), None)


def test_a_warm_start_draws_to_the_table_and_leaves_critics_alone(tmp_path):
    warm = replace(UNPAIRED, warm=replace(TABLE, steps=6))
    log = train(warm, tmp_path / "run")
    assert all(set(line) == {"step", "time", "warm", "seconds"} for line in log)
    assert log[-1]["warm"] < log[0]["warm"]


def test_the_table_between_its_knots():
    """Half-way from -0.5 to 0.5 is half-way from 0.8 to 0.2; beyond the ends it stays."""
    found = TABLE.table(torch.tensor([-2.0, -1.0, -0.75, 0.0, 0.5, 1.0, 2.0]))
    assert found.tolist() == pytest.approx([-1.0, -1.0, -0.1, 0.5, 0.2, -0.9, -0.9])


def test_a_loss_that_is_no_number_ends_the_training_with_the_last_weights_kept(tmp_path):
    broken = replace(PAIRED, schedule=replace(PAIRED.schedule, steps=20, log_every=1))
    cts, mrs = scans()
    spoilt = [Scan(mr.name, mr.image.where(mr.image < 0.79, torch.tensor(np.nan))) for mr in mrs]
    folder = tmp_path / "run"
    with Run.open(folder, configuration(broken, "phantoms"), None) as run:
        with pytest.raises(ConfigError, match=r"broke down by step 1: .*voxel.* Its last checkpoint stays"):
            train_translator(broken, cts, spoilt, run, CPU, lambda *_: None)
        assert run.last() is None


def test_a_side_without_images_and_terms_that_do_not_fit_are_refused(tmp_path):
    cts, mrs = scans()
    with Run.open(tmp_path / "run", configuration(UNPAIRED, "phantoms"), None) as run:
        with pytest.raises(InputError, match="no MR to learn from"):
            train_translator(UNPAIRED, cts, [], run, CPU, lambda *_: None)
        low = [replace(ct, heights_mm=np.arange(18) * 2.5 - 200) for ct in cts]
        with pytest.raises(InputError, match="no CT goes 12 slices up from -20 mm"):
            train_translator(UNPAIRED, low, mrs, run, CPU, lambda *_: None)
        other = [*mrs[:2], replace(mrs[2], image=mrs[2].image[:, 1:])]
        with pytest.raises(InputError, match="ct2 lie on different grids"):
            train_translator(PAIRED, cts, other, run, CPU, lambda *_: None)
    with pytest.raises(ConfigError, match=r"terms\.voxel .*paired data"):
        replace(UNPAIRED, terms={"voxel": Voxel()})
