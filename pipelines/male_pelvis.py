"""The model `male_pelvis`, from nothing: men are simulated, scanned, learnt from, and others are contoured.

    python pipelines/male_pelvis.py WORK [--men 60 10 40] [--translator dong2019] [--inputs ct smr ct+smr] [--size small]
                                         [--budget 1h] [--workers 2]

WORK then holds men/ (train, validation), test/ (from a population that training never saw), pack/, a run for the translator, one
for each input, and evaluation/: DSC, HD95 and paired statistics on the test men, each contoured through DICOM. What is there
already is used again, trainings go on from their last checkpoints; without test men nothing is judged. **All figures are of
simulated men.**
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmark import contour_patients, judge, write_patients

from rtseg.cli.terminal import seconds
from rtseg.data import find_cases
from rtseg.jobs.evaluate_tables import TABLE
from rtseg.jobs.make_bundle import BundleOrder, make_bundle
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.simulate import SimulateOrder, simulate
from rtseg.jobs.train_segmentation import TrainOrder, train_segmentation
from rtseg.jobs.train_synthesis import SynthesisOrder, train_synthesis
from rtseg.systems import System, load_bundle, read_system, write_yaml
from rtseg.systems.system import Inputs
from rtseg.training import choose_compute

SITE = TASK = "male_pelvis"
SEEDS = {"train": 1, "validation": 2, "test": 3}
POPULATIONS = {"train": SITE, "validation": SITE, "test": f"{SITE}_held_out"}
WINDOWS = ((-1000.0, 1500.0), (-160.0, 240.0))
ALL: tuple[Inputs, ...] = ("ct", "smr", "ct+smr")


def men(asked: argparse.Namespace) -> None:
    """Simulate who is not there yet."""
    for (split, seed), n in zip(SEEDS.items(), asked.men, strict=True):
        folder = asked.work / ("test" if split == "test" else "men") / split
        there = len(list(folder.glob(f"{SITE}_*"))) if folder.is_dir() else 0
        if there < n:
            order = SimulateOrder(SITE, folder, n - there, there + 1, seed, population=POPULATIONS[split], workers=asked.workers)
            simulate(order, print, print)


def translator(asked: argparse.Namespace) -> Path:
    """Train the translator until its schedule or the budget ends; the folder of its bundle."""
    run, model = asked.work / asked.translator, asked.work / "models" / asked.translator
    order = SynthesisOrder(
        asked.translator, TASK, asked.work / "pack", run, asked.size, budget_s=asked.budget_s, threads=asked.threads
    )
    train_synthesis(order, lambda step, shown: print(step, dict(shown), flush=True), print)
    shutil.rmtree(model, ignore_errors=True)
    return make_bundle(BundleOrder(run, model, asked.translator))


def seeing(inputs: Inputs, system: System) -> System:
    """The system whose segmenter sees these inputs."""
    return system.model_copy(update={"inputs": inputs, "windows_hu": () if inputs == "smr" else WINDOWS})


def segmenter(asked: argparse.Namespace, inputs: Inputs, made_by: Path) -> Path:
    """Train a segmenter of these inputs; the folder of its bundle."""
    name = inputs.replace("+", "_")
    write_yaml(seeing(inputs, read_system(asked.translator).at_size(asked.size)), asked.work / f"{name}.yaml")
    order = TrainOrder(
        system=str(asked.work / f"{name}.yaml"),
        task=TASK,
        data=asked.work / "pack",
        run=asked.work / f"run_{name}",
        size=asked.size,
        budget_s=asked.budget_s,
        threads=asked.threads,
        translator=None if inputs == "ct" else str(made_by),
    )
    train_segmentation(order, lambda step, shown: print(name, step, shown, flush=True), print, print)
    shutil.rmtree(asked.work / "models" / name, ignore_errors=True)
    return make_bundle(BundleOrder(order.run, asked.work / "models" / name, name, weights="last"))


def judged(asked: argparse.Namespace, bundles: Sequence[Path]) -> str:
    """Each model on the test men, through DICOM: the table."""
    write_patients((case.read() for case in find_cases(asked.work / "test")), asked.work)
    models = {f"with_{folder.name}": load_bundle(folder, choose_compute(asked.threads)) for folder in bundles}
    for label, model in models.items():
        contour_patients(model, asked.work, asked.work / label)
    judge(models, asked.work)
    return (asked.work / "evaluation" / TABLE).read_text(encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--men", type=int, nargs=3, default=[60, 10, 40], metavar=("TRAIN", "VALIDATION", "TEST"))
    parser.add_argument("--translator", default="dong2019", help="system")
    parser.add_argument("--inputs", nargs="+", choices=ALL, default=list(ALL))
    parser.add_argument("--size", choices=("tiny", "small", "full"), default="small")
    parser.add_argument("--budget", help="of each training, as in 1h")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    asked.budget_s = None if asked.budget is None else seconds(asked.budget)
    men(asked)
    if not (asked.work / "pack").is_dir():
        pack_data(asked.work / "men", asked.work / "pack", TASK, print, print)
    made_by = translator(asked)
    bundles = [segmenter(asked, inputs, made_by) for inputs in asked.inputs]
    if asked.men[-1]:
        print(judged(asked, bundles))


if __name__ == "__main__":
    main()
