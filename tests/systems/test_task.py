"""Tasks: organs that exist, pairs that are whole, mirrors that swap sides."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from rtseg.core import ConfigError
from rtseg.systems import Task, read_task, write_yaml
from rtseg.systems.words import validated

SHIPPED = sorted(Path(str(files("rtseg.configs") / "tasks")).glob("*.yaml"))
PREPARATION = {"spacing_mm": [2.5, 4, 4], "window_hu": [-1000, 2000], "margin_mm": 8}


def task(*organs: str, **more: object) -> Task:
    return validated(Task, {"task": "neck", "organs": organs, "preparation": PREPARATION, **more}, "neck.yaml")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_task_that_ships_is_read_and_written_the_same(file: Path, tmp_path: Path) -> None:
    shipped = read_task(file.stem)
    write_yaml(shipped, tmp_path / "task.yaml")

    assert shipped.task == file.stem
    assert read_task(str(tmp_path / "task.yaml")) == shipped


def test_in_a_mirror_only_pairs_change_places() -> None:
    assert task("Larynx", "Parotid_R", "Brainstem", "Parotid_L").mirrored == (0, 3, 2, 1)


def test_mirrored_twice_is_the_patient_again() -> None:
    for file in SHIPPED:
        mirrored = read_task(file.stem).mirrored
        assert [mirrored[index] for index in mirrored] == list(range(len(mirrored)))


def test_a_lone_side_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"neck\.yaml: Parotid_L without the other side"):
        task("Brainstem", "Parotid_L")


def test_an_unknown_organ_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"neck\.yaml: not a TG-263 name .*: Brain_stem, parotis"):
        task("Brain_stem", "Larynx", "parotis")


def test_an_organ_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"neck\.yaml: organs names an organ twice"):
        task("Larynx", "Brainstem", "Larynx")


def test_an_open_end_needs_its_organ() -> None:
    with pytest.raises(ConfigError, match="open_ended names an organ that is not among organs"):
        task("Brainstem", open_ended=("SpinalCord",))


def test_what_is_packed_is_the_tasks() -> None:
    plan = task("Brainstem", "SpinalCord", open_ended=("SpinalCord",)).pack_plan

    assert plan.organs == ("Brainstem", "SpinalCord")
    assert plan.open_ended == ("SpinalCord",)
    assert plan.preparation.spacing_mm == (2.5, 4.0, 4.0)


def test_a_task_need_not_say_when_a_contour_is_redrawn() -> None:
    assert task("Larynx").redraw_below == {}
    assert task("Larynx", redraw_below={"Larynx": 0.5}).redraw_below == {"Larynx": 0.5}


def test_what_is_redrawn_needs_its_organ_and_a_dsc() -> None:
    with pytest.raises(ConfigError, match="redraw_below names an organ that is not among organs"):
        task("Brainstem", redraw_below={"Larynx": 0.5})
    with pytest.raises(ConfigError, match=r"redraw_below\.Brainstem: .*less than or equal to 1"):
        task("Brainstem", redraw_below={"Brainstem": 60})


def test_of_every_task_that_ships_each_organ_has_its_limit() -> None:
    for file in SHIPPED:
        shipped = read_task(file.stem)
        assert shipped.redraw_below.keys() == set(shipped.organs)
