"""Synthetic MRs of packed cases, made once for the training of a segmenter."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtseg.data import PackedCase
from rtseg.data.pack import BYTES
from rtseg.synthesis.inference import Translator, translated
from rtseg.synthesis.patches import OUTSIDE
from rtseg.synthesis.scans import ct_image
from rtseg.systems import TranslatorBundle
from rtseg.systems.bundle import SCALE, TRANSLATOR

FOLDER = "synthetic_mr"
"""Of a run folder: one file per case, so that a killed run has not to make them again."""


def synthetic_mrs(
    cases: Sequence[PackedCase], model: TranslatorBundle, run: Path, made: Callable[[str], None]
) -> dict[str, NDArray[np.uint8]]:
    """Case name -> its synthetic MR on the packed grid, 0 to 255 for -1..1; ``made`` hears the name of each that is new."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    found = {}
    for case in cases:
        file = folder / f"{case.name}.npy"
        if not file.is_file():
            part = file.with_suffix(".part")
            with part.open("wb") as handle:
                np.save(handle, _of(case, model.translator))
            part.replace(file)
            made(case.name)
        found[case.name] = np.load(file)
    return found


def keep_translator(folder: Path, run: Path) -> None:
    """Put a model's translator beside the segmenter that learns from it: its bundle holds both."""
    for name in (TRANSLATOR, SCALE):
        shutil.copyfile(folder / name, run / name)


def _of(case: PackedCase, translator: Translator) -> NDArray[np.uint8]:
    ct = ct_image(case.ct, case.body)
    image = translated(ct[None].to(translator.compute.device), translator)[0, 0].cpu().numpy()
    inside = image if case.body is None else np.where(case.body, image, np.float32(OUTSIDE))
    grey: NDArray[np.uint8] = np.rint((np.clip(inside, -1, 1) + 1) * (BYTES / 2)).astype(np.uint8)
    return grey
