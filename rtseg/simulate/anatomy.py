"""The man that all simulated men are made of: one map of labels, at rest."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtseg.core import InputError

ANATOMY = Path(str(files("rtseg"))) / "simulate" / "male_pelvis" / "anatomy.npz"
"""The map that ships: a derivative of Z-Anatomy, CC BY-SA 4.0, licence and credits beside it. pipelines/pelvis_anatomy.py
makes it."""

SHA256 = "e621db8cefc457259593c08dc5de4d49bf8233792136d31d1267f7e5162bb290"

CORTEX = 128
"""Set beside a bone's label where it is cortex."""


class Label(IntEnum):
    """What a voxel of the map is."""

    OUTSIDE = 0
    LOOSE = 1  # between muscles and organs: fat
    CAVITY = 2  # of the peritoneum: bowel and fat
    MUSCLE = 3
    LEVATOR = 4
    VEIN = 5
    ARTERY = 6
    NERVE = 7
    COLON = 8
    CAVERNOSUM = 9
    SPONGIOSUM = 10
    BULB = 11
    TESTIS = 12
    DUCT = 13
    ANAL_CANAL = 14
    RECTUM = 15
    BLADDER = 16
    SEMINAL_VESICLES = 17
    PROSTATE = 18
    CARTILAGE = 19
    VERTEBRA = 20
    SACRUM = 21
    COCCYX = 22
    HIP_L = 23
    HIP_R = 24
    FEMUR_L = 25
    FEMUR_R = 26
    FEMUR_HEAD_L = 27
    FEMUR_HEAD_R = 28


BONES = tuple(range(Label.VERTEBRA, Label.FEMUR_HEAD_R + 1))


@dataclass(frozen=True, eq=False)
class Anatomy:
    """labels (slices, rows, columns) and, for bone, CORTEX; the first voxel's centre, x, y, z, and the voxel's side in mm LPS.

    beside_muscle: how far LOOSE voxels lie from the next muscle, in quarters of a mm
    """

    labels: NDArray[np.uint8]
    beside_muscle: NDArray[np.uint8]
    origin: NDArray[np.float64]
    step: float


@cache
def anatomy() -> Anatomy:
    """The map that ships. Raises InputError if it is another file than the one that this version was made with."""
    data = ANATOMY.read_bytes()
    if (found := sha256(data).hexdigest()) != SHA256:
        raise InputError(f"{ANATOMY} has SHA-256 {found}, expected {SHA256}: install rtseg again")
    with np.load(ANATOMY) as file:
        return Anatomy(file["labels"], file["beside_muscle"], file["origin"], float(file["step"]))
