"""Workers under fire: a patient that takes them down, and a scheduler with workers in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

DOWN = "takes_workers_down"
"""Name of the folder whose files bring down the process that opens them, if it was begun with ``preload``."""

KILL = """
import os, signal, sys

def watch(event, arguments):
    if event == "open" and {name!r} in str(arguments[0]) and not str(arguments[0]).endswith(".json"):
        {death}

sys.addaudithook(watch)
"""


def preload(folder: Path, death: str = "os.kill(os.getpid(), signal.SIGKILL)") -> Path:
    """A module for `dask worker --preload`: the worker's end when it opens a CT of the folder DOWN."""
    file = folder / "under_fire.py"
    file.write_text(KILL.format(name=DOWN, death=death))
    return file


@dataclass
class Cluster:
    """A scheduler and workers, each a process of its own as `dask scheduler` and `dask worker` start them."""

    folder: Path
    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(self, *options: str) -> subprocess.Popen[bytes]:
        own = self.folder / f"worker{len(self.workers)}"
        words = ("worker", self.address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(own), *options)
        self.workers.append(dask_process(own, *words))
        return self.workers[-1]


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A scheduler without workers; all processes are ended with the block."""
    about = folder / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
    scheduler = dask_process(folder / "scheduler", "scheduler", *options, "--scheduler-file", str(about))
    made = Cluster(folder, "", scheduler)
    try:
        wait_until(about.exists)
        wait_until(lambda: "address" in about.read_text())
        made.address = json.loads(about.read_text())["address"]
        yield made
    finally:
        for process in (*made.workers, scheduler):
            process.terminate()
        for process in (*made.workers, scheduler):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def dask_process(name: Path, *words: str) -> subprocess.Popen[bytes]:
    """`dask ...`, its output in a file beside."""
    with name.with_suffix(".log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "dask", *words], stdout=log, stderr=log)


def rtseg_batch(*words: object) -> subprocess.Popen[str]:
    """`rtseg batch ...` in a process group of its own, as a terminal starts it: also where the tests run in the background, which
    leaves a process deaf to Ctrl-C.
    """
    command = [
        *(sys.executable, "-c"),
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from rtseg.cli import main; main()",
        *("batch", *map(str, words)),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_until(true: Callable[[], object], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for nothing"
        time.sleep(0.05)
