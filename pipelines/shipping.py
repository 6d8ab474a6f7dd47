"""What every model that ships is made with: its folder anew, and what its card tells of the training."""

from __future__ import annotations

import json
import os
import platform
import shutil
from itertools import pairwise
from pathlib import Path

from rtseg.jobs.make_bundle import BundleOrder, make_bundle
from rtseg.systems import verify_bundle
from rtseg.training.run import LOG

PAUSE_S = 600.0
"""Longer silence in a training's log is a pause, not training."""


def make_anew(order: BundleOrder) -> Path:
    """The run's bundle, in the place of one that is there; nothing but a bundle is ever removed."""
    if order.output.exists():
        verify_bundle(order.output)
        shutil.rmtree(order.output)
    return make_bundle(order)


def hours(run: Path) -> str:
    """Hours, or minutes if they are few, that the run's log covers, pauses left out."""
    times = [json.loads(line)["time"] for line in (run / LOG).read_text().splitlines()]
    steps = (after - before for before, after in pairwise(times))
    minutes = sum(step for step in steps if step < PAUSE_S) / 60
    return f"{minutes / 60:.1f} hours" if minutes > 30 else f"{minutes:.0f} min"


def processor() -> str:
    """The processor's name as Linux tells it, and how many cores there are."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{name}, {os.cpu_count()} cores"
