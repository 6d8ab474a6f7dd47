"""Packing of cases for training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtseg.data import find_cases, find_mrs, pack
from rtseg.dicom.atomic import whole_folder
from rtseg.systems import read_task


def pack_data(
    source: Path,
    output: Path,
    task: str,
    started: Callable[[int], None],
    progress: Callable[[str], None],
    mr: Path | None = None,
) -> int:
    """Pack every case under ``source`` for a task, and the MRs of other people under ``mr``; returns how many.

    ``started`` hears the number, ``progress`` each name.

    Raises an RtsegError if a case cannot be packed or ``output`` cannot be written; then nothing is there.
    """
    plan, cases = read_task(task).pack_plan, find_cases(source)
    others = [] if mr is None else find_mrs(mr)
    with whole_folder(output, overwrite=False) as folder:
        started(len(cases) + len(others))
        pack(cases, plan, folder, progress, others)
    return len(cases) + len(others)
