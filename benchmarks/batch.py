"""Memory and throughput of `rtseg batch`; writes its section of docs/speed.md and a chart beside it.

    python benchmarks/batch.py CASES [--patients 200] [--throughput 10] [--workers 2] [--model head_neck]

CASES is a case tree (OpenKBP). Memory: one validation patient is written as DICOM and simulated as many patients (links to its
files, each with a name of its own and therefore a case of its own); the memory of each worker is read after every patient. Speed:
some patients by `rtseg batch`, by one process that has the model loaded, and by `rtseg contour` one after the other. Nothing else
should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from speed_page import PAGE, processor, put

from rtseg.data import axial, find_cases, squared
from rtseg.dicom import Patient, write_ct_series
from rtseg.jobs.contour import ContourOrder, Stopwatch, contour_series
from rtseg.systems import bundle_folder, load_bundle
from rtseg.training import choose_compute

HEADING = "A batch"
CHART = PAGE.with_name("batch_memory.png")
RTSEG = [sys.executable, "-c", "from rtseg.cli import main; main()"]
SETTLED = 5
"""Patients of a worker after which its memory is expected to stay: the first ones load libraries and fill caches."""

LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Memory:
    """Of one worker: patients done by the batch so far, and its resident memory then, GB."""

    patients: list[int]
    gb: list[float]


@dataclass(frozen=True)
class Throughput:
    """One way of contouring the same patients: wall seconds of all, and where the time went, in seconds of the workers' own."""

    what: str
    patients: int
    seconds: float
    steps: dict[str, float]

    @property
    def per_hour(self) -> float:
        return 3600 * self.patients / self.seconds


def write_patients(cases: Path, root: Path, count: int) -> list[Path]:
    """So many validation patients as DICOM, one folder each; the first again when there are no more."""
    found = [case for case in find_cases(cases) if case.split == "validation"]
    folders = []
    for number in range(count):
        ct = squared(axial(found[number % len(found)].read())).ct
        folders.append(root / f"p{number:03d}")
        write_ct_series(ct, folders[-1], Patient("RTSEG^BENCHMARK", f"RTSEG-{number}"))
    return folders


def many_of(folder: Path, root: Path, count: int) -> Path:
    """One patient as many: folders of hard links, each a copy that the batch takes for a case of its own."""
    for number in range(count):
        (root / f"p{number:03d}").mkdir(parents=True)
        for file in folder.iterdir():
            os.link(file, root / f"p{number:03d}" / file.name)
    return root


class Watch(threading.Thread):
    """Reads the memory of a batch's workers as long as it runs, with the number of patients done by then."""

    def __init__(self, batch: subprocess.Popen[str], output: Path) -> None:
        super().__init__(daemon=True)
        self.batch, self.output = batch, output
        self.workers: dict[int, Memory] = {}

    def run(self) -> None:
        import psutil

        while self.batch.poll() is None:
            try:
                there = [child for child in psutil.Process(self.batch.pid).children() if self.is_worker(child)]
                done = sum(1 for _ in self.output.glob("*/batch.json"))
                for worker in there:
                    of = self.workers.setdefault(worker.pid, Memory([], []))
                    gb = worker.memory_info().rss / 1e9
                    if of.patients and of.patients[-1] == done:
                        of.gb[-1] = max(of.gb[-1], gb)  # the highest while this patient was contoured
                    else:
                        of.patients.append(done)
                        of.gb.append(gb)
            except psutil.NoSuchProcess:
                pass
            time.sleep(LOOK_EVERY_S)

    @staticmethod
    def is_worker(child: object) -> bool:
        return "spawn_main" in " ".join(child.cmdline())  # type: ignore[attr-defined]


def batch(source: Path, output: Path, model: str, workers: int) -> tuple[float, dict[int, Memory]]:
    """Wall seconds of `rtseg batch`, and its workers' memory."""
    start = time.perf_counter()
    words = ["batch", str(source), str(output), "--model", model, "--workers", str(workers)]
    running = subprocess.Popen([*RTSEG, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    watch = Watch(running, output)
    watch.start()
    _, told = running.communicate()
    watch.join()
    if running.returncode:
        raise SystemExit(f"rtseg batch ended with {running.returncode}:\n{told}")
    return time.perf_counter() - start, {pid: over_a_patient(memory, 2 * workers) for pid, memory in watch.workers.items()}


def over_a_patient(memory: Memory, window: int) -> Memory:
    """The highest over the last patients of the batch, so many that the worker had a whole one among them."""
    return Memory(memory.patients, [max(memory.gb[max(0, n - window + 1) : n + 1]) for n in range(len(memory.gb))])


def batch_throughput(source: Path, output: Path, model: str, workers: int, patients: int) -> Throughput:
    """`rtseg batch`, start and end included."""
    import json

    seconds, _ = batch(source, output, model, workers)
    steps: dict[str, float] = {}
    for record in output.glob("*/batch.json"):
        add(steps, json.loads(record.read_text())["answer"]["seconds"])
    return Throughput(f"`rtseg batch --workers {workers}`", patients, seconds, steps)


def one_process(folders: Sequence[Path], output: Path, model: str) -> Throughput:
    """A loop in one process with all threads, the model loaded before the clock starts."""
    bundle = load_bundle(bundle_folder(model), choose_compute())
    output.mkdir()
    steps: dict[str, float] = {}
    start = time.perf_counter()
    for folder in folders:
        watch = Stopwatch()
        contour_series(ContourOrder(folder, output / f"{folder.name}.dcm"), bundle, watch)
        add(steps, watch.seconds)
    return Throughput("one process, model loaded before", len(folders), time.perf_counter() - start, steps)


def single_runs(folders: Sequence[Path], output: Path, model: str) -> Throughput:
    """`rtseg contour` for one after the other."""
    output.mkdir()
    start = time.perf_counter()
    for folder in folders:
        words = ["contour", str(folder), "--model", model, "--output", str(output / f"{folder.name}.dcm")]
        subprocess.run([*RTSEG, *words], check=True, capture_output=True)
    return Throughput("`rtseg contour`, one after the other", len(folders), time.perf_counter() - start, {})


def add(total: dict[str, float], seconds: dict[str, float]) -> None:
    for step, s in seconds.items():
        total[step] = total.get(step, 0.0) + s


def growth(memory: Memory) -> str:
    """MB more a patient of the batch, by a straight line through what came after the first ones."""
    x, y = np.array(memory.patients), np.array(memory.gb)
    settled = x >= SETTLED * 2
    if settled.sum() < SETTLED:
        return "too few patients for a slope"
    return f"{np.polyfit(x[settled], y[settled], 1)[0] * 1000:+.2f} MB a patient"


def draw(workers: dict[int, Memory], file: Path) -> None:
    """Memory of each worker over the patients done."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, memory in enumerate(workers.values(), start=1):
        axes.plot(memory.patients, memory.gb, linewidth=1.4, label=f"worker {number}")
    axes.set(xlabel="patients done", ylabel="highest resident memory, GB", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(file)


def section(workers: dict[int, Memory], patients: int, ways: Sequence[Throughput], model: str) -> str:
    grown = ", ".join(
        f"worker {n}: highest {max(memory.gb):.2f} GB, {growth(memory)}" for n, memory in enumerate(workers.values(), start=1)
    )
    base = ways[1].per_hour
    lines = [
        f"Made by `python benchmarks/batch.py CASES` with the model {model} on {processor()}, no GPU; "
        f"torch {torch.__version__}, Python {platform.python_version()}.",
        "",
        f"**Memory over {patients} patients** (one OpenKBP validation patient simulated as so many), {len(workers)} workers. "
        f"{grown} (a straight line from patient {SETTLED * 2} on).",
        "",
        f"![Memory of the workers]({CHART.name})",
        "",
        f"**Throughput**, {ways[0].patients} OpenKBP validation patients as DICOM:",
        "",
        "| way | seconds | patients/h | against one process |",
        "|---|---|---|---|",
        *(f"| {way.what} | {way.seconds:.1f} | {way.per_hour:.0f} | {way.per_hour / base:.2f} |" for way in ways),
        "",
        "Where the time goes, seconds of all patients together (with several workers they run side by side):",
        "",
        *steps_table([way for way in ways if way.steps]),
    ]
    return "\n".join(lines)


def steps_table(ways: Sequence[Throughput]) -> list[str]:
    names = list(dict.fromkeys(step for way in ways for step in way.steps))
    rows = [
        f"| {way.what} | " + " | ".join(f"{way.steps.get(step, 0.0):.1f}" for step in names) + f" | {rest(way)} |" for way in ways
    ]
    return ["| way | " + " | ".join(names) + " | wall beyond them |", "|---" * (len(names) + 2) + "|", *rows]


def rest(way: Throughput) -> str:
    """Wall seconds that are in no step: start of the processes, libraries, model, waiting; where they ran side by side,
    steps of one worker are taken as their sum over the workers."""
    side_by_side = int(way.what.split()[-1].strip("`")) if "workers" in way.what else 1
    return f"{way.seconds - sum(way.steps.values()) / side_by_side:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--throughput", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="head_neck")
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args()
    asked.page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        folders = write_patients(asked.cases, root / "few", asked.throughput)
        ways = [
            batch_throughput(root / "few", root / "batch", asked.model, asked.workers, len(folders)),
            one_process(folders, root / "loop", asked.model),
            single_runs(folders, root / "single", asked.model),
        ]
        source = many_of(folders[0], root / "many", asked.patients)
        _, workers = batch(source, root / "memory", asked.model, asked.workers)
    chart = asked.page.with_name(CHART.name)
    draw(workers, chart)
    with chart.with_suffix(".csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("worker", "patients_done", "highest_gb"))
        for number, memory in enumerate(workers.values(), start=1):
            lines.writerows((number, done, f"{gb:.4f}") for done, gb in zip(memory.patients, memory.gb, strict=True))
    print(put(HEADING, section(workers, asked.patients, ways, asked.model), asked.page))


if __name__ == "__main__":
    main()
