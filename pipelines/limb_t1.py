"""How the translator `limb_t1` is made: cases, pack, trainings, figures on pairs that no training saw, bundle with card.

    python pipelines/limb_t1.py SET WORK [--systems regression cyclegan dai2021 ...] [--models limb_t1 ...] [--budget 30m]
                                [--trained] [--ship SYSTEM --bundle DIR --version 0.1]

SET is sts_ct_mr. Trainings go on from their last checkpoints; a system whose training is over is measured only, models are
measured as they are. Figures of every system and patient go to WORK/figures.csv, a table to WORK/figures.md, pictures to
WORK/pictures.png.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shipping import hours, make_anew, processor
from synthetic_figures import EDGES, SHOWN, Maker, Pair, figures, look_up, mean_and_spread, moved, pair, write_rows

from rtseg.cli.terminal import seconds
from rtseg.data import read_case, read_pack
from rtseg.imaging import Prepared
from rtseg.jobs.make_bundle import BundleOrder
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.train_synthesis import SynthesisOrder, train_synthesis
from rtseg.synthesis.inference import synthesize
from rtseg.systems import TranslatorBundle, bundle_folder, load_translator, read_task, write_card
from rtseg.training import choose_compute

TASK = "limb"
NAMES = {"mae": "MAE", "psnr": "PSNR, dB", "ssim": "SSIM", "pearson_r": "R", EDGES[0]: "skin, mm", EDGES[1]: "bone, mm"}
DIGITS = {"mae": 3, "psnr": 1, "ssim": 3, "pearson_r": 2, EDGES[0]: 2, EDGES[1]: 2}

CARD = Path(__file__).with_name("limb_t1_card.md")


def makers(models: Mapping[str, TranslatorBundle], table: Maker) -> dict[str, Maker]:
    """What is compared, by name and steps."""

    def by_network(ready: Prepared, model: TranslatorBundle) -> NDArray[np.float32]:
        return synthesize(ready, model.translator).array

    learnt = {f"{name}, {model.about.step} steps": partial(by_network, model=model) for name, model in models.items()}
    return {"HU table": table, **learnt}


def measured(pairs: Sequence[Pair], compared: Mapping[str, Maker]) -> list[dict[str, object]]:
    """One row per way and patient; the real MR moved by a voxel among the ways."""
    rows: list[dict[str, object]] = []
    for one in pairs:
        images = {name: make(one.ready) for name, make in compared.items()} | {"real MR, one voxel off": moved(one)}
        rows += [{"way": name, "patient": one.name, **figures(one, image)} for name, image in images.items()]
    return sorted(rows, key=lambda row: [*compared, "real MR, one voxel off"].index(str(row["way"])))


def table_of(rows: Sequence[Mapping[str, object]]) -> str:
    """Mean and standard deviation over the patients, as Markdown."""
    lines = ["| way | " + " | ".join(NAMES.values()) + " |", "|---" * (len(NAMES) + 1) + "|"]
    for way in dict.fromkeys(str(row["way"]) for row in rows):
        cells = [mean_and_spread([row[name] for row in rows if row["way"] == way], DIGITS[name]) for name in (*SHOWN, *EDGES)]  # type: ignore[misc]
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(pairs: Sequence[Pair], compared: Mapping[str, Maker], file: Path) -> None:
    """The middle slice of each patient: CT, each way, the real MR."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.2 * (len(compared) + 2), 2.3 * len(pairs)), layout="constrained")
    grid = figure.subplots(len(pairs), len(compared) + 2, squeeze=False)
    for axes, one in zip(grid, pairs, strict=True):
        middle = int(np.flatnonzero(one.inside.array.any(axis=(1, 2))).mean())
        images = {"CT": (one.ready.volume.array[middle], (-160, 240))}
        images |= {name: (make(one.ready)[middle], (-1, 1)) for name, make in compared.items()}
        images["real MR"] = (one.mr.array[middle], (0, 1))
        for axis, (name, (image, window)) in zip(axes, images.items(), strict=True):
            axis.imshow(np.where(one.ready.body.array[middle], image, window[0]), cmap="gray", vmin=window[0], vmax=window[1])
            axis.set_axis_off()
            axis.set_title(name if one is pairs[0] else "", fontsize=9)
    figure.savefig(file, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--systems", nargs="*", default=["regression"])
    parser.add_argument("--models", nargs="+", default=[], help="translators that are measured as they are")
    parser.add_argument("--budget", help="of each training, as in 30m")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--trained", action="store_true", help="measure the runs as they are")
    parser.add_argument("--ship", help="the system that becomes the bundle")
    parser.add_argument("--bundle", type=Path, help="folder of the bundle; one that is there is replaced")
    parser.add_argument("--version", default="0.1")
    asked = parser.parse_args()
    cases, pack = asked.work / "cases", asked.work / "pack"
    if not cases.is_dir():
        subprocess.run([sys.executable, str(Path(__file__).with_name("limb_cases.py")), asked.set, cases], check=True)
    if not pack.is_dir():
        pack_data(cases / "cases", pack, TASK, print, print)
    budget_s = None if asked.budget is None else seconds(asked.budget)
    models = {name: load_translator(bundle_folder(name), choose_compute(asked.threads)) for name in asked.models}
    for name in asked.systems:
        run, model = asked.work / name, asked.work / "models" / name
        order = SynthesisOrder(name, TASK, pack, run, budget_s=budget_s, threads=asked.threads, accept_weak_pairs=True)
        if not asked.trained:
            train_synthesis(order, lambda step, shown: print(step, dict(shown), flush=True), print)
        make_anew(BundleOrder(run, model, "limb_t1", asked.version))
        models[name] = load_translator(model, choose_compute(asked.threads))
    packed = [case for case in read_pack(pack).cases if case.split == "train" and case.pairing == "weak"]
    compared = makers(models, look_up(packed))
    pairs = [pair(read_case(folder), read_task(TASK).preparation) for folder in sorted((cases / "test").iterdir())]
    rows = measured(pairs, compared)
    write_rows(rows, asked.work / "figures.csv")
    (asked.work / "figures.md").write_text(table_of(rows) + "\n")
    picture(pairs, compared, asked.work / "pictures.png")
    print(table_of(rows))
    if asked.ship and asked.bundle:
        ship(asked.work, asked.ship, asked.bundle, asked.version, table_of(rows), models[asked.ship])


def ship(work: Path, system: str, bundle: Path, version: str, table: str, model: TranslatorBundle) -> None:
    """The bundle with its card, in place of one that is there."""
    make_anew(BundleOrder(work / system, bundle, "limb_t1", version))
    card = CARD.read_text(encoding="utf-8").format(
        name="limb_t1",
        version=version,
        system=system,
        steps=model.about.step,
        hours=hours(work / system),
        hardware=f"{processor()}, {model.translator.compute.words}",
        table=table,
    )
    write_card(bundle, card)


if __name__ == "__main__":
    main()
