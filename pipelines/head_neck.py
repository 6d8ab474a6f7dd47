"""How the model `head_neck` is made: pack, train, bundle, judge on the validation patients through DICOM, write the card.

    python pipelines/head_neck.py CASES WORK --bundle DIR --version 0.1 [--budget 2h] [--others CT.nii.gz ...]

CASES is the OpenKBP tree with index.csv (docs/cases.md). Packing is skipped if WORK has it, training goes on from its last
checkpoint; bundle, judging and card are made anew each time, and the bundle at DIR is replaced.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path

from rtseg import __version__
from rtseg.cli.terminal import seconds
from rtseg.data import Case, axial, find_cases, squared
from rtseg.dicom import Patient, write_ct_series
from rtseg.jobs.contour import ContourOrder, Stopwatch, contour, contour_series
from rtseg.jobs.demo import compare
from rtseg.jobs.make_bundle import BundleOrder, make_bundle
from rtseg.jobs.nifti_ct import read_nifti_ct
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.train_segmentation import TrainOrder, train_segmentation
from rtseg.systems import Bundle, load_bundle, verify_bundle, write_card
from rtseg.training import choose_compute
from rtseg.training.run import LOG

CARD = Path(__file__).with_name("head_neck_card.md")


OUTCOMES = {(True, True): "found", (True, False): "missed", (False, True): "false organ", (False, False): "true absence"}
"""By whether the organ is there and whether it was drawn (METRICS, absent organs)."""

WRONG_REGION = "wrong_region"

PAUSE_S = 600.0
"""Longer silence in a training's log is a pause, not training."""


@dataclass(frozen=True)
class Judged:
    """One organ of one patient: volumes are of the automatic contour; no figure where METRICS leaves it blank.

    findings: kinds of finding about the organ or the scan, separated by blanks.
    """

    patient: str
    organ: str
    dsc: float | None
    hd95_mm: float | None
    volume_ml: float
    outcome: str
    findings: str


def judge(cases: Iterable[Case], model: Bundle) -> list[Judged]:
    """Contour each patient as a DICOM planning CT, read the structure set back, compare it with the manual contours."""
    rows = []
    for case in cases:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            case = squared(axial(case))
            write_ct_series(case.ct, folder / "ct", Patient("RTSEG^VALIDATION", case.name))
            result = contour_series(ContourOrder(folder / "ct", folder / "RS.dcm"), model, Stopwatch())
            agreement = compare(result, case)
        odd = [finding.words for finding in result.findings if finding.kind == "foreign_reader_differs"]
        print(case.name, {organ: round(figures.dsc or 0, 2) for organ, figures in agreement.items()}, *odd, flush=True)
        for organ, figures in agreement.items():
            volume, there = result.volumes_ml[organ], not case.structures[organ].is_empty
            kinds = " ".join(finding.kind for finding in result.findings if finding.organ in (organ, None))
            rows.append(Judged(case.name, organ, figures.dsc, figures.hd95_mm, volume, OUTCOMES[there, volume > 0], kinds))
    return rows


def told_apart(others: Sequence[Path], rows: Sequence[Judged], model: Bundle) -> str:
    """How often the finding ``wrong_region`` came on scans of other regions and on the validation patients, in words."""
    patients = {row.patient for row in rows}
    false = {row.patient for row in rows if WRONG_REGION in row.findings.split()}
    words = f"on {len(false)} of the {len(patients)} validation patients"
    if not others:
        return words
    found = 0
    for file in others:
        findings = contour(read_nifti_ct(file), model).findings
        found += any(finding.kind == WRONG_REGION for finding in findings)
        print(file.parent.name, file.name, sorted({finding.kind for finding in findings}), flush=True)
    sets = ", ".join(sorted({file.parent.name for file in others}))
    return f"on {found} of {len(others)} scans of other regions ({sets}), {words}"


def write_rows(rows: Sequence[Judged], file: Path) -> None:
    """The figures behind the card, one row per patient and organ."""
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, [field.name for field in fields(Judged)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def table(rows: Sequence[Judged], organs: Sequence[str]) -> str:
    """The card's table in Markdown: misses count in every DSC figure; a median distance counts a miss as infinite."""
    lines = [
        "| organ | n | missed | false | DSC mean | median | lowest | HD95 mm mean (n) | median |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    means = []
    for organ in organs:
        every = [row for row in rows if row.organ == organ]
        mine = [row for row in every if row.outcome in ("found", "missed")]
        dice = [row.dsc or 0.0 for row in mine]
        distances = [row.hd95_mm for row in mine if row.hd95_mm is not None]
        median = statistics.median([float("inf") if row.hd95_mm is None else row.hd95_mm for row in mine])
        missed, false = (sum(row.outcome == outcome for row in every) for outcome in ("missed", "false organ"))
        means.append(statistics.mean(dice))
        lines.append(
            f"| {organ} | {len(mine)} | {missed} | {false} | {means[-1]:.3f} | {statistics.median(dice):.3f} | {min(dice):.3f} "
            f"| {statistics.mean(distances):.1f} ({len(distances)}) | {median:.1f} |"
        )
    lines.append(f"| mean over organs | | | | {statistics.mean(means):.3f} | | | | |")
    return "\n".join(lines)


def card(model: Bundle, rows: Sequence[Judged], made: dict[str, str]) -> str:
    """The bundle's card, its table made from the rows just judged; made: hardware, hours and regions, in words."""
    return CARD.read_text(encoding="utf-8").format(
        name=model.about.name,
        version=model.about.version,
        step=model.about.step,
        rtseg=__version__,
        table=table(rows, model.task.organs),
        patients=len({row.patient for row in rows}),
        **made,
    )


def hours(run: Path) -> str:
    """Hours that the run's log covers, pauses left out."""
    times = [json.loads(line)["time"] for line in (run / LOG).read_text().splitlines()]
    steps = (after - before for before, after in pairwise(times))
    return f"{sum(step for step in steps if step < PAUSE_S) / 3600:.1f} hours"


def processor() -> str:
    """The processor's name as Linux tells it, and how many cores there are."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "processor unknown")
    return f"{name}, {os.cpu_count()} cores"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--bundle", type=Path, required=True, help="folder of the bundle; one that is there is replaced")
    parser.add_argument("--version", required=True)
    parser.add_argument("--system", default="ct_only", help="system that ships, or a YAML file, with a schedule of one's own say")
    parser.add_argument("--run", default="head_neck", help="name of the run folder in WORK")
    parser.add_argument("--budget", help="end the training cleanly after this time, as in 2h")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="CTs of other regions: is that noticed?")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    packed, run = asked.work / "pack_head_neck", asked.work / asked.run
    if not packed.is_dir():
        pack_data(asked.cases, packed, "head_neck", print, print)
    budget = None if asked.budget is None else seconds(asked.budget)
    order = TrainOrder(asked.system, "head_neck", packed, run, budget_s=budget, threads=asked.threads)
    train_segmentation(order, lambda step, figures: print(step, figures, flush=True), print)
    if asked.bundle.exists():
        verify_bundle(asked.bundle)  # nothing but a bundle is ever removed
        shutil.rmtree(asked.bundle)
    make_bundle(BundleOrder(run, asked.bundle, asked.bundle.name, asked.version))
    model = load_bundle(asked.bundle, choose_compute(asked.threads))
    rows = judge((case.read() for case in find_cases(asked.cases) if case.split == "validation"), model)
    write_rows(rows, asked.work / f"validation_{asked.version}.csv")
    made = {"hardware": f"{processor()}, {model.segmenter.compute.words}", "hours": hours(run)}
    write_card(asked.bundle, card(model, rows, made | {"regions": told_apart(asked.others, rows, model)}))
    print(table(rows, model.task.organs))


if __name__ == "__main__":
    main()
