"""Bundles against each other on the same patients: accuracy as `rtseg evaluate` tells it, with each one's time and memory.

    python pipelines/benchmark.py CASES WORK --model head_neck --model OTHER_DIR [--split validation] [--threads 2]

CASES is a tree of cases (docs/cases.md), of which those of ``--split`` are the test; nothing is trained. Each patient becomes a
planning CT as DICOM with the manual contours as RTSTRUCT; each bundle contours it as `rtseg contour` does, in its own process.
WORK then holds ct/, manual/, a folder for each bundle, speed.csv, evaluation/ (tables and page) and benchmark.md. What is there
already of ct/ and manual/ is used again; contours are made anew.
"""

from __future__ import annotations

import argparse
import csv
import resource
import shutil
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rtseg.data import Case, axial, find_cases, squared
from rtseg.dicom import Conversion, Export, Patient, read_planning_ct, write_ct_series, write_rtstruct
from rtseg.jobs.contour import ContourOrder, Stopwatch, contour_series
from rtseg.jobs.evaluate import Evaluation, NoBar, evaluate
from rtseg.jobs.evaluate_plan import EvaluateOrder
from rtseg.jobs.evaluate_tables import COMPARISON, TABLE
from rtseg.systems import Bundle, bundle_folder, load_bundle
from rtseg.training import choose_compute

CT, MANUAL, STRUCTURE_SET = "ct", "manual", "RS.dcm"


@dataclass(frozen=True)
class Found:
    """What a model said of one organ of one patient, beside its contour.

    soft_dice: how sure it was; findings: kinds about the organ or the scan, separated by blanks
    """

    patient: str
    organ: str
    soft_dice: float | None
    findings: str


@dataclass(frozen=True)
class Speed:
    """What one bundle took: seconds of `rtseg contour` without loading the model, and the peak memory of its process."""

    model: str
    patients: int
    load_s: float
    median_s: float
    longest_s: float
    peak_gb: float
    compute: str


def write_patients(cases: Iterable[Case], work: Path) -> None:
    """Each case as a planning CT and a structure set of its manual contours; one that is there stays."""
    for case in cases:
        manual = work / MANUAL / case.name / STRUCTURE_SET
        if manual.is_file():
            continue
        shutil.rmtree(work / CT / case.name, ignore_errors=True)
        case = squared(axial(case))
        write_ct_series(case.ct, work / CT / case.name, Patient("RTSEG^BENCHMARK", case.name), seed=case.name)
        manual.parent.mkdir(parents=True, exist_ok=True)
        contours = case.structures.subset(list(case.contoured))
        write_rtstruct(contours, read_planning_ct(work / CT / case.name), manual, Export(Conversion("manual contours")))


def contour_patients(model: Bundle, work: Path, output: Path) -> tuple[list[Found], list[float]]:
    """Contour every CT of ``work`` into ``output``, which is made anew; what was said, and seconds for each patient."""
    shutil.rmtree(output, ignore_errors=True)
    found, seconds = [], []
    for ct in sorted((work / CT).iterdir()):
        place = output / ct.name / STRUCTURE_SET
        place.parent.mkdir(parents=True)
        result = contour_series(ContourOrder(ct, place), model, Stopwatch())
        seconds.append(sum(result.timings.values()))
        for organ in result.volumes_ml:
            sure = result.confidence.get(organ)
            kinds = " ".join(finding.kind for finding in result.findings if finding.organ in (organ, None))
            found.append(Found(ct.name, organ, None if sure is None else sure.soft_dice, kinds))
        odd = [finding.words for finding in result.findings if finding.kind == "foreign_reader_differs"]
        print(f"{output.name}: {ct.name} {seconds[-1]:.1f} s", *odd, flush=True)
    return found, seconds


def judge(models: dict[str, Bundle], work: Path) -> Evaluation:
    """What was contoured below ``work`` against the manual contours, in WORK/evaluation, which is made anew."""
    first = next(iter(models.values()))
    order = EvaluateOrder(
        predicted={label: work / label for label in models},
        reference=work / MANUAL,
        output=work / "evaluation",
        ct=work / CT,
        organs=first.task.organs,
        measured=first.task.measured,
        overwrite=True,
    )
    return evaluate(order, NoBar())


def means(evaluation: Evaluation) -> str:
    """Mean DSC and HD95 of every model, organ by organ, as Markdown; a miss counts 0 in the DSC and has no distance."""
    labels = list(evaluation.summaries)
    cells: dict[str, list[str]] = {}
    for label in labels:
        for summary in evaluation.summaries[label]:
            dsc, hd95 = (summary.figures[name].mean for name in ("dsc", "hd95_mm"))
            words = f"{'-' if dsc is None else f'{dsc:.3f}'}, {'-' if hd95 is None else f'{hd95:.1f}'}"
            cells.setdefault(summary.organ, []).append(words)
    lines = ["| organ | " + " | ".join(f"{label}: DSC, HD95 mm" for label in labels) + " |", "|---" * (len(labels) + 1) + "|"]
    return "\n".join([*lines, *(f"| {organ} | {' | '.join(words)} |" for organ, words in cells.items())])


def paired(work: Path) -> str:
    """What `judge` found of each other model against the first, organ by organ, as Markdown."""
    if not (work / "evaluation" / COMPARISON).is_file():
        return "There is no other model to compare with."
    with (work / "evaluation" / COMPARISON).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["figure"] == "dsc"]
    lines = ["| model | against | organ | n | DSC, mean difference | 95 % interval | p, Holm |", "|---" * 7 + "|"]
    for row in rows:
        interval = f"{float(row['mean_low']):+.3f} to {float(row['mean_high']):+.3f}" if row["mean_low"] else "-"
        p = f"{float(row['p_holm']):.3f}" if row["p_holm"] else "-"
        difference = f"{float(row['mean_difference']):+.3f}"
        cells = (row["prediction"], row["against"], row["organ"], row["n"], difference, interval, p)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def run(label: str, model: str, work: Path, threads: int | None) -> Speed:
    """One bundle over all patients; to be called in a process of its own, whose peak memory is told."""
    watch = Stopwatch()
    with watch.step("load"):
        bundle = load_bundle(bundle_folder(model), choose_compute(threads))
    _, seconds = contour_patients(bundle, work, work / label)
    return Speed(
        model=label,
        patients=len(seconds),
        load_s=round(watch.seconds["load"], 1),
        median_s=round(statistics.median(seconds), 1),
        longest_s=round(max(seconds), 1),
        peak_gb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        compute=bundle.segmenter.compute.words,
    )


def page(speeds: Sequence[Speed], evaluation: Evaluation, summary: str) -> str:
    """The comparison in Markdown."""
    names = [field.name for field in fields(Speed)]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(value) for value in asdict(speed).values()) + " |" for speed in speeds]
    parts = [
        f"# {len(speeds)} bundles on {evaluation.patients} patients",
        "Seconds of `rtseg contour` for one patient from reading the CT to the verified RTSTRUCT; peak memory of the process.",
        "\n".join(lines),
        summary.strip(),
        "Pictures, charts and paired statistics: evaluation/report.html. Made by `python pipelines/benchmark.py`.",
    ]
    return "\n\n".join(parts) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", action="append", required=True, help="name of a model that ships, or a bundle's folder")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    cases = [case for case in find_cases(asked.cases) if case.split == asked.split]
    if not cases:
        raise SystemExit(f"no case of the split {asked.split} in {asked.cases}")
    models = {Path(model).name: model for model in asked.model}
    if len(models) < len(asked.model) or set(models) & {CT, MANUAL, "evaluation"}:
        raise SystemExit("bundles must be called differently, and none ct, manual or evaluation: rename a folder")
    write_patients((case.read() for case in cases), asked.work)
    speeds = [_apart(label, model, asked.work, asked.threads) for label, model in models.items()]
    with (asked.work / "speed.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Speed)])
        writer.writeheader()
        writer.writerows(asdict(speed) for speed in speeds)
    compute = choose_compute(asked.threads)
    evaluation = judge({label: load_bundle(bundle_folder(model), compute) for label, model in models.items()}, asked.work)
    text = page(speeds, evaluation, (asked.work / "evaluation" / TABLE).read_text(encoding="utf-8"))
    (asked.work / "benchmark.md").write_text(text, encoding="utf-8")
    print(text)


def _apart(*task: Any) -> Speed:
    """``run`` in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(run, *task).result()


if __name__ == "__main__":
    main()
