"""The way from cases to contours: pack, train, bundle, contour; and a run that is gone on with, or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ball_bundle import ball_system, ball_task
from case_folders import grid, write_ball_cases
from contour_cases import ball_ct, balls

from rtseg.core import ConfigError, InputError, OutputError
from rtseg.imaging import Preparation
from rtseg.jobs.contour import contour_series
from rtseg.jobs.contour_order import ContourOrder
from rtseg.jobs.make_bundle import BundleOrder, make_bundle
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.jobs.train_segmentation import TrainOrder, start_from, train_segmentation
from rtseg.metrics import dsc
from rtseg.systems import System, Task, bundle_folder, load_bundle, read_system, read_task, write_yaml
from rtseg.training import choose_compute
from rtseg.training.device import Compute

STEPS = 80


def nothing(*_: object) -> None:
    pass


def small_system() -> System:
    """ct_only with the ball windows and a net that learns three balls in seconds; it has the one size ``tiny``."""
    system = read_system("ct_only").at_size("tiny")
    part = system.segmentation
    changed = part.model_copy(
        update={
            "sampling": replace(part.sampling, patch=(16, 32, 32)),
            "augmentation": replace(part.augmentation, mirror=0.0),
            "schedule": replace(part.schedule, steps=STEPS, rate=5e-3, warmup=5, log_every=10, validate_every=STEPS, ema=0.9),
        }
    )
    return system.model_copy(
        update={"windows_hu": ball_system().windows_hu, "segmentation": changed, "sizes": {"tiny": {}}},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clinic's folder: task.yaml, system.yaml, cases/, packed/."""
    home = tmp_path_factory.mktemp("clinic")
    write_yaml(coarse_task(), home / "task.yaml")
    write_yaml(small_system(), home / "system.yaml")
    pack_data(write_ball_cases(home / "cases"), home / "packed", str(home / "task.yaml"), nothing, nothing)
    return home


def coarse_task() -> Task:
    return ball_task().model_copy(update={"preparation": Preparation((3.0, 3.0, 3.0), (-1000.0, 3000.0), 8.0)})


@pytest.fixture(scope="module")
def trained(home: Path) -> Path:
    """A run that was stopped by its budget at once, then gone on with to its end."""
    first = replace(order(home), budget_s=0.0)
    assert train_segmentation(first, nothing, nothing) == 0
    assert train_segmentation(order(home), nothing, nothing) == STEPS
    return home / "run"


def order(home: Path) -> TrainOrder:
    return TrainOrder(str(home / "system.yaml"), str(home / "task.yaml"), home / "packed", home / "run", "tiny", threads=1)


def test_from_cases_to_contours(home: Path, trained: Path, tmp_path: Path) -> None:
    folder = make_bundle(BundleOrder(trained, tmp_path / "model", "model"))
    model = load_bundle(folder, Compute(torch.device("cpu"), torch.float32))
    there = grid(shift_mm=4.0)
    result = contour_series(ContourOrder(ball_ct(tmp_path / "ct", there), tmp_path / "rs.dcm"), model, Stopwatch())
    truth = balls(there).organs
    for name in truth:
        agreement = dsc(replace(truth.mask(name), geometry=result.structures.geometry), result.structures.mask(name))
        assert agreement is not None
        assert agreement > 0.5, name


def test_a_model_can_be_begun_with(home: Path, trained: Path, tmp_path: Path) -> None:
    first = make_bundle(BundleOrder(trained, tmp_path / "first", "first", "1"))
    again = replace(order(home), run=tmp_path / "again", start=str(first))
    heard: list[dict[str, float]] = []
    assert train_segmentation(replace(again, budget_s=0.0), lambda _, figures: heard.append(figures), nothing) == 0
    (judged,) = [figures["dsc/mean"] for figures in heard if "dsc/mean" in figures]
    assert judged > 0.5  # by chance no ball is found
    with pytest.raises(ConfigError, match="another start"):
        train_segmentation(replace(again, start=None), nothing, nothing)


def test_a_model_with_another_network_cannot_be_begun_with(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="head_neck cannot be begun with: its organs are"):
        train_segmentation(replace(order(home), run=tmp_path / "run", start="head_neck"), nothing, nothing)
    assert not (tmp_path / "run").exists()


def test_the_log_tells_every_step_once(trained: Path) -> None:
    steps = [json.loads(line)["step"] for line in (trained / "log.jsonl").read_text().splitlines()]
    assert [step for step in steps if step] == [*range(10, STEPS + 1, 10), STEPS]  # the last line: validation


def test_a_finished_run_is_not_trained_again(home: Path, trained: Path) -> None:
    heard: list[int] = []
    assert train_segmentation(order(home), lambda step, _: heard.append(step), nothing) == STEPS
    assert heard == []


def test_data_packed_for_another_task_are_refused(home: Path, tmp_path: Path) -> None:
    other = replace(order(home), task="head_neck", run=tmp_path / "run")
    with pytest.raises(ConfigError, match="packed for other organs or another grid than task head_neck; pack it again"):
        train_segmentation(other, nothing, nothing)
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_configuration_is_refused(home: Path, trained: Path) -> None:
    before = (trained / "system.yaml").read_bytes()
    with pytest.raises(ConfigError, match=r"holds a run with another seed: 0 there, \d+ here\. Choose another folder"):
        train_segmentation(replace(order(home), seed=1), nothing, nothing)
    assert (trained / "system.yaml").read_bytes() == before


def test_a_size_that_does_not_exist_is_told_with_those_that_do(home: Path, tmp_path: Path) -> None:
    other = replace(order(home), system="ct_only", size="huge", run=tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="system ct_only has no size huge; there is tiny, small, full"):
        train_segmentation(other, nothing, nothing)
    assert not (tmp_path / "run").exists()


def test_cases_that_are_all_for_validation_are_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "validation").symlink_to(home / "cases" / "validation")
    pack_data(tmp_path / "cases" / "validation", tmp_path / "packed", str(home / "task.yaml"), nothing, nothing)
    other = replace(order(home), data=tmp_path / "packed", run=tmp_path / "run")
    with pytest.raises(InputError, match="no case to learn from: put cases into a folder named train"):
        train_segmentation(other, nothing, nothing)
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_cannot_be_made_is_told(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for run in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OutputError, match=r"the run folder .*file.* cannot be written"):
            train_segmentation(replace(order(home), run=run), nothing, nothing)


def test_a_folder_that_is_no_pack_is_told(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no packed data"):
        train_segmentation(replace(order(home), data=tmp_path, run=tmp_path / "run"), nothing, nothing)


def test_one_that_sees_the_mr_alone_begins_by_reading_it_as_the_last_window_of_a_model_of_the_ct() -> None:
    system = read_system("dai2021").at_size("full").model_copy(update={"inputs": "smr", "windows_hu": ()})
    start = start_from("head_neck", system, read_task("head_neck"))
    net = system.segmenter.build(inputs=1, outputs=7)
    net.load_state_dict(start.weights)
    image = torch.rand(1, 1, 16, 16, 32) * 2 - 1
    theirs = load_bundle(bundle_folder("head_neck"), choose_compute(1)).segmenter.net
    with torch.inference_mode():
        torch.testing.assert_close(
            net.eval()(image), theirs(torch.cat([torch.zeros_like(image), image], dim=1)), atol=1e-3, rtol=1e-3
        )
