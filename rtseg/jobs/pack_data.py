"""Packing of cases for training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtseg.data import find_cases, pack
from rtseg.dicom.atomic import whole_folder
from rtseg.systems import read_task


def pack_data(source: Path, output: Path, task: str, started: Callable[[int], None], progress: Callable[[str], None]) -> int:
    """Pack every case under ``source`` for a task; returns how many. ``started`` hears the number, ``progress`` each name.

    Raises an RtsegError if a case cannot be packed or ``output`` cannot be written; then nothing is there.
    """
    plan, cases = read_task(task).pack_plan, find_cases(source)
    with whole_folder(output, overwrite=False) as folder:
        started(len(cases))
        pack(cases, plan, folder, progress)
    return len(cases)
