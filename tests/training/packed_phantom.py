"""A packed patient of three unequal balls at uneven places, so that each axis and each side is told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.data.pack import SHARES, PackedCase

ORGANS = ("Parotid_L", "Parotid_R", "Brainstem")
MIRRORED = (1, 0, 2)
BODY_HU = 0


@dataclass(frozen=True)
class Ball:
    """centre: (slice, row, column) as a share of the scan's size; radius: as a share of its shortest side; hu."""

    centre: tuple[float, float, float]
    radius: float
    hu: int


BALLS = {
    "Parotid_L": Ball((0.6, 0.4, 0.72), 0.26, 160),
    "Parotid_R": Ball((0.4, 0.5, 0.25), 0.21, 320),
    "Brainstem": Ball((0.5, 0.75, 0.5), 0.17, 480),
}
"""Columns run to the patient's left, as on the working grid."""


def packed_case(
    shape: tuple[int, int, int] = (24, 32, 32), split: str = "train", name: str = "p1", shift: float = 0.0
) -> PackedCase:
    """BALLS in a body without end: everywhere ``hu == sum of share * the organ's HU``. All organs contoured, all slices known.

    shift: of all balls along the rows, as a share of the size.
    """
    shares = np.stack([_share(shape, ball, shift) for ball in BALLS.values()])
    hu = BODY_HU + sum(share * (ball.hu / SHARES) for share, ball in zip(shares, BALLS.values(), strict=True))
    known = np.array([[0, shape[0]]] * len(ORGANS))
    return PackedCase(name, split, np.asarray(hu).astype(np.int16), shares, np.ones(len(ORGANS), dtype=np.bool_), known)


def _share(shape: tuple[int, int, int], ball: Ball, shift: float) -> NDArray[np.uint8]:
    centres = np.moveaxis(np.indices(shape), 0, -1) + 0.5
    middle = np.add(ball.centre, (0, shift, 0)) * shape
    distance = np.linalg.norm(centres - middle, axis=-1)
    return np.rint(np.clip(ball.radius * min(shape) - distance + 0.5, 0, 1) * SHARES).astype(np.uint8)
