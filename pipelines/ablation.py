"""What attention gates and deep supervision are worth: the same network without them, a quarter of the schedule each.

    python pipelines/ablation.py train PACK WORK [--system ct_only] [--size small] [--variants no_gates]
    python pipelines/ablation.py score PACK WORK

PACK comes from `rtseg data pack`. Each variant is a run folder in WORK with the same data, seed and steps; training goes on
from its last checkpoint. It needs no more than torch, numpy, safetensors, pydantic, PyYAML, MONAI and tensorboard, so it may
be done on another machine and its run folders brought back. `score` writes WORK/ablation.csv and WORK/ablation.md.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rtseg.core import InputError
from rtseg.data import read_pack
from rtseg.data.pack import SHARES
from rtseg.jobs.train_segmentation import TrainOrder, train_segmentation
from rtseg.metrics.paired import Interval, Paired, bootstrap_interval, holm, paired
from rtseg.segmentation.inference import Segmenter, dice_on_grid, segment_logits
from rtseg.systems import Size, System, read_system, read_task, write_yaml
from rtseg.training import Run, choose_compute, load_named, resident

BASE = "daunet"
"""The variant that the others are compared with: everything on."""

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    BASE: {},
    "no_gates": {"attention": False},
    "no_deep_supervision": {"deep_supervision": False},
}
"""What each variant changes in the system's network."""

SHARE = 4
"""Each variant has one of so many parts of the schedule's steps."""

ROWS, PAGE = "ablation.csv", "ablation.md"


@dataclass(frozen=True)
class Ablation:
    """What is compared, and where: pack is the folder of packed cases, work the folder of the run folders."""

    pack: Path
    work: Path
    system: str = "ct_only"
    task: str = "head_neck"
    size: Size = "small"
    seed: int = 0
    threads: int | None = None


@dataclass(frozen=True)
class Scored:
    """DSC of one organ of one validation patient on the working grid, by the averaged weights of a variant's last step."""

    variant: str
    step: int
    patient: str
    organ: str
    dsc: float


def variant_system(of: Ablation, variant: str) -> System:
    """The system at its size with a variant's changes and its part of the steps; everything else stays as it is."""
    whole = read_system(of.system).at_size(of.size)
    schedule = replace(whole.segmentation.schedule, steps=whole.segmentation.schedule.steps // SHARE)
    return whole.model_copy(
        update={
            "segmenter": replace(whole.segmenter, **VARIANTS[variant]),
            "segmentation": whole.segmentation.model_copy(update={"schedule": schedule}),
        }
    )


def train_variant(of: Ablation, variant: str) -> int:
    """Train one variant in WORK/VARIANT, or go on with it; returns the step reached."""
    of.work.mkdir(parents=True, exist_ok=True)
    file = of.work / f"{variant}.yaml"
    write_yaml(variant_system(of, variant), file)
    order = TrainOrder(str(file), of.task, of.pack, of.work / variant, of.size, threads=of.threads, seed=of.seed)
    return train_segmentation(order, lambda step, figures: print(variant, step, figures, flush=True), print)


def score_variant(of: Ablation, variant: str) -> Iterator[Scored]:
    """DSC of each organ of each validation patient; one that nobody contoured, or that is not there, has no row.

    Raises InputError if the run has not come to its end: parts of a schedule cannot be compared.
    """
    run = of.work / variant
    step, segmenter = last_segmenter(run, of.threads)
    cases = read_pack(of.pack).cases
    for case in (case for case in cases if case.split == "validation"):
        there = resident(case, segmenter.compute.device)
        shares = there.organs.float() / SHARES
        logits = segment_logits(there.ct[None].float(), segmenter)[0]
        found = dice_on_grid(logits, shares, there.contoured.tolist(), there.known.tolist())
        for organ, dsc, truth in zip(segmenter.organs, found, shares, strict=True):
            if dsc is not None and bool((truth >= 0.5).any()):
                yield Scored(variant, step, case.name, organ, dsc)


def last_segmenter(run: Path, threads: int | None) -> tuple[int, Segmenter]:
    """The step and the averaged weights of a run that has come to its end, in float32 wherever it was trained.

    Raises InputError if it has not.
    """
    if not (run / "system.yaml").is_file():
        raise InputError(f"there is no run in {run}; train it first, or bring its folder here")
    system, task = read_system(str(run / "system.yaml")), read_task(str(run / "task.yaml"))
    last, steps, part = Run(run).last(), system.segmentation.schedule.steps, system.segmentation
    if last is None or last.step < steps:
        raise InputError(f"{run} is at step {last.step if last else 0} of {steps}; go on training it first")
    compute = replace(choose_compute(threads), precision=torch.float32)
    net = system.segmenter.build(inputs=len(system.windows_hu), outputs=len(task.organs))
    load_named({"average": net}, last.weights)
    net = net.requires_grad_(False).to(compute.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return last.step, Segmenter(net, task.organs, system.windows_hu, part.sampling.patch, part.overlap, compute)


def write_rows(rows: Iterable[Scored], file: Path) -> None:
    """The figures behind the table, one row per variant, patient and organ."""
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, [field.name for field in fields(Scored)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(file: Path) -> list[Scored]:
    """The inverse of ``write_rows``."""
    with file.open(newline="") as handle:
        return [
            Scored(row["variant"], int(row["step"]), row["patient"], row["organ"], float(row["dsc"]))
            for row in csv.DictReader(handle)
        ]


def page(rows: Sequence[Scored]) -> str:
    """The comparison in Markdown: words that define the figures, then the table."""
    steps = sorted({row.step for row in rows})
    patients = len({row.patient for row in rows})
    words = (
        f"Each network was trained for {' and '.join(map(str, steps))} steps, one of {SHARE} parts of the schedule, on the same "
        f"patients from the same seed. DSC is that of the averaged weights of the last step, on the working grid, over "
        f"{patients} validation patients (n: those in whom the organ was contoured; a miss counts as 0). Differences are the "
        f"variant less {BASE}, paired by patient, with 95 % intervals: of the mean by bootstrap over patients (BCa, 10 000), of "
        "the median by Hodges-Lehmann; r is the matched-pairs rank-biserial correlation, p that of the Wilcoxon signed-rank "
        "test, corrected over the organs by Holm. One training each: what another seed would change is in no interval."
    )
    return f"{words}\n\n{table(rows)}"


def table(rows: Sequence[Scored]) -> str:
    """Every other variant against BASE, organ by organ, and the mean over organs."""
    lines = [
        f"| variant | organ | n | {BASE} | variant's | mean difference (95 %) | median difference (95 %) | r | p (Holm) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    organs = list(dict.fromkeys(row.organ for row in rows))
    for variant in (name for name in dict.fromkeys(row.variant for row in rows) if name != BASE):
        base, other = _figures(rows, BASE, organs), _figures(rows, variant, organs)
        known = [~np.isnan(base[:, k]) & ~np.isnan(other[:, k]) for k in range(len(organs))]
        compared = [paired((other - base)[there, k]) for k, there in enumerate(known)]
        for k, (organ, figures, p) in enumerate(zip(organs, compared, holm([c.p for c in compared]), strict=True)):
            means = f"{base[known[k], k].mean():.3f} | {other[known[k], k].mean():.3f}"
            lines.append(f"| {variant} | {organ} | {figures.n} | {means} | {_differences(figures)} | {_p(p)} |")
        both = f"{_mean_over_organs(base):.3f} | {_mean_over_organs(other):.3f}"
        over = _mean_over_organs(other - base)
        interval = _interval(bootstrap_interval(other - base, figure=_mean_over_organs))
        lines.append(f"| {variant} | mean over organs | {len(base)} | {both} | {over:+.3f} {interval} | | | |")
    return "\n".join(lines)


def _figures(rows: Sequence[Scored], variant: str, organs: Sequence[str]) -> NDArray[np.float64]:
    """(patients, organs) DSC of a variant, NaN where there is none; the patients of all variants, in one order."""
    found = {(row.patient, row.organ): row.dsc for row in rows if row.variant == variant}
    patients = dict.fromkeys(row.patient for row in rows)
    return np.array([[found.get((patient, organ), np.nan) for organ in organs] for patient in patients])


def _mean_over_organs(figures: NDArray[np.float64]) -> float:
    """(patients, organs) -> mean over organs of each organ's mean over the patients that have a figure."""
    there = ~np.isnan(figures)
    shown = there.any(axis=0)
    return float((np.where(there, figures, 0).sum(axis=0)[shown] / there.sum(axis=0)[shown]).mean())


def _differences(figures: Paired) -> str:
    mean = f"{figures.mean:+.3f} {_interval(figures.mean_interval)}"
    median = f"{figures.median:+.3f} {_interval(figures.median_interval)}"
    return f"{mean} | {median} | {figures.effect:+.2f}"


def _interval(interval: Interval | None) -> str:
    return "(too few)" if interval is None else f"({interval[0]:+.3f} to {interval[1]:+.3f})"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "score"))
    parser.add_argument("pack", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--system", default="ct_only", help="system that ships, or a YAML file")
    parser.add_argument("--task", default="head_neck", help="task that ships, or a YAML file")
    parser.add_argument("--size", default="small", choices=("tiny", "small", "full"))
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="train only these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    of = Ablation(asked.pack, asked.work, asked.system, asked.task, asked.size, asked.seed, asked.threads)
    if asked.what == "train":
        for variant in asked.variants:
            train_variant(of, variant)
        return
    rows = [row for variant in VARIANTS for row in score_variant(of, variant)]
    write_rows(rows, of.work / ROWS)
    (of.work / PAGE).write_text(page(rows) + "\n", encoding="utf-8")
    print(page(rows))


if __name__ == "__main__":
    main()
