"""The model `male_pelvis`, from nothing: men are simulated, scanned, learnt from, and others are contoured.

    python pipelines/male_pelvis.py WORK [--men 20 66 10 40] [--translators dong2019 dong2019_gc] [--through dong2019]
                                         [--inputs ct smr ct+smr mr] [--size full] [--more 150] [--budget 1h]
                                         [--bundle DIR --version 0.1]

Men are four groups: translators learn from the first, segmenters from the second (no translator saw them), the third is watched,
and the fourth, from a population that training never saw, judges. A segmenter of CTs is trained first; then one for each input
begins with its weights and goes on for --more steps: on CT, on the synthetic MR of --through, on both, and on the simulated MR
itself, which a clinic without MR has not. WORK then holds translators.md, on_grid.md and evaluation/ (test men through DICOM).
What is there already is used again, a model in WORK/models too, and trainings go on from their last checkpoints; without test men
nobody is judged. **All figures are of simulated men.**
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from benchmark import contour_patients, judge, means, paired, write_patients
from shipping import hours, make_anew, processor
from synthetic_figures import EDGES, edges, mean_and_spread, write_rows

from rtseg.cli.terminal import seconds
from rtseg.core import Geometry, Mask, Volume
from rtseg.data import PackedCase, find_cases, read_pack
from rtseg.data.pack import BYTES
from rtseg.imaging import Prepared
from rtseg.jobs.evaluate import Evaluation
from rtseg.jobs.evaluate_tables import TABLE, table
from rtseg.jobs.make_bundle import BundleOrder, make_bundle
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.simulate import SimulateOrder, simulate
from rtseg.jobs.train_segmentation import TrainOrder, start_from, train_segmentation
from rtseg.jobs.train_synthesis import SynthesisOrder, train_synthesis
from rtseg.segmentation.loss import Positives
from rtseg.segmentation.train import configuration, train
from rtseg.synthesis.inference import translated
from rtseg.synthesis.scans import ct_image
from rtseg.systems import (
    System,
    TranslatorBundle,
    load_bundle,
    load_translator,
    read_system,
    read_task,
    write_card,
    write_yaml,
)
from rtseg.training import Run, choose_compute
from rtseg.training.run import LOG

SITE = TASK = "male_pelvis"
SYSTEM = "dong2019_gc"
"""Whose segmenter is trained."""

GROUPS = ("translator", "train", "validation", "test")
SEEDS = {"translator": 4, "train": 1, "validation": 2, "test": 3}
CARD = Path(__file__).with_name("male_pelvis_card.md")
WINDOWS = ((-1000.0, 1500.0), (-160.0, 240.0))

Seen = Literal["ct", "smr", "ct+smr", "mr"]
ALL: tuple[Seen, ...] = ("ct", "smr", "ct+smr", "mr")

FINE_RATE = 4e-4

ITSELF = "simulated MR itself"


def men(asked: argparse.Namespace, group: str) -> Path:
    """Simulate who of a group is not there yet; the folder that holds them."""
    n, seed = dict(zip(GROUPS, asked.men, strict=True))[group], SEEDS[group]
    folder = asked.work / {"translator": "men_of_translator/train", "test": "test/test"}.get(group, f"men/{group}")
    there = len(list(folder.glob(f"{SITE}_*"))) if folder.is_dir() else 0
    if there < n:
        population = f"{SITE}_held_out" if group == "test" else SITE
        simulate(
            SimulateOrder(SITE, folder, n - there, there + 1, seed, population=population, workers=asked.workers), print, print
        )
    return Path(folder.parent)


def packed(asked: argparse.Namespace) -> tuple[Path, Path]:
    """Packs of the men of translators and of those of segmenters."""
    for_translators, for_segmenters = asked.work / "pack_translator", asked.work / "pack"
    if not for_translators.is_dir():
        pack_data(men(asked, "translator"), for_translators, TASK, print, print)
    if not for_segmenters.is_dir():
        men(asked, "train")
        pack_data(men(asked, "validation"), for_segmenters, TASK, print, print)
    return for_translators, for_segmenters


def translator(asked: argparse.Namespace, system: str, pack: Path) -> TranslatorBundle:
    """Train a translator until its schedule or the budget ends."""
    run, model = asked.work / system, asked.work / "models" / system
    if model.is_dir():
        return load_translator(model, choose_compute(asked.threads))
    size = "tiny" if asked.size == "tiny" else "small"  # what two cores translate with in seconds
    order = SynthesisOrder(system, TASK, pack, run, size, budget_s=asked.budget_s, threads=asked.threads)
    train_synthesis(order, lambda step, shown: print(step, dict(shown), flush=True), print)
    return load_translator(make_bundle(BundleOrder(run, model, system)), choose_compute(asked.threads))


def seeing(inputs: Seen, size: str, more: int | None) -> System:
    """The system whose segmenter sees these inputs; ``more``: for so many steps, after the schedule."""
    whole = read_system(SYSTEM).at_size(size)  # type: ignore[arg-type]
    part = whole.segmentation
    assert part is not None
    if more is not None:
        schedule = replace(part.schedule, steps=more, warmup=min(50, more // 4), validate_every=more, rate=FINE_RATE, ema=0.99)
        part = part.model_copy(update={"schedule": schedule, "positives": Positives(ceiling=1.0)})
    sees_ct = inputs in ("ct", "ct+smr")
    named = "smr" if inputs == "mr" else inputs
    return whole.model_copy(update={"inputs": named, "windows_hu": WINDOWS if sees_ct else (), "segmentation": part})


def segmenter(asked: argparse.Namespace, inputs: Seen, name: str, pack: Path, start: Path | None = None) -> Path:
    """Train a segmenter of these inputs; the folder of its bundle."""
    model = Path(asked.work / "models" / name)
    if model.is_dir():
        return model
    write_yaml(seeing(inputs, asked.size, None if start is None else asked.more), asked.work / f"{name}.yaml")
    order = TrainOrder(
        system=str(asked.work / f"{name}.yaml"),
        task=TASK,
        data=pack,
        run=asked.work / f"run_{name}",
        size=asked.size,
        budget_s=asked.budget_s,
        threads=asked.threads,
        start=None if start is None else str(start),
        translator=None if inputs == "ct" else str(asked.work / "models" / asked.through),
    )
    train_segmentation(order, lambda step, shown: print(name, step, shown, flush=True), print, print)
    return make_bundle(BundleOrder(order.run, model, name, asked.version, weights="last"))


def of_true_mr(asked: argparse.Namespace, pack: Path, start: Path) -> None:
    """Train a segmenter on the men's own simulated MRs: no bundle comes of it, a planning CT has none."""
    system, task, data = seeing("mr", asked.size, asked.more), read_task(TASK), read_pack(pack)
    how, begun = system.training(task), start_from(str(start), system, task)
    with Run.open(asked.work / "run_mr", configuration(how, data.fingerprint, begun), asked.budget_s) as run:
        own = {case.name: case.mr for case in data.cases if case.mr is not None}
        compute = run.in_its_precision(choose_compute(asked.threads))
        train(how, data.cases, run, compute, lambda step, shown: print("mr", step, shown, flush=True), begun, own)


def moved_and_like(asked: argparse.Namespace, models: Mapping[str, TranslatorBundle], men_watched: Sequence[PackedCase]) -> None:
    """Edges of the synthetic MRs against the CT's, and what they differ by from the simulated MR: table and rows."""
    rows: list[dict[str, object]] = []
    for case in men_watched:
        assert case.mr is not None
        assert case.body is not None
        true = case.mr.astype(np.float32) * 2 / BYTES - 1
        inside = case.body if case.mr_valid is None else case.body & case.mr_valid
        for name, model in models.items():
            smr = translated(ct_image(case.ct, case.body)[None], model.translator)[0, 0].numpy()
            off = float(np.abs(smr - true)[inside].mean() / 2)
            rows.append({"image": name, "man": case.name, "mae": off, **edges(prepared(case), smr)})
        rows.append({"image": ITSELF, "man": case.name, **edges(prepared(case), true)})
    write_rows(rows, asked.work / "translators.csv")
    lines = ["| image | MAE, share of the range | skin, mm | bone, mm |", "|---|---|---|---|"]
    for name in (*models, ITSELF):
        own = [row for row in rows if row["image"] == name]
        cells = [mean_and_spread([row.get(key) for row in own], 3 if key == "mae" else 2) for key in ("mae", *EDGES)]  # type: ignore[misc]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    (asked.work / "translators.md").write_text("\n".join(lines) + "\n")


def prepared(case: PackedCase) -> Prepared:
    """A packed case as inference has it; its place in the patient is not kept."""
    assert case.body is not None
    a, b, c = case.ct.shape
    grid = Geometry.regular((a, b, c), read_task(TASK).preparation.spacing_mm)
    return Prepared(Volume(case.ct.astype(np.float32), grid), Mask(case.body, grid), grid, Mask(np.zeros_like(case.body), grid))


def on_grid(asked: argparse.Namespace) -> None:
    """DSC of every input on the working grid of the men who are watched, where the simulated MR can be seen too; no weights were
    chosen by it.
    """
    organs = read_task(TASK).organs
    lines = ["| seen | " + " | ".join(organs) + " | mean |", "|---" * (len(organs) + 2) + "|"]
    for inputs in asked.inputs:
        run = asked.work / ("run_ct_more" if inputs == "ct" else f"run_{inputs.replace('+', '_')}")
        logged = [json.loads(line) for line in (run / LOG).read_text(encoding="utf-8").splitlines()]
        last = [line for line in logged if "dsc/mean" in line][-1]
        lines.append(f"| {inputs} | " + " | ".join(f"{last.get(f'dsc/{organ}', 0):.3f}" for organ in (*organs, "mean")) + " |")
    (asked.work / "on_grid.md").write_text("\n".join(lines) + "\n")


def judged(asked: argparse.Namespace, bundles: Sequence[Path]) -> Evaluation:
    """Each model on the test men, through DICOM."""
    if not (asked.work / "ct").is_dir():
        write_patients((case.read() for case in find_cases(asked.work / "test")), asked.work)
    models = {f"with_{folder.name}": load_bundle(folder, choose_compute(asked.threads)) for folder in bundles}
    for label, model in models.items():
        contour_patients(model, asked.work, asked.work / label)
    return judge(models, asked.work)


def ship(asked: argparse.Namespace, evaluation: Evaluation) -> None:
    """The model that sees CT and synthetic MR, with its card."""
    run = asked.work / "run_ct_smr"
    make_anew(BundleOrder(run, asked.bundle, asked.bundle.name, asked.version, "last"))
    model = load_bundle(asked.bundle, choose_compute(asked.threads))
    card = CARD.read_text(encoding="utf-8").format(
        name=model.about.name,
        version=model.about.version,
        step=model.about.step,
        through=asked.through,
        hours=hours(run),
        hardware=asked.hardware or f"{processor()}, {model.segmenter.compute.words}",
        men=asked.men,
        table=table(evaluation.summaries["with_ct_smr"]),
        means=means(evaluation),
        comparison=paired(asked.work),
    )
    write_card(asked.bundle, card)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--men", type=int, nargs=4, default=[20, 66, 10, 40], metavar=tuple(name.upper() for name in GROUPS))
    parser.add_argument("--translators", nargs="+", default=["dong2019", "dong2019_gc"], help="systems")
    parser.add_argument("--through", default="dong2019", help="the translator whose synthetic MRs are seen")
    parser.add_argument("--inputs", nargs="+", choices=ALL, default=list(ALL))
    parser.add_argument("--size", choices=("tiny", "small", "full"), default="full", help="of the segmenters")
    parser.add_argument("--more", type=int, default=150, help="steps of each input after those on CT alone")
    parser.add_argument("--budget", help="of each training, as in 1h")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bundle", type=Path, help="folder for the model that sees CT and synthetic MR; one there is replaced")
    parser.add_argument("--version", default="0.1")
    parser.add_argument("--hardware", help="what the trainings ran on, for the card; this machine if not given")
    asked = parser.parse_args()
    asked.budget_s = None if asked.budget is None else seconds(asked.budget)
    for_translators, pack = packed(asked)
    models = {system: translator(asked, system, for_translators) for system in asked.translators}
    moved_and_like(asked, models, [case for case in read_pack(pack).cases if case.split == "validation"])
    print((asked.work / "translators.md").read_text())
    first = segmenter(asked, "ct", "ct", pack)
    bundles = []
    for inputs in asked.inputs:
        if inputs == "mr":
            of_true_mr(asked, pack, first)
        else:
            name = "ct_more" if inputs == "ct" else inputs.replace("+", "_")
            bundles.append(segmenter(asked, inputs, name, pack, first))
    on_grid(asked)
    print((asked.work / "on_grid.md").read_text())
    if asked.men[-1]:
        men(asked, "test")
        evaluation = judged(asked, bundles)
        print((asked.work / "evaluation" / TABLE).read_text(encoding="utf-8"))
        if asked.bundle:
            ship(asked, evaluation)


if __name__ == "__main__":
    main()
