"""Does synthetic MR help? The same segmenter on CT, on synthetic MR and on both; and the model that sees both.

    python pipelines/head_neck_smr.py CASES WORK --translator MODEL_DIR [--inputs ct smr ct+smr] [--size small] [--steps 4000]
                                      [--start head_neck] [--budget 2h] [--bundle DIR --version 0.1]

CASES is the OpenKBP tree; the translator comes from pipelines/head_translators.py, whose WORK (with its pack) may be the same.
Every input has the same network, data, seed and steps; with --start, all begin with the weights of that model of CTs. A
training goes on from its last checkpoint. Each model contours the validation patients through DICOM; WORK/LABEL/evaluation tells
DSC and HD95 with paired statistics. The translator saw the CTs of the training patients, never an MR of theirs: there is none.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from benchmark import CT, MANUAL, contour_patients, judge, means, paired, write_patients
from shipping import hours, make_anew, processor

from rtseg.cli.terminal import seconds
from rtseg.data import find_cases
from rtseg.jobs.evaluate import Evaluation
from rtseg.jobs.evaluate_tables import TABLE, table
from rtseg.jobs.make_bundle import BundleOrder
from rtseg.jobs.train_segmentation import TrainOrder, train_segmentation
from rtseg.segmentation.loss import Positives
from rtseg.systems import Size, System, bundle_folder, load_bundle, read_system, write_card, write_yaml
from rtseg.systems.system import Inputs
from rtseg.training import choose_compute

SYSTEM, TASK = "dai2021", "head_neck"
ALL: tuple[Inputs, ...] = ("ct", "smr", "ct+smr")
CARD = Path(__file__).with_name("head_neck_smr_card.md")

FINE_TUNED = {"patch": (48, 64, 96), "batch": 2}
"""Patches of a training that begins with a model."""

FINE_RATE, DICE_UNTIL = 4e-4, 0.85

PLAIN = Positives(ceiling=1.0)
"""No organ's voxels count more than others: a weight that has no time to fall to 1 teaches a trained network to draw too much."""


def segmenter_system(inputs: Inputs, size: Size, steps: int, start: str | None) -> System:
    """The system whose segmenter sees these inputs; one that begins with a model has that model's network, at a low rate."""
    whole = read_system(SYSTEM).at_size("full" if start else size)
    part = whole.segmentation
    assert part is not None
    schedule = replace(part.schedule, steps=steps, validate_every=steps, log_every=20)  # the last weights are taken
    changes = {"schedule": schedule}
    if start:
        sampling = replace(part.sampling, **FINE_TUNED)
        augmentation = read_system(SYSTEM).at_size("small").segmentation.augmentation  # type: ignore[union-attr]
        fine = replace(schedule, rate=FINE_RATE, warmup=50, ema=0.995)
        changes = {
            "schedule": fine,
            "sampling": sampling,
            "augmentation": augmentation,
            "dice_until": DICE_UNTIL,
            "positives": PLAIN,
        }
    windows = () if inputs == "smr" else whole.windows_hu
    return whole.model_copy(update={"inputs": inputs, "windows_hu": windows, "segmentation": part.model_copy(update=changes)})


def trained(asked: argparse.Namespace, inputs: Inputs, place: Path) -> Path:
    """Train one input until its schedule or the budget ends; the folder of its bundle."""
    name = inputs.replace("+", "_")
    place.mkdir(parents=True, exist_ok=True)
    write_yaml(segmenter_system(inputs, asked.size, asked.steps, asked.start), place / f"{name}.yaml")
    order = TrainOrder(
        system=str(place / f"{name}.yaml"),
        task=TASK,
        data=asked.work / "pack",
        run=place / f"run_{name}",
        size=asked.size,
        budget_s=None if asked.budget is None else seconds(asked.budget),
        threads=asked.threads,
        start=asked.start,
        translator=None if inputs == "ct" else str(asked.translator),
    )
    if not asked.trained:
        train_segmentation(order, lambda step, shown: print(name, step, shown, flush=True), print, print)
    model = place / "models" / name  # not beside the patients' folder ct
    return make_anew(BundleOrder(order.run, model, name, asked.version, "last"))


def compared(asked: argparse.Namespace, place: Path, bundles: dict[str, Path]) -> Evaluation:
    """Each model on the validation patients, through DICOM."""
    write_patients((case.read() for case in find_cases(asked.cases) if case.split == "validation"), asked.work)
    for shared in (CT, MANUAL):
        if not (place / shared).exists():
            (place / shared).symlink_to((asked.work / shared).resolve())
    models = {}
    for name, bundle in bundles.items():
        models[f"with_{name}"] = load_bundle(bundle_folder(str(bundle)), choose_compute(asked.threads))
        contour_patients(models[f"with_{name}"], place, place / f"with_{name}")
    return judge(models, place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--translator", type=Path, required=True)
    parser.add_argument("--inputs", nargs="+", choices=ALL, default=list(ALL))
    parser.add_argument("--size", choices=("tiny", "small", "full"), default="small")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--start", help="model of CTs that every input begins with")
    parser.add_argument("--label", default="inputs", help="folder in WORK for runs, contours and evaluation")
    parser.add_argument("--budget", help="of each training, as in 2h")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--trained", action="store_true", help="measure the runs as they are")
    parser.add_argument("--bundle", type=Path, help="folder for the model that sees both; one that is there is replaced")
    parser.add_argument("--version", default="0.1")
    parser.add_argument("--hardware", help="what the trainings ran on, for the card; this machine if not given")
    asked = parser.parse_args()
    place = asked.work / asked.label
    bundles = {inputs.replace("+", "_"): trained(asked, inputs, place) for inputs in asked.inputs}
    evaluation = compared(asked, place, bundles)
    print((place / "evaluation" / TABLE).read_text(encoding="utf-8"))
    if asked.bundle:
        ship(asked, place, evaluation)


def ship(asked: argparse.Namespace, place: Path, evaluation: Evaluation) -> None:
    """The model that sees both, with its card."""
    run = place / "run_ct_smr"
    make_anew(BundleOrder(run, asked.bundle, asked.bundle.name, asked.version, "last"))
    model = load_bundle(asked.bundle, choose_compute(asked.threads))
    card = CARD.read_text(encoding="utf-8").format(
        name=model.about.name,
        version=model.about.version,
        step=model.about.step,
        start=asked.start or "weights by chance",
        hours=hours(run),
        hardware=asked.hardware or f"{processor()}, {model.segmenter.compute.words}",
        patients=evaluation.patients,
        table=table(evaluation.summaries["with_ct_smr"]),
        means=means(evaluation),
        comparison=paired(place),
    )
    write_card(asked.bundle, card)


if __name__ == "__main__":
    main()
