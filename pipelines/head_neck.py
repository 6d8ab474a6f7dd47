"""How the model `head_neck` is made: pack, train, bundle, judge on the validation patients through DICOM, write the card.

    python pipelines/head_neck.py CASES WORK --bundle DIR --version 0.1 [--budget 2h]

CASES is the OpenKBP tree (index.csv). Every step is skipped or gone on with where WORK holds its result already.
"""

from __future__ import annotations

import argparse
import csv
import platform
import shutil
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rtseg import __version__
from rtseg.cli.terminal import seconds
from rtseg.data import Case, axial, find_cases, squared
from rtseg.dicom import Patient, write_ct_series
from rtseg.jobs.contour import ContourOrder, Stopwatch, contour_series
from rtseg.jobs.demo import compare
from rtseg.jobs.make_bundle import BundleOrder, make_bundle
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.train_segmentation import TrainOrder, train_segmentation
from rtseg.systems import Bundle, load_bundle, write_card
from rtseg.training import choose_compute

CARD = Path(__file__).with_name("head_neck_card.md")


@dataclass(frozen=True)
class Judged:
    """One organ of one patient: volumes are of the automatic contour; no figure where METRICS leaves it blank."""

    patient: str
    organ: str
    dsc: float
    hd95_mm: float | None
    volume_ml: float
    outcome: str


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
            volume = result.volumes_ml[organ]
            outcome = "missed" if volume == 0 else "found"
            rows.append(Judged(case.name, organ, figures.dsc or 0.0, figures.hd95_mm, volume, outcome))
    return rows


def write_rows(rows: Sequence[Judged], file: Path) -> None:
    """The figures behind the card, one row per patient and organ."""
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, [field.name for field in fields(Judged)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def table(rows: Sequence[Judged], organs: Sequence[str]) -> str:
    """The card's table in Markdown: misses count in every DSC figure; a median distance counts a miss as infinite."""
    lines = [
        "| organ | n | missed | DSC mean | median | lowest | HD95 mm mean (n) | median |",
        "|---|---|---|---|---|---|---|---|",
    ]
    means = []
    for organ in organs:
        mine = [row for row in rows if row.organ == organ]
        dice = [row.dsc for row in mine]
        distances = [row.hd95_mm for row in mine if row.hd95_mm is not None]
        median = statistics.median([float("inf") if row.hd95_mm is None else row.hd95_mm for row in mine])
        missed = sum(row.outcome == "missed" for row in mine)
        means.append(statistics.mean(dice))
        lines.append(
            f"| {organ} | {len(mine)} | {missed} | {means[-1]:.3f} | {statistics.median(dice):.3f} | {min(dice):.3f} "
            f"| {statistics.mean(distances):.1f} ({len(distances)}) | {median:.1f} |"
        )
    lines.append(f"| mean over organs | | | {statistics.mean(means):.3f} | | | | |")
    return "\n".join(lines)


def card(model: Bundle, rows: Sequence[Judged], hardware: str, hours: str) -> str:
    """The bundle's card, its table made from the rows just judged."""
    return CARD.read_text(encoding="utf-8").format(
        name=model.about.name,
        version=model.about.version,
        step=model.about.step,
        rtseg=__version__,
        table=table(rows, model.task.organs),
        patients=len({row.patient for row in rows}),
        hardware=hardware,
        hours=hours,
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--bundle", type=Path, required=True, help="folder of the bundle; one that is there is replaced")
    parser.add_argument("--version", required=True)
    parser.add_argument("--budget", help="end the training cleanly after this time, as in 2h")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--hours", required=True, help="hours of training so far, in words, for the card")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    packed, run = asked.work / "pack_head_neck", asked.work / "head_neck"
    if not packed.is_dir():
        pack_data(asked.cases, packed, "head_neck", print, print)
    budget = None if asked.budget is None else seconds(asked.budget)
    order = TrainOrder("ct_only", "head_neck", packed, run, budget_s=budget, threads=asked.threads)
    train_segmentation(order, lambda step, figures: print(step, figures, flush=True), print)
    shutil.rmtree(asked.bundle, ignore_errors=True)
    make_bundle(BundleOrder(run, asked.bundle, asked.bundle.name, asked.version))
    model = load_bundle(asked.bundle, choose_compute(asked.threads))
    rows = judge((case.read() for case in find_cases(asked.cases) if case.split == "validation"), model)
    write_rows(rows, asked.work / f"validation_{asked.version}.csv")
    write_card(
        asked.bundle,
        card(model, rows, f"{platform.processor() or platform.machine()}, {model.segmenter.compute.words}", asked.hours),
    )
    print(table(rows, model.task.organs))


if __name__ == "__main__":
    main()
