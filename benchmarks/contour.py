"""Time and memory of the commands on a planning CT of clinical size; writes its section of docs/speed.md.

    python benchmarks/contour.py CASES [--repeats 3]

CASES is a case tree (OpenKBP); one patient is interpolated to 512 x 512 x 150 and written as DICOM. Nothing else should
run on the machine meanwhile. Every command runs as its own process; the median of the repeats is told.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from speed_page import processor, put

from rtseg.core import Geometry, Volume
from rtseg.data import axial, find_cases
from rtseg.dicom import Patient, write_ct_series
from rtseg.imaging import resample
from rtseg.systems import bundle_folder, load_bundle
from rtseg.training import Compute, choose_compute

HEADING = "The commands"
MODEL = "head_neck"


@dataclass(frozen=True)
class Measured:
    """One command: median wall seconds, and peak memory of the process in GB."""

    what: str
    seconds: float
    peak_gb: float | None
    bar: str


def clinical_ct(cases: Path) -> Volume:
    """A real patient on a clinical planning CT's grid: 150 slices of 512 x 512, 0.98 mm pixels, slices 2 to 3 mm."""
    patient = max((c for c in find_cases(cases) if c.split == "validation"), key=lambda c: len(c.contoured))
    ct = axial(patient.read()).ct
    corners = ct.geometry.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    spacing = ((high[2] - low[2]) / 150, 500 / 512, 500 / 512)
    middle = (low + high) / 2
    first = middle - np.array([spacing[2] * 511 / 2, spacing[1] * 511 / 2, spacing[0] * 149 / 2])
    fine = resample(ct, Geometry.regular((150, 512, 512), spacing, first), outside=-1000.0)
    noise = np.random.default_rng(0).normal(0, 15, fine.array.shape)
    return Volume(np.rint(fine.array + noise).astype(np.int16), fine.geometry)


MEASURE = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Runs a command from a small process of its own: a child's peak memory begins with its parent's."""


def timed(what: str, bar: str, command: list[str], repeats: int) -> Measured:
    """Run a command some times: median wall seconds, largest peak memory."""
    walls, peaks = [], []
    for _ in range(repeats):
        told = subprocess.run([sys.executable, "-c", MEASURE, *command], check=True, capture_output=True, text=True).stdout
        wall, peak_kib = told.split()
        walls.append(float(wall))
        peaks.append(float(peak_kib) * 1024 / 1e9)
    return Measured(what, statistics.median(walls), max(peaks), bar)


def model_load(repeats: int) -> Measured:
    """Verify and load the bundle, libraries loaded already."""
    compute = choose_compute()
    walls = []
    for _ in range(repeats):
        start = time.perf_counter()
        load_bundle(bundle_folder(MODEL), compute)
        walls.append(time.perf_counter() - start)
    return Measured("model load (libraries loaded)", statistics.median(walls), None, "1 s")


def window_seconds(precision: torch.dtype) -> float:
    """One window through the network, best of five."""
    segmenter = load_bundle(bundle_folder(MODEL), Compute(torch.device("cpu"), precision)).segmenter
    window = torch.zeros(1, 2, *segmenter.patch).contiguous(memory_format=torch.channels_last_3d)
    best = float("inf")
    with torch.inference_mode(), segmenter.compute.autocast():
        segmenter.net(window)
        for _ in range(5):
            start = time.perf_counter()
            segmenter.net(window)
            best = min(best, time.perf_counter() - start)
    return best


def section(rows: list[Measured], full: float, half: float) -> str:
    lines = [
        f"Made by `python benchmarks/contour.py CASES` on {processor()}, no GPU; "
        f"torch {torch.__version__}, Python {platform.python_version()}.",
        "The CT: one OpenKBP validation patient interpolated to 512 x 512 x 150 with 15 HU of noise added, written as DICOM.",
        "Each command is its own process, files in the system's cache; median of the repeats.",
        "",
        "| command | seconds | peak memory, GB | bar |",
        "|---|---|---|---|",
        *(f"| {r.what} | {r.seconds:.2f} | {'' if r.peak_gb is None else f'{r.peak_gb:.2f}'} | {r.bar} |" for r in rows),
        "",
        f"One window through the network in the same run: float32 {full:.3f} s, bfloat16 {half:.3f} s, ratio {full / half:.2f}. "
        "rtseg measures this at start-up and takes bfloat16 only where it is quicker.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    rtseg = [sys.executable, "-c", "from rtseg.cli import main; main()"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_ct_series(clinical_ct(asked.cases), folder / "ct", Patient("RTSEG^BENCHMARK", "RTSEG-BENCHMARK"))
        contour = [*rtseg, "contour", str(folder / "ct"), "--model", MODEL, "--output", str(folder / "RS.dcm"), "--overwrite"]
        rows = [
            timed("rtseg --help", "0.5 s", [*rtseg, "--help"], asked.repeats),
            timed("rtseg check (512 x 512 x 150)", "", [*rtseg, "check", str(folder / "ct")], asked.repeats),
            timed("rtseg demo", "30 s", [*rtseg, "demo", "--output", str(folder / "demo")], asked.repeats),
            timed("rtseg contour (512 x 512 x 150)", "20 s, 3 GB", contour, asked.repeats),
            timed("the same with --report", "", [*contour, "--report", str(folder / "report")], 1),
        ]
    rows.insert(1, model_load(asked.repeats))
    print(put(HEADING, section(rows, window_seconds(torch.float32), window_seconds(torch.bfloat16))))


if __name__ == "__main__":
    main()
