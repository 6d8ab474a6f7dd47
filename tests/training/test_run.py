"""A run folder under fire: killed at any moment, it goes on from its last whole checkpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rtseg.core import ConfigError, InputError, OutputError
from rtseg.training import Checkpoint, Compute, Run, load_named, load_optimizer, named_weights, optimizer_tensors
from rtseg.training.run import LAST, LOG

CONFIGURATION = {"seed": 0, "schedule": {"steps": 10}, "windows_hu": ((-1000.0, 1500.0),)}


def opened(folder: Path, **changes: object) -> Run:
    """A run to be closed: until then its folder is locked."""
    return Run.open(folder, {**CONFIGURATION, **changes}, budget_s=None)


def saved(folder: Path, *steps: int) -> None:
    with opened(folder) as run:
        for step in steps:
            run.save(checkpoint(step))


def last_of(folder: Path) -> Checkpoint:
    with opened(folder) as run:
        last = run.last()
    assert last is not None
    return last


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {"segmenter.weight": torch.full((3,), float(step))}, {"0.step": torch.tensor(float(step))})


def logged_steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / LOG).read_text().splitlines()]


def test_a_fresh_run_has_nothing_to_go_on_from(tmp_path: Path) -> None:
    with opened(tmp_path / "run") as run:
        assert run.last() is None
        assert run.best() is None


def test_a_checkpoint_comes_back_whole(tmp_path: Path) -> None:
    saved(tmp_path, 7)
    last = last_of(tmp_path)

    assert last.step == 7
    assert torch.equal(last.weights["segmenter.weight"], torch.full((3,), 7.0))
    assert torch.equal(last.optimizer["0.step"], torch.tensor(7.0))


def test_only_the_newest_checkpoint_stays(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2, 30)

    names = sorted(file.name for file in tmp_path.glob("step_*"))
    assert names == ["step_0000030.optimizer.safetensors", "step_0000030.safetensors"]


def test_another_configuration_is_refused_by_name(tmp_path: Path) -> None:
    opened(tmp_path).close()

    with pytest.raises(
        ConfigError, match=r"another schedule\.steps: 10 there, 11 here; another seed: 0 there, 1 here\. Choose another folder"
    ):
        opened(tmp_path, seed=1, schedule={"steps": 11})
    with pytest.raises(ConfigError, match="another data: "):
        opened(tmp_path, data="9f0c")


def test_tuples_and_lists_are_the_same_configuration(tmp_path: Path) -> None:
    opened(tmp_path).close()

    opened(tmp_path, windows_hu=[[-1000.0, 1500.0]]).close()


def test_a_kill_between_the_two_files_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    save_file(dict(checkpoint(9).weights), tmp_path / "step_0000009.safetensors")
    (tmp_path / "step_0000009.optimizer.part").write_bytes(b"torn")

    last = last_of(tmp_path)
    assert last.step == 5
    assert torch.equal(last.weights["segmenter.weight"], torch.full((3,), 5.0))

    saved(tmp_path, 11)
    assert len(list(tmp_path.glob("step_*"))) == 2, "what the kill left is cleared away"


def test_a_kill_while_the_pointer_was_written_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    (tmp_path / LAST).with_suffix(".part").write_text('{"st')

    assert last_of(tmp_path).step == 5


def test_the_best_weights_outlive_later_checkpoints(tmp_path: Path) -> None:
    with opened(tmp_path) as run:
        run.save_best({"segmenter.weight": torch.ones(2)}, {"step": 3, "figures": {"dsc/mean": 0.7}})
    saved(tmp_path, 8, 9)

    assert Run(tmp_path).best() == {"step": 3, "figures": {"dsc/mean": 0.7}}
    assert torch.equal(load_file(tmp_path / "best.safetensors")["segmenter.weight"], torch.ones(2))


def test_the_log_is_gone_on_with(tmp_path: Path) -> None:
    for steps in ((10, 20), (30,)):
        with opened(tmp_path) as run:
            for step in steps:
                run.log(step, {"loss": 1 / step})

    assert logged_steps(tmp_path) == [10, 20, 30]


def test_what_a_killed_run_logged_beyond_its_checkpoint_is_not_told_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as run:
        for step in (10, 20, 30):
            run.log(step, {"loss": 1.0})
    with (tmp_path / LOG).open("a") as log:
        log.write('{"step": 40, "lo')

    with opened(tmp_path) as again:
        again.log(20, {"loss": 2.0})
    assert logged_steps(tmp_path) == [10, 20]


def test_budget_and_checkpoints_are_due_in_time(tmp_path: Path) -> None:
    assert not Run(tmp_path, budget_s=None).is_over_budget
    assert not Run(tmp_path, budget_s=60).is_over_budget
    assert Run(tmp_path, budget_s=0).is_over_budget
    assert not Run(tmp_path, save_every_s=60).is_save_due
    assert Run(tmp_path, save_every_s=0).is_save_due


def test_networks_stand_by_name_and_every_tensor_must_be_there() -> None:
    torch.manual_seed(0)
    nets, others = ({name: nn.Linear(2, 2) for name in ("segmenter", "average")} for _ in range(2))
    weights = named_weights(nets)
    load_named(others, weights)

    assert sorted(weights) == ["average.bias", "average.weight", "segmenter.bias", "segmenter.weight"]
    assert torch.equal(others["average"].weight, nets["average"].weight)
    with pytest.raises(RuntimeError, match="bias"):
        load_named(others, {name: value for name, value in weights.items() if name != "average.bias"})


def test_an_optimizer_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    def descend(weight: Tensor, optimizer: torch.optim.Optimizer, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            ((weight - 3) ** 2).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    through = torch.zeros(4, requires_grad=True)
    optimizer = torch.optim.AdamW([through], lr=0.1)
    descend(through, optimizer, 3)
    with opened(tmp_path) as run:
        run.save(Checkpoint(3, {"w": through}, optimizer_tensors(optimizer)))
    descend(through, optimizer, 3)

    last = last_of(tmp_path)
    resumed = last.weights["w"].clone().requires_grad_()
    optimizer = torch.optim.AdamW([resumed], lr=0.1)
    load_optimizer(optimizer, last.optimizer)
    descend(resumed, optimizer, 3)
    assert torch.equal(resumed, through)
    assert optimizer_tensors(optimizer)["0.step"] == 6


HOLDER = """
import sys
from pathlib import Path
from rtseg.training import Run

run = Run.open(Path(sys.argv[1]), {"seed": 0}, None)
print("open", flush=True)
sys.stdin.read()
"""


def test_a_folder_in_which_another_process_trains_is_refused_until_that_one_ends(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(OutputError, match="another training is running in"):
            Run.open(tmp_path, {"seed": 0}, None)
        os.kill(other.pid, signal.SIGKILL)
    Run.open(tmp_path, {"seed": 0}, None).close()


def test_a_run_that_was_refused_does_not_keep_the_folder(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with pytest.raises(ConfigError, match="another seed"):
        opened(tmp_path, seed=1)
    opened(tmp_path).close()


@pytest.mark.parametrize("text", ['{"seed": 0, "sch', "", "[]", "\0\0"])
def test_a_torn_configuration_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "configuration.json").write_text(text)
    with pytest.raises(InputError, match=r"configuration\.json is damaged .*train anew in another folder|it holds no names"):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["step_0000005.safetensors", "step_0000005.optimizer.safetensors"])
@pytest.mark.parametrize("kept", [None, 0, 60])
def test_a_missing_or_torn_checkpoint_file_is_named_with_the_remedy(tmp_path: Path, name: str, kept: int | None) -> None:
    saved(tmp_path, 5)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if kept is not None:
        (tmp_path / name).write_bytes(content[:kept])
    with pytest.raises(InputError, match=rf"{name} is missing or damaged .*bring the file back from a copy, or train anew"):
        last_of(tmp_path)


@pytest.mark.parametrize("text", ["{}", '{"st'])
def test_a_torn_pointer_to_the_checkpoint_is_named(tmp_path: Path, text: str) -> None:
    saved(tmp_path, 5)
    (tmp_path / LAST).write_text(text)
    with pytest.raises(InputError, match=r"last\.json is damaged"):
        last_of(tmp_path)


def test_a_run_goes_on_in_the_precision_it_began_with_whatever_the_stopwatch_says(tmp_path: Path) -> None:
    single, half = (Compute(torch.device("cpu"), precision) for precision in (torch.float32, torch.bfloat16))
    assert Run(tmp_path).in_its_precision(half) == half
    assert Run(tmp_path).in_its_precision(single) == half
    (tmp_path / "precision.json").write_text('{"precision": "float8"}')
    with pytest.raises(InputError, match=r"precision\.json tells of precision 'float8', expected float32 or bfloat16"):
        Run(tmp_path).in_its_precision(single)
