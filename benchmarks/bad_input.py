"""What becomes of bad input: writes docs/bad_input.md.

    PYTHONPATH=tests python benchmarks/bad_input.py DICOM_ODD [--model head_neck]

DICOM_ODD is the folder of odd DICOM that the tests use. Every folder in it goes through `rtseg check` and `rtseg contour`;
then a folder of 50,000 files, a CT of 1,500 slices and 2,000 broken series are measured. Takes some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from speed_page import processor, put

from rtseg.core import Geometry, RtsegError, Volume
from rtseg.dicom import Patient, write_ct_series
from rtseg.jobs.check import check_ct

PAGE = Path(__file__).parents[1] / "docs" / "bad_input.md"
PARTS = ("Real, odd DICOM", "Sizes", "Broken series")
GIGABYTE = 10**9
MODEL = "head_neck"

TOP = """# Bad input

What `rtseg check` and `rtseg contour` answer to input that is odd or broken. Every answer names the file or value, what was
expected and the remedy; nothing is written where a CT is refused, and nothing in the input folder is ever touched.
Made by `python benchmarks/bad_input.py`; each row is a test.
"""


@dataclass(frozen=True)
class Run:
    """One command in its own process: exit code, what it printed, wall seconds, peak resident memory."""

    code: int
    out: str
    err: str
    seconds: float
    peak_bytes: int


def measured(*words: object) -> Run:
    """Run `rtseg` with these words."""
    program = (  # ru_maxrss would count what the process that started it had
        "import sys; from rtseg.cli import main\n"
        "try: main()\n"
        "finally: sys.stderr.write('\\n' + open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    )
    begin = time.perf_counter()
    done = subprocess.run((sys.executable, "-c", program, *map(str, words)), capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    said, _, peak = done.stderr.rpartition("\n")
    return Run(done.returncode, done.stdout, said, seconds, int(peak) * 1024)


def contour_whole_body(ct: Path, model: Path | str, output: Path) -> Run:
    return measured("contour", ct, "--model", model, "--output", output)


def crowd(folder: Path, count: int) -> Path:
    """So many files that have nothing to do with a CT: a tenth of them are DICOM of another kind, the rest none."""
    with tempfile.TemporaryDirectory() as made:
        write_ct_series(
            Volume(np.full((2, 4, 4), -1000, np.int16), Geometry.regular((2, 4, 4), (3.0, 1.0, 1.0))),
            Path(made) / "ct",
            Patient("A", "1"),
        )
        data = dcmread(next((Path(made) / "ct").iterdir()))
        data.SOPClassUID, data.Modality = "1.2.840.10008.5.1.4.1.1.4", "MR"
        data.save_as(Path(made) / "mr")
        mr = (Path(made) / "mr").read_bytes()
    for i in range(count):
        part = folder / f"{i // 1000:03d}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{i:06d}").write_bytes(mr if i % 10 == 0 else b"no image" * 100)
    return folder


def whole_body_ct(folder: Path, slices: int) -> Path:
    """An ellipse of water with three dense balls on the way, slices of 512 x 512 at 1 mm."""
    from ball_bundle import HU
    from phantoms import BALLS, CENTRE

    mm = 0.9766
    geometry = Geometry.regular((slices, 512, 512), (1.0, mm, mm), CENTRE - np.array([255.5 * mm, 255.5 * mm, slices / 2]))
    rows, columns = np.ogrid[:512, :512]
    hu = np.full(geometry.shape, -1000, np.int16)
    hu[:, ((columns - 255.5) / 220) ** 2 + ((rows - 255.5) / 140) ** 2 <= 1] = 0
    for ball in BALLS.values():
        x, y, z = ball.centre - geometry.origin
        for i in range(max(0, int(z - ball.radius_mm)), min(slices, int(z + ball.radius_mm) + 2)):
            inside = (i - z) ** 2 + (rows * mm - y) ** 2 + (columns * mm - x) ** 2 <= ball.radius_mm**2
            hu[i][inside] = HU[ball.hu]
    write_ct_series(Volume(hu, geometry), folder, Patient("Whole^Body", "1500"))
    return folder


def verdicts(odd: Path, model: str) -> Iterator[str]:
    """The table of the odd folders."""
    from odd_folders import ODD_FOLDERS

    yield f"Files of public test collections; `contour` with the model {model}.\n"
    yield "| folder | check | contour | words |\n|---|---|---|---|"
    for case in ODD_FOLDERS:
        folder = odd / case.folder
        checked = check_ct(folder, case.series)
        if checked.error is not None:
            yield f"| {case.name} | refused | refused | {short(checked.error, odd)} |"
            continue
        findings = sorted(checked.findings, key=lambda finding: finding.kind == "left_out")
        words = "; ".join(f"{finding.kind}: {finding.words}" for finding in findings)
        yield f"| {case.name} | read | {contoured(folder, case.series, model)} | {short(words, odd)} |"


def contoured(folder: Path, series: str | None, model: str) -> str:
    """What `contour` makes of a CT that can be read, in some words."""
    from rtseg.jobs.contour import ContourOrder, Stopwatch, contour_series
    from rtseg.systems import bundle_folder, load_bundle
    from rtseg.training import choose_compute

    with tempfile.TemporaryDirectory() as out:
        order = ContourOrder(folder, Path(out) / "RS.dcm", series=series)
        try:
            contour_series(order, load_bundle(bundle_folder(model), choose_compute(None)), Stopwatch())
        except RtsegError as error:
            words = str(error).removeprefix(f"{folder}: ")
            return "refused: no organ found" if "nothing to write" in words else f"refused: {short(words, folder)}"
    return "written"


LONGEST_CELL = 420


def short(words: str, odd: Path) -> str:
    """Words on one line of a table, paths as the folder has them."""
    line = " ".join(words.replace(f"{odd}/", "").replace("|", "\\|").split())
    return line if len(line) <= LONGEST_CELL else f"{line[:LONGEST_CELL].rsplit(' ', 1)[0]} ..."


def sizes() -> Iterator[str]:
    """The table of what was measured, and the broken series."""
    from ball_bundle import write_ball_bundle

    yield f"On {processor()}; each command its own process, other work on the machine at the same time not excluded.\n"
    yield "| input | command | seconds | peak memory, GB | bar |\n|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        yield row("50,000 files, no CT", "check", measured("check", crowd(folder / "crowd", 50_000)), "60 s")
        ct = whole_body_ct(folder / "ct", 1500)
        yield row("CT, 1,500 slices of 512 x 512", "check", measured("check", ct), "4 GB")
        bundle = write_ball_bundle(folder / "bundle")
        yield row("the same", "contour (tiny model)", contour_whole_body(ct, bundle, folder / "RS.dcm"), "4 GB")


def row(what: str, command: str, run: Run, bar: str) -> str:
    return f"| {what} | {command} | {run.seconds:.1f} | {run.peak_bytes / GIGABYTE:.2f} | {bar} |"


def broken(count: int) -> str:
    """2,000 broken series in words: how many are read, refused, and what they cost."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(PAGE.parents[1] / "tests")}
    begin = time.perf_counter()
    words = (sys.executable, "-m", "fuzz.worker", "series", "0", str(count))
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    minutes = (time.perf_counter() - begin) / 60
    told = [json.loads(line) for line in done.stdout.splitlines()]
    read = sum(json.loads(one["verdict"])["error"] is None for one in told if "verdict" in one)
    slowest, peak = max(one["seconds"] for one in told), max(one["peak_gb"] for one in told)
    return (
        f"{count:,} CT series of four slices in eight transfer syntaxes with wrong bytes, attributes, "
        "lengths, cuts and files (tests/fuzz, each made anew from its number): "
        f"{read} are read (the damage was harmless, or is told), {len(told) - read} refused in words, "
        f"{sum('bug' in one for one in told)} ended otherwise. Slowest {slowest:.1f} s of processor time (bar 10 s), "
        f"peak {peak:.2f} GB (bar 2 GB), all in {minutes:.1f} minutes in one process."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("odd", type=Path, metavar="DICOM_ODD")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--only", choices=PARTS, help="make one section anew and keep the others")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not PAGE.is_file():
        PAGE.write_text(TOP, encoding="utf-8")
    makers = {
        PARTS[0]: lambda: "\n".join(verdicts(given.odd, given.model)),
        PARTS[1]: lambda: "\n".join(sizes()),
        PARTS[2]: lambda: broken(2000),
    }
    for part, make in makers.items():
        if given.only in (None, part):
            put(part, make(), PAGE)


if __name__ == "__main__":
    main()
