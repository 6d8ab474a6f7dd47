"""One task a worker; whoever takes workers down is passed over, and nobody who was beside it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import distributed
import pytest

from rtseg.core import ConfigError
from rtseg.jobs.batch import WORKER
from rtseg.jobs.batch_dask import TRIES, WorkerLost, each_done, local_workers, workers_of

if TYPE_CHECKING:
    from distributed import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """The client looks at its cluster all the time: that must not make a worker seem to be gone."""
    with dask.config.set({"distributed.client.scheduler-info-interval": "2ms"}), local_workers(2, WORKER) as client:
        yield client


def test_every_answer_comes_with_its_task_and_an_exception_stops_nobody(client: Client) -> None:
    def third_of(number: int) -> float:
        return 3 / number

    answers = dict(each_done(client, third_of, [0, 1, 2, 3]))
    assert isinstance(answers.pop(0), ZeroDivisionError)
    assert answers == {1: 3.0, 2: 1.5, 3: 1.0}


def test_a_worker_has_one_task_at_a_time(client: Client, tmp_path: Path) -> None:
    def alone(name: str) -> bool:
        mark = tmp_path / str(os.getpid())
        was_there = mark.exists()
        mark.touch()
        time.sleep(0.05)
        mark.unlink()
        return was_there

    answers = dict(each_done(client, alone, [f"p{i}" for i in range(12)]))
    assert set(answers.values()) == {False}
    assert len(answers) == 12


def test_a_task_that_takes_its_worker_down_is_passed_over_and_the_others_are_done(client: Client, tmp_path: Path) -> None:
    def call(name: str) -> int:
        with (tmp_path / name).open("a") as log:
            log.write("begun\n")
        if name == "heavy":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)
        return 1

    answers = dict(each_done(client, call, ["p0", "heavy", *(f"p{i}" for i in range(1, 9))]))
    assert isinstance(answers.pop("heavy"), WorkerLost)
    assert answers == {f"p{i}": 1 for i in range(9)}
    assert list(answers)[-1] != "heavy"
    assert {path.name: len(path.read_text().splitlines()) for path in tmp_path.iterdir()} == {
        "heavy": TRIES,
        **{f"p{i}": 1 for i in range(9)},
    }


def test_a_task_whose_worker_was_ended_by_another_is_done_in_the_second_try(client: Client, tmp_path: Path) -> None:
    def call(name: str) -> str:
        mark = tmp_path / name
        if mark.exists():
            return "second"
        mark.write_text(str(os.getpid()))
        time.sleep(60 if name == "victim" else 0.05)
        return "first"

    def end_its_worker() -> None:
        while not (tmp_path / "victim").exists() or not (tmp_path / "victim").read_text():
            time.sleep(0.05)
        os.kill(int((tmp_path / "victim").read_text()), signal.SIGKILL)

    killer = threading.Thread(target=end_its_worker, daemon=True)
    killer.start()
    answers = dict(each_done(client, call, ["victim", "p1", "p2"]))
    killer.join()
    assert answers == {"victim": "second", "p1": "first", "p2": "first"}


def test_a_scheduler_that_is_not_there_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda address, **_: real(address, timeout=1))
    with (
        pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1 .*dask scheduler"),
        workers_of("tcp://127.0.0.1:1"),
    ):
        pass
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at nonsense://x"), workers_of("nonsense://x"):
        pass
