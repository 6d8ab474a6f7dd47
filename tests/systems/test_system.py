"""Systems: all that ship can be built in every size, and what cannot be is refused."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest

from rtseg.core import ConfigError
from rtseg.segmentation.train import configuration
from rtseg.systems import Size, System, read_system, read_task, write_yaml
from rtseg.systems.words import read_yaml, validated

SHIPPED = sorted(Path(str(files("rtseg.configs") / "systems")).glob("*.yaml"))


def changed(path: str, value: Any) -> System:
    """The shipped ct_only with one value changed, at ``a.b.c``."""
    content = read_yaml(next(file for file in SHIPPED if file.stem == "ct_only"))
    *parts, last = path.split(".")
    part = content
    for name in parts:
        part = part[name]
    part[last] = value
    return validated(System, content, "ct_only.yaml")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_system_that_ships_is_itself_in_every_size(file: Path) -> None:
    system = read_system(file.stem)

    assert system.system == file.stem
    assert set(system.sizes) == set(get_args(Size))
    for size in system.sizes:
        sized = system.at_size(size)
        multiple = sized.segmenter.multiple
        assert [n % m for n, m in zip(sized.segmentation.sampling.patch, multiple, strict=True)] == [0, 0, 0]


def test_a_size_changes_what_it_names_and_nothing_else() -> None:
    whole = read_system("ct_only")
    tiny = whole.at_size("tiny")

    assert tiny.segmenter.channels == (8, 16)
    assert tiny.segmenter.fold == whole.segmenter.fold
    assert tiny.segmentation.schedule.steps == 20
    assert tiny.segmentation.schedule.rate == whole.segmentation.schedule.rate
    assert tiny.segmentation.sampling.patch == (16, 32, 32)
    assert tiny.segmentation.sampling.batch == whole.segmentation.sampling.batch
    assert tiny.segmentation.augmentation == whole.segmentation.augmentation


def test_a_size_without_changes_is_the_system_itself() -> None:
    whole = read_system("ct_only")

    assert whole.at_size("small") == whole.model_copy(update={"sizes": {}})


def test_a_size_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="system ct_only has no size full; there is small"):
        changed("sizes", {"small": {}}).at_size("full")


def test_the_system_of_a_model_can_be_trained_again_as_it_is() -> None:
    written = read_system("ct_only").at_size("full")

    assert written.sizes == {}
    for size in get_args(Size):
        assert written.at_size(size) == written


def test_a_wrong_key_in_a_size_is_named_with_the_size() -> None:
    with pytest.raises(ConfigError, match=r"system ct_only, size tiny: unknown key segmenter\.chanels; did you mean channels\?"):
        changed("sizes.tiny", {"segmenter": {"chanels": [8, 16]}}).at_size("tiny")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        # three halvings of a grid folded by two
        ("segmentation.sampling.patch", [48, 64, 72], r"patch \(48, 64, 72\) must be positive multiples of \(16, 16, 16\)"),
        ("segmentation.sampling.patch", [0, 64, 64], r"patch \(0, 64, 64\) must be positive multiples"),
        ("segmentation.sampling.patch", [64, 64], r"segmentation\.sampling\.patch"),
        ("segmenter.fold", [0, 2, 2], r"segmenter\.fold \(0, 2, 2\) must be at least 1"),
        ("segmenter.channels", [12, 24], r"segmenter\.channels \(12, 24\) must be positive multiples of 8"),
        ("segmenter.channels", [48], r"segmenter\.channels \(48,\) must name two levels at least"),
        ("segmenter.fine_channels", 12, r"segmenter\.fine_channels 12 must be positive multiples of 8"),
        ("segmentation.overlap", 1.0, r"segmentation\.overlap: .*less than 1"),
        ("windows_hu", [[240, -160]], r"from its lower to its higher HU, found \(240\.0, -160\.0\)"),
        ("windows_hu", [], r"one window at least where it does"),
        ("inputs", "ct+smr", r"inputs ct\+smr needs a translator"),
        ("sizes", {"huge": {}}, r"sizes\.huge.*'tiny', 'small' or 'full'"),
        ("segmentation.schedule", {"steps": 5, "rate": 1, "decai": 0.1}, r"schedule\.decai; did you mean decay\?"),
    ],
)
def test_what_cannot_be_is_refused_by_name(path: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"^ct_only\.yaml: .*{words}"):
        changed(path, value)


def test_a_training_has_the_tasks_organs_and_the_systems_numbers() -> None:
    system, task = read_system("ct_only").at_size("tiny"), read_task("head_neck")
    training = system.training(task, seed=7)

    assert training.organs == task.organs
    assert training.mirrored == task.mirrored
    assert training.windows_hu == ((-1000.0, 1500.0), (-160.0, 240.0))
    assert training.network == system.segmenter
    assert training.schedule.steps == 20
    assert training.seed == 7
    assert configuration(training, "abc")["data"] == "abc"


def test_a_system_written_and_read_is_the_same(tmp_path: Path) -> None:
    for size in get_args(Size):
        system = read_system("ct_only").at_size(size)
        write_yaml(system, tmp_path / "system.yaml")
        assert read_system(str(tmp_path / "system.yaml")) == system
