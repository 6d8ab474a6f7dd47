"""Plumbing tried on limbs: a segmenter of the gross tumour volume on CT, synthetic MR, both, and the real MR.

    python pipelines/limb_gtv.py SET WORK --translator MODEL_DIR [--inputs ct smr ct+smr mr] [--steps 1500] [--budget 30m]

SET is sts_ct_mr, whose scans end 5 cm around the tumour: where it lies in the picture tells nearly all. So every scan is
cut anew, by up to 40 mm from each side, several times, in training and in scoring; what is left of that knowledge is the row of a
predictor that sees no image at all. No model comes of it: tumours are no organs, and thirty people are few.
WORK then holds gtv.csv and gtv.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from limb_cases import GTV, limb_case, rows
from numpy.typing import NDArray
from synthetic_figures import mean_and_spread, write_rows

from rtseg.cli.terminal import seconds
from rtseg.data import PackedCase, PackPlan
from rtseg.data.pack import BYTES, SHARES, pack_case
from rtseg.data.splits import TEST
from rtseg.metrics.paired import bootstrap_interval
from rtseg.nets import DAUNet
from rtseg.segmentation.inference import Segmenter, dice_on_grid, segment_logits
from rtseg.segmentation.loss import Positives
from rtseg.segmentation.train import Training, configuration, train
from rtseg.synthesis.inference import Translator, translated
from rtseg.synthesis.scans import ct_image
from rtseg.systems import TranslatorBundle, bundle_folder, load_translator, read_task
from rtseg.training import Augmentation, Compute, Run, Sampling, Schedule, choose_compute, load_named, scaled

Inputs = Literal["ct", "smr", "ct+smr", "mr"]
ALL: tuple[Inputs, ...] = ("ct", "smr", "ct+smr", "mr")

CUT_MM = 40.0
"""Up to so much is cut from each side; the tumour begins 50 mm from it."""

COPIES = 6
"""Cuts of each scan."""

GRID = 16
"""Cells along each axis in which the predictor without an image learns where tumours lie."""

WINDOWS = ((-1000.0, 1500.0), (-160.0, 240.0))


def training(inputs: Inputs, steps: int) -> Training:
    """The same for every input but for what is seen."""
    return Training(
        organs=(GTV,),
        mirrored=(0,),
        windows_hu=WINDOWS if inputs in ("ct", "ct+smr") else (),
        network=DAUNet((2, 2, 2), (32, 64, 96), 16),
        sampling=Sampling((32, 48, 48), 2, 0.5),
        augmentation=Augmentation(turn_deg=6.0, scale=0.06, mirror=0.5, hu_shift=8.0, hu_scale=0.02, noise_hu=10.0),
        positives=Positives(20000.0, 30.0, steps // 4),
        schedule=Schedule(steps=steps, rate=1.5e-3, validate_every=steps, log_every=20),
        sees_mr=inputs != "ct",
    )


def with_mr(case: PackedCase, inputs: Inputs, translator: Translator) -> PackedCase:
    """The case with what a segmenter of these inputs sees as MR in the place of its MR."""
    if inputs in ("ct", "mr"):
        return case
    image = translated(ct_image(case.ct, case.body)[None], translator)[0, 0].numpy()
    inside = np.where(case.body, image, np.float32(-1.0))
    return replace(case, mr=np.rint((np.clip(inside, -1, 1) + 1) * (BYTES / 2)).astype(np.uint8))


def cut_anew(case: PackedCase, spacing_mm: Sequence[float], number: int) -> PackedCase:
    """The case with up to CUT_MM taken from each side, by chance; slices too."""
    random = np.random.default_rng((number, *case.name.encode()))
    sides = []
    for size, spacing in zip(case.ct.shape, spacing_mm, strict=True):
        low, high = (int(n) for n in random.integers(0, int(CUT_MM / spacing) + 1, 2))
        sides.append(slice(low, max(low + 8, size - high)))
    box = tuple(sides)
    assert case.mr is not None
    assert case.body is not None
    slices = case.ct[box].shape[0]
    known = np.array([[0, slices]])
    return replace(
        case,
        name=f"{case.name}_{number}",
        ct=case.ct[box],
        organs=case.organs[(slice(None), *box)],
        known=known,
        body=case.body[box],
        mr=case.mr[box],
        mr_valid=None,
    )


class Nowhere:
    """A predictor that sees no image: where tumours lay in the cut scans of the training, on a grid of the picture's own size."""

    def __init__(self, cases: Sequence[PackedCase]) -> None:
        self.map = np.mean([self._small(case.organs[0] / SHARES) for case in cases], axis=0)
        scores = [(np.mean([self.score(case, limit) for case in cases]), limit) for limit in np.arange(0.1, 0.9, 0.05)]
        self.limit = float(max(scores)[1])

    def score(self, case: PackedCase, limit: float | None = None) -> float:
        """DSC."""
        index = np.ix_(*(np.minimum(np.arange(n) * GRID // n, GRID - 1) for n in case.ct.shape))
        seen, truth = self.map[index] > (self.limit if limit is None else limit), case.organs[0] >= SHARES / 2
        return float(2 * (seen & truth).sum() / max(1, seen.sum() + truth.sum()))

    @staticmethod
    def _small(share: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = torch.from_numpy(share)[None, None]
        small: NDArray[np.float64] = torch.nn.functional.adaptive_avg_pool3d(whole, (GRID, GRID, GRID))[0, 0].numpy()
        return small


def scores(run: Path, how: Training, cases: Sequence[PackedCase], compute: Compute) -> list[float]:
    """DSC of the averaged weights of the run's last step."""
    last = Run(run).last()
    assert last is not None
    net = how.network.build(inputs=how.channels, outputs=1)
    load_named({"average": net}, last.weights)
    segmenter = Segmenter(net, how.organs, how.windows_hu, how.sampling.patch, how.overlap, compute, how.sees_mr)
    found = []
    for case in cases:
        assert case.mr is not None
        smr = scaled(torch.from_numpy(case.mr))[None, None] if how.sees_mr else None
        logits = segment_logits(torch.from_numpy(case.ct)[None, None].float(), segmenter, smr)[0]
        (value,) = dice_on_grid(logits, torch.from_numpy(case.organs).float() / SHARES, [True], case.known.tolist())
        found.append(value or 0.0)
    return found


def table_of(found: Mapping[str, Sequence[float]], patients: Sequence[str]) -> str:
    """Mean over patients of the mean over their cuts, with a bootstrap interval over patients."""
    lines = ["| seen | DSC | 95 % interval |", "|---|---|---|"]
    for seen, values in found.items():
        each = [
            float(np.mean([v for v, p in zip(values, patients, strict=True) if p == person]))
            for person in dict.fromkeys(patients)
        ]
        interval = bootstrap_interval(np.array(each))
        words = "-" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"
        lines.append(f"| {seen} | {mean_and_spread(each, 2)} | {words} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--translator", type=Path, required=True)
    parser.add_argument("--inputs", nargs="+", choices=ALL, default=list(ALL))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--budget", help="of each training, as in 30m")
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    compute, task = choose_compute(asked.threads), read_task("limb")
    plan = PackPlan((GTV,), (), task.preparation)
    model = load_translator(bundle_folder(str(asked.translator)), compute)
    people = [row for row in rows() if row.person != "STS_019"]  # its CT and MR do not lie on each other
    packed = {row: pack_case(limb_case(asked.set / "cases" / row.person, row, with_gtv=True), row.split, plan) for row in people}
    found: dict[str, list[float]] = {}
    for inputs in asked.inputs:
        seen = {row: with_mr(case, inputs, model.translator) for row, case in packed.items()}
        cut = {row: [cut_anew(case, task.preparation.spacing_mm, n) for n in range(COPIES)] for row, case in seen.items()}
        learn = [replace(case, split="train") for row, copies in cut.items() if row.split != TEST for case in copies]
        judge = [(row.person, case) for row, copies in cut.items() if row.split == TEST for case in copies]
        patients = [person for person, _ in judge]
        if not found:
            nowhere = Nowhere(learn)
            found["no image"] = [nowhere.score(case) for _, case in judge]
        found[inputs] = trained(asked, inputs, learn, [case for _, case in judge], compute, model)
        lines = [
            {"seen": name, "patient": person, "dsc": value}
            for name, values in found.items()
            for person, value in zip(patients, values, strict=True)
        ]
        write_rows(lines, asked.work / "gtv.csv")
        (asked.work / "gtv.md").write_text(table_of(found, patients) + "\n")
    print((asked.work / "gtv.md").read_text())


def trained(
    asked: argparse.Namespace,
    inputs: Inputs,
    learn: Sequence[PackedCase],
    judge: Sequence[PackedCase],
    compute: Compute,
    model: TranslatorBundle,
) -> list[float]:
    """Train one input until its schedule or the budget ends, and score it."""
    how, run = training(inputs, asked.steps), asked.work / f"run_{inputs.replace('+', '_')}"
    budget_s = None if asked.budget is None else seconds(asked.budget)
    smrs = {case.name: case.mr for case in learn if case.mr is not None} if how.sees_mr else None
    told = configuration(how, f"limb_gtv {COPIES} cuts", None, model.sha256 if "smr" in inputs else None)
    with Run.open(run, told, budget_s) as opened:
        in_its = opened.in_its_precision(compute)
        train(how, learn, opened, in_its, lambda step, shown: print(inputs, step, shown, flush=True), None, smrs)
    return scores(run, how, judge, compute)


if __name__ == "__main__":
    main()
