"""Packing of cases for training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtseg.data import find_cases, pack
from rtseg.systems import read_task


def pack_data(source: Path, output: Path, task: str, started: Callable[[int], None], progress: Callable[[str], None]) -> int:
    """Pack every case under ``source`` for a task; returns how many. ``started`` hears the number, ``progress`` each name."""
    cases = find_cases(source)
    started(len(cases))
    pack(cases, read_task(task).pack_plan, output, progress)
    return len(cases)
