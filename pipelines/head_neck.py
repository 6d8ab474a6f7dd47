"""How the model `head_neck` is made: pack, train, bundle, judge on the validation patients through DICOM, write the card.

    python pipelines/head_neck.py CASES WORK --bundle DIR --version 0.1 [--budget 2h] [--others CT.nii.gz ...]
                                  [--ablation WORK/ablation/ablation.csv]

CASES is the OpenKBP tree with index.csv (docs/cases.md). Packing is skipped if WORK has it, training goes on from its last
checkpoint; bundle, judging and card are made anew each time, and the bundle at DIR is replaced. The ablation is made by
pipelines/ablation.py; without its rows the card says that there is none.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmark import Found, contour_patients, judge, write_patients
from head_neck_card import ablated, card, contours, judged, write_rows
from shipping import hours, make_anew, processor

from rtseg.cli.terminal import seconds
from rtseg.data import find_cases
from rtseg.jobs.contour import contour
from rtseg.jobs.evaluate_tables import table
from rtseg.jobs.make_bundle import BundleOrder
from rtseg.jobs.nifti_ct import read_nifti_ct
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.train_segmentation import TrainOrder, train_segmentation
from rtseg.segmentation.confidence import calibrated
from rtseg.systems import Bundle, load_bundle, write_calibration, write_card
from rtseg.training import choose_compute

WRONG_REGION = "wrong_region"


def told_apart(others: Sequence[Path], found: Sequence[Found], model: Bundle) -> str:
    """How often the finding ``wrong_region`` came on scans of other regions and on the validation patients, in words."""
    patients = {one.patient for one in found}
    false = {one.patient for one in found if WRONG_REGION in one.findings.split()}
    words = f"on {len(false)} of the {len(patients)} validation patients"
    if not others:
        return words
    noticed = 0
    for file in others:
        findings = contour(read_nifti_ct(file), model).findings
        noticed += any(finding.kind == WRONG_REGION for finding in findings)
        print(file.parent.name, file.name, sorted({finding.kind for finding in findings}), flush=True)
    sets = ", ".join(sorted({file.parent.name for file in others}))
    return f"on {noticed} of {len(others)} scans of other regions ({sets}), {words}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--bundle", type=Path, required=True, help="folder of the bundle; one that is there is replaced")
    parser.add_argument("--version", required=True)
    parser.add_argument("--system", default="ct_only", help="system that ships, or a YAML file, with a schedule of one's own say")
    parser.add_argument("--size", default="small", choices=("tiny", "small", "full"))
    parser.add_argument("--hardware", help="what the run was trained on, for the card, if not this machine")
    parser.add_argument("--run", default="head_neck", help="name of the run folder in WORK")
    parser.add_argument("--trained", action="store_true", help="the run was trained elsewhere or is as it should be: no training")
    parser.add_argument("--budget", help="end the training cleanly after this time, as in 2h")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="CTs of other regions: is that noticed?")
    parser.add_argument("--ablation", type=Path, help="rows written by pipelines/ablation.py")
    return parser.parse_args()


def train(asked: argparse.Namespace, packed: Path, run: Path) -> None:
    """Pack the cases unless they are, and train until the schedule or the budget ends."""
    if not packed.is_dir():
        pack_data(asked.cases, packed, "head_neck", print, print)
    budget = None if asked.budget is None else seconds(asked.budget)
    order = TrainOrder(asked.system, "head_neck", packed, run, asked.size, budget, asked.threads)
    train_segmentation(order, lambda step, figures: print(step, figures, flush=True), print)


def main() -> None:
    asked = arguments()
    packed, run = asked.work / "pack_head_neck", asked.work / asked.run
    if not asked.trained:
        train(asked, packed, run)
    make_anew(BundleOrder(run, asked.bundle, asked.bundle.name, asked.version))
    model = load_bundle(asked.bundle, choose_compute(asked.threads))
    write_patients((case.read() for case in find_cases(asked.cases) if case.split == "validation"), asked.work)
    found, _ = contour_patients(model, asked.work, asked.work / asked.bundle.name)
    evaluation = judge({asked.bundle.name: model}, asked.work)
    rows = judged(found, evaluation.scores[asked.bundle.name])
    write_rows(rows, asked.work / f"validation_{asked.version}.csv")
    write_calibration(asked.bundle, calibrated(contours(rows), model.task.redraw_below))
    model = load_bundle(asked.bundle, model.segmenter.compute)
    made = {
        "size": asked.size,
        "hardware": asked.hardware or f"{processor()}, {model.segmenter.compute.words}",
        "hours": hours(run),
        "regions": told_apart(asked.others, found, model),
        "ablation": ablated(asked.ablation),
    }
    write_card(asked.bundle, card(model, evaluation, rows, made))
    print(table(evaluation.summaries[asked.bundle.name]))


if __name__ == "__main__":
    main()
