"""Translators of the head, trained on CT and T1 MR of different people, and what they do to patients that no training saw.

    python pipelines/head_translators.py CASES MRS WORK [--systems cyclegan anatomy_aware ...] [--models head_neck_smr ...]
                                         [--budget 3h] [--patients 31]

CASES is the OpenKBP tree, MRS the set ixi_head_t1. Trainings go on from their last checkpoints; one that is over is measured
only. Models, which hold no way back and no critics, are measured beside them. WORK then holds translators.csv (one row per
system and patient), translators.md and pictures.png (six patients, the first with the largest bone shift). There is no MR of
these patients: nothing here says that a synthetic MR is right, only what it moves.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from shipping import make_anew
from synthetic_figures import EDGES, edges, mean_and_spread, write_rows
from torch import Tensor

from rtseg.cli.terminal import seconds
from rtseg.core import Geometry, Mask, Volume
from rtseg.data import Packed, PackedCase, PackedMR, read_pack
from rtseg.data.pack import BYTES, SHARES
from rtseg.imaging import Prepared
from rtseg.imaging.intensity import CT_SCALE
from rtseg.jobs.make_bundle import BundleOrder
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.train_synthesis import SynthesisOrder, train_synthesis
from rtseg.segmentation.inference import Segmenter, dice_on_grid, segment_logits
from rtseg.synthesis.images import MR_TO_CT
from rtseg.synthesis.inference import Translator, translated
from rtseg.synthesis.patches import OUTSIDE
from rtseg.synthesis.scans import ct_image
from rtseg.systems import TranslatorBundle, bundle_folder, load_bundle, load_translator, read_task
from rtseg.training import choose_compute
from rtseg.training.run import LOG

TASK = "head_neck"
BINS = 64
LAST_STEPS = 300
"""Critics' accuracy is the mean over the last so many steps."""

PICTURED = 6


@dataclass(frozen=True, eq=False)
class Made:
    """A translator, its way back if it has one, and its name."""

    name: str
    model: TranslatorBundle
    way_back: Translator | None
    critics: dict[str, float]


def trained(asked: argparse.Namespace, name: str, pack: Path) -> Made:
    """Train a system until its schedule or the budget ends, and load it."""
    run, model = asked.work / name, asked.work / "models" / name
    budget_s = None if asked.budget is None else seconds(asked.budget)
    order = SynthesisOrder(name, TASK, pack, run, budget_s=budget_s, threads=asked.threads)
    if not asked.trained:
        train_synthesis(order, lambda step, shown: print(step, dict(shown), flush=True), print)
    make_anew(BundleOrder(run, model, name))
    bundle = load_translator(model, choose_compute(asked.threads))
    return Made(name, bundle, _way_back(run, bundle), _accuracies(run))


def as_it_ships(asked: argparse.Namespace, name: str) -> Made:
    """A model that was trained elsewhere."""
    return Made(name, load_translator(bundle_folder(name), choose_compute(asked.threads)), None, {})


def _way_back(run: Path, bundle: TranslatorBundle) -> Translator | None:
    """The generator from MR to CT as it stood at the last checkpoint; None for a system without."""
    step = json.loads((run / "last.json").read_text())["step"]
    weights = load_file(run / f"step_{step:07d}.safetensors")
    own = {key.removeprefix(f"{MR_TO_CT}."): value for key, value in weights.items() if key.startswith(f"{MR_TO_CT}.")}
    if not own or bundle.system.translator is None:
        return None
    net = bundle.system.translator.generator.build()
    net.load_state_dict(own)
    there = bundle.translator
    return Translator(net.to(memory_format=torch.channels_last_3d), there.multiple, there.scale, there.compute)  # type: ignore[call-overload]


def _accuracies(run: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in (run / LOG).read_text().splitlines()]
    late = [line for line in lines if line["step"] > lines[-1]["step"] - LAST_STEPS]
    names = [name for name in late[-1] if name.endswith("_accuracy")]
    return {name.removesuffix("_accuracy"): float(np.mean([line[name] for line in late if name in line])) for name in names}


def synthetic(case: PackedCase, translator: Translator) -> NDArray[np.float32]:
    """The case's synthetic MR, -1 to 1, blank outside of the body."""
    made = translated(ct_image(case.ct, case.body)[None], translator)[0, 0].numpy()
    return made if case.body is None else np.where(case.body, made, np.float32(OUTSIDE))


def measured(case: PackedCase, made: Made, probe: Segmenter, real: Mapping[str, NDArray[np.float64]]) -> dict[str, object]:
    """Edges against the CT's; DSC of the organs that a frozen segmenter of CTs finds in the CT after the way there and back, and
    in the MR itself read as a CT; how unlike real MRs its histogram is, and how much steeper.
    """
    smr = synthetic(case, made.model.translator)
    row: dict[str, object] = {"system": made.name, "patient": case.name, **edges(_prepared(case), smr)}
    row["dsc_ct"] = probed(case, torch.from_numpy(case.ct.astype(np.float32)), probe)
    if made.way_back is not None:
        back = translated(torch.from_numpy(smr)[None, None], made.way_back)[0, 0].numpy()
        inside = back if case.body is None else np.where(case.body, back, np.float32(OUTSIDE))
        row["dsc_there_and_back"] = probed(case, torch.from_numpy(CT_SCALE.back(inside)), probe)
    row["dsc_mr_read_as_ct"] = probed(case, torch.from_numpy(CT_SCALE.back(smr)), probe)
    shape, steep = statistics(smr, _in_view(case))
    row["kl_to_real"] = float(np.sum(real["shape"] * np.log(real["shape"] / shape)))
    row["steepness_to_real"] = float(steep / real["steepness"])
    return row


def probed(case: PackedCase, hu: Tensor, probe: Segmenter) -> float | None:
    """Mean DSC over the organs contoured in the case."""
    organs = torch.from_numpy(case.organs).float() / SHARES
    found = dice_on_grid(segment_logits(hu[None, None], probe)[0], organs, case.contoured.tolist(), case.known.tolist())
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None


def statistics(image: NDArray[np.float32], inside: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Shares of the values' ranges, none empty, and the mean steepness per voxel, inside a mask."""
    counts = np.histogram(image[inside], BINS, (-1, 1))[0] + 1.0
    steep = np.sqrt(sum(part**2 for part in np.gradient(image)))
    return counts / counts.sum(), float(steep[inside].mean())


def of_real(mrs: Sequence[PackedMR]) -> dict[str, NDArray[np.float64]]:
    """The same of real MRs: means over people."""
    found = [statistics(mr.mr.astype(np.float32) * 2 / BYTES - 1, mr.mr > 0) for mr in mrs]
    return {
        "shape": np.mean([shape for shape, _ in found], axis=0),
        "steepness": np.array(np.mean([steep for _, steep in found])),
    }


def _in_view(case: PackedCase) -> NDArray[np.bool_]:
    """Where MRs of the training show anything."""
    assert case.body is not None
    assert case.heights_mm is not None
    return case.body & (case.heights_mm >= read_task(TASK).mr_from_mm)[:, None, None]


def _prepared(case: PackedCase) -> Prepared:
    """A packed case as inference has it; its place in the patient is not kept."""
    assert case.body is not None
    a, b, c = case.ct.shape
    grid = Geometry.regular((a, b, c), read_task(TASK).preparation.spacing_mm)
    return Prepared(Volume(case.ct.astype(np.float32), grid), Mask(case.body, grid), grid, Mask(np.zeros_like(case.body), grid))


NAMES = {
    EDGES[0]: "skin, mm",
    EDGES[1]: "bone, mm",
    "dsc_ct": "DSC of the probe on CT",
    "dsc_there_and_back": "after the way there and back",
    "dsc_mr_read_as_ct": "on the MR read as CT",
    "kl_to_real": "KL to real MRs",
    "steepness_to_real": "steepness over real MRs'",
}


def table_of(rows: Sequence[Mapping[str, object]], translators: Sequence[Made]) -> str:
    """One line per system, as Markdown."""
    lines = ["| system | steps | " + " | ".join(NAMES.values()) + " | critics' accuracy |", "|---" * (len(NAMES) + 3) + "|"]
    for made in translators:
        own = [row for row in rows if row["system"] == made.name]
        cells = [mean_and_spread([row.get(name) for row in own], 2) for name in NAMES]  # type: ignore[misc]
        critics = ", ".join(f"{name} {value:.2f}" for name, value in made.critics.items()) or "-"
        lines.append(f"| {made.name} | {made.model.about.step} | " + " | ".join(cells) + f" | {critics} |")
    return "\n".join(lines)


def picture(cases: Sequence[PackedCase], translators: Sequence[Made], file: Path) -> None:
    """CT and synthetic MRs of each patient: an axial slice 40 mm above the jaw, and the sagittal one in the middle."""
    from matplotlib.figure import Figure

    count = 1 + len(translators)
    figure = Figure(figsize=(4.4 * count, 2.6 * len(cases)), layout="constrained")
    grid = figure.subplots(len(cases), 2 * count, squeeze=False)
    for axes, case in zip(grid, cases, strict=True):
        assert case.heights_mm is not None
        assert case.body is not None
        level, middle = int(np.abs(case.heights_mm - 40).argmin()), int(np.flatnonzero(case.body.any(axis=(0, 1))).mean())
        images = [ct_image(case.ct, case.body)[0].numpy(), *(synthetic(case, made.model.translator) for made in translators)]
        for number, (name, image) in enumerate(zip(["CT", *(made.name for made in translators)], images, strict=True)):
            for axis, plane, aspect in (
                (axes[2 * number], image[level], 1),
                (axes[2 * number + 1], image[::-1, :, middle], 2.5 / 4),
            ):
                axis.imshow(plane, cmap="gray", vmin=-1, vmax=1, aspect=aspect)
                axis.set_axis_off()
            axes[2 * number].set_title(f"{case.name}: {name}", fontsize=9)
    figure.savefig(file, dpi=70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("mrs", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--systems", nargs="+", default=[])
    parser.add_argument("--models", nargs="+", default=[], help="translators that are measured as they are")
    parser.add_argument("--budget", help="of each training, as in 3h")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--trained", action="store_true", help="measure the runs as they are")
    parser.add_argument("--patients", type=int, help="measure the first so many validation patients only")
    asked = parser.parse_args()
    pack = asked.work / "pack"
    if not pack.is_dir():
        pack_data(asked.cases, pack, TASK, print, print, asked.mrs)
    packed: Packed = read_pack(pack)
    translators = [as_it_ships(asked, name) for name in asked.models] + [trained(asked, name, pack) for name in asked.systems]
    probe = load_bundle(bundle_folder("head_neck"), choose_compute(asked.threads)).segmenter
    real = of_real([mr for mr in packed.mrs if mr.split == "validation"])
    cases = [case for case in packed.cases if case.split == "validation"][: asked.patients]
    rows = [measured(case, made, probe, real) for made in translators for case in cases]
    write_rows(rows, asked.work / "translators.csv")
    (asked.work / "translators.md").write_text(table_of(rows, translators) + "\n")
    print(table_of(rows, translators))
    worst = sorted(cases, key=lambda case: -max(float(row[EDGES[1]] or 0) for row in rows if row["patient"] == case.name))  # type: ignore[arg-type]
    picture([worst[0], *(case for case in cases if case is not worst[0])][:PICTURED], translators, asked.work / "pictures.png")


if __name__ == "__main__":
    main()
