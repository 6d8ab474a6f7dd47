"""Packing on disk: all cases or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from ball_bundle import ball_task
from case_folders import write_ball_cases

from rtseg.core import ConfigError, InputError, OutputError
from rtseg.data import read_pack
from rtseg.jobs.pack_data import pack_data
from rtseg.systems import write_yaml


@pytest.fixture
def task(tmp_path: Path) -> str:
    write_yaml(ball_task(), tmp_path / "balls.yaml")
    return str(tmp_path / "balls.yaml")


def silent(_: object) -> None:
    pass


def test_every_case_is_packed_and_told(tmp_path: Path, task: str) -> None:
    counted: list[int] = []
    named: list[str] = []
    assert pack_data(write_ball_cases(tmp_path / "cases"), tmp_path / "packed", task, counted.append, named.append) == 3
    assert (counted, named) == ([3], ["p1", "p2", "p3"])
    packed = read_pack(tmp_path / "packed")
    plan, cases = packed.plan, packed.cases
    assert plan == ball_task().pack_plan
    assert [(case.name, case.split) for case in cases] == [("p1", "train"), ("p2", "train"), ("p3", "validation")]


def test_a_case_that_cannot_be_read_leaves_nothing(tmp_path: Path, task: str) -> None:
    root = write_ball_cases(tmp_path / "cases")
    (root / "train" / "p2" / "ct.nii.gz").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"p2/ct.nii.gz cannot be read as NIfTI"):
        pack_data(root, tmp_path / "packed", task, silent, silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["balls.yaml", "cases"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path, task: str) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "mine").touch()
    with pytest.raises(OutputError, match="holds something already"):
        pack_data(write_ball_cases(tmp_path / "cases"), tmp_path / "packed", task, silent, silent)
    assert [path.name for path in (tmp_path / "packed").iterdir()] == ["mine"]


def test_an_empty_folder_may_be_used(tmp_path: Path, task: str) -> None:
    (tmp_path / "packed").mkdir()
    assert pack_data(write_ball_cases(tmp_path / "cases"), tmp_path / "packed", task, silent, silent) == 3
    assert (tmp_path / "packed" / "index.json").is_file()


def test_no_case_and_no_such_task_are_told(tmp_path: Path, task: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no case under"):
        pack_data(tmp_path / "empty", tmp_path / "packed", task, silent, silent)
    with pytest.raises(ConfigError, match="no task 'head_nek'; did you mean head_neck"):
        pack_data(tmp_path / "empty", tmp_path / "packed", "head_nek", silent, silent)
    assert not (tmp_path / "packed").exists()
