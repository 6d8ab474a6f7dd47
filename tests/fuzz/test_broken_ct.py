"""Thousands of broken CT series through `check`: an answer or a refusal in words, soon and with little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fuzz.broken_ct import write_broken_series

TESTS = Path(__file__).parents[1]

PER_PROCESS = 100


def told_of(first: int, end: int, what: str = "series") -> list[dict[str, Any]]:
    """What a worker tells of the numbers ``first`` to ``end`` (not included)."""
    done = subprocess.run(
        (sys.executable, "-m", "fuzz.worker", what, str(first), str(end)),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(TESTS), "OPENBLAS_NUM_THREADS": "1"},
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == end - first, f"{what} {first + len(told)} ended the process: {done.stderr[-2000:]}"
    assert done.stderr == "", done.stderr[-2000:]
    return told


def must_be_sound(told: list[dict[str, Any]]) -> None:
    bugs = [row for row in told if "bug" in row]
    assert not bugs, f"{len(bugs)} bugs, first: number {bugs[0]['number']}, {bugs[0]['made']}:\n{bugs[0]['bug']}"
    assert max(row["peak_gb"] for row in told) < 2


def test_a_hundred_broken_series_are_answered() -> None:
    told = told_of(0, 100)
    must_be_sound(told)
    read = sum(json.loads(row["verdict"])["error"] is None for row in told)
    assert 20 < read < 80  # some are harmless, some are not


def test_two_hundred_broken_structure_sets_are_answered() -> None:
    """Read, verified and added to: a result, or a refusal in words."""
    told = told_of(0, 200, "structures")
    must_be_sound(told)
    assert 40 < sum(row["verdict"].startswith("read: ") for row in told) < 160


@pytest.mark.conformance
def test_ten_thousand_broken_structure_sets_are_answered() -> None:
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        parts = workers.map(lambda first: told_of(first, first + 500, "structures"), range(0, 10_000, 500))
        must_be_sound([row for part in parts for row in part])


@pytest.mark.conformance
def test_two_thousand_broken_series_are_answered() -> None:
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        parts = workers.map(lambda first: told_of(first, first + PER_PROCESS), range(0, 2000, PER_PROCESS))
        must_be_sound([row for part in parts for row in part])


def test_a_series_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    for number in (7, 1234):
        for folder in ("a", "b"):
            (tmp_path / f"{folder}{number}").mkdir()
        assert write_broken_series(number, tmp_path / f"a{number}") == write_broken_series(number, tmp_path / f"b{number}")
        files = sorted((tmp_path / f"a{number}").iterdir())
        assert [path.read_bytes() for path in files] == [(tmp_path / f"b{number}" / path.name).read_bytes() for path in files]
