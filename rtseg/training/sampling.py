"""Which patch of which patient a step sees: drawn from the seed and the step alone, so that a resumed run goes on the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtseg.data.pack import BYTES, SHARES, PackedCase


@dataclass(frozen=True)
class Sampling:
    """How patches are drawn.

    patch      (slices, rows, columns) voxels of a patch
    batch      patients in a step
    on_organ   share of the patches centred on a voxel of an organ (each contoured organ equally often)
    """

    patch: tuple[int, int, int]
    batch: int
    on_organ: float = 0.5


@dataclass(frozen=True, eq=False)
class Resident:
    """A packed case as tensors on the training device.

    ct (1, d, h, w) int16 HU; organs (n, d, h, w) uint8 shares; contoured (n,) bool; known (n, 2) slices; smr (1, d, h, w) uint8
    synthetic MR, 0 to 255 for -1..1, None for none.
    voxels[n]: some MAX_CENTRES places (m, 3) of an organ that a patch may be centred on.
    """

    ct: Tensor
    organs: Tensor
    contoured: NDArray[np.bool_]
    known: NDArray[np.int64]
    voxels: tuple[NDArray[np.int64], ...]
    smr: Tensor | None = None


@dataclass(frozen=True)
class Draw:
    """One patch to be cut: the case's index and the patch's centre (slice, row, column) in its voxels."""

    case: int
    centre: tuple[float, float, float]


MAX_CENTRES = 400
"""About as many places per organ are kept, evenly picked: never more than twice as many."""


def scaled(grey: Tensor) -> Tensor:
    """Grey levels of a packed MR in -1..1."""
    return grey.float() * (2 / BYTES) - 1


def resident(case: PackedCase, device: torch.device, smr: NDArray[np.uint8] | None = None) -> Resident:
    """Bring a packed case, and its synthetic MR, onto the device once; steps only cut from it."""
    voxels = []
    for organ in case.organs:
        places = np.argwhere(organ >= SHARES // 2)
        voxels.append(places[:: max(1, len(places) // MAX_CENTRES)])
    return Resident(
        torch.from_numpy(case.ct)[None].to(device),
        torch.from_numpy(case.organs).to(device),
        case.contoured,
        case.known,
        tuple(voxels),
        None if smr is None else torch.from_numpy(smr)[None].to(device),
    )


def draw(cases: Sequence[Resident], how: Sampling, random: np.random.Generator) -> list[Draw]:
    """Patients without repetition and a centre in each: on an organ, or anywhere a patch fits.

    A patch lies within the scan, or the scan within it, anywhere: a network that always saw the body in the middle of its
    patch told places by the patch's borders, and a window two voxels further on drew other contours.
    """
    chosen = random.choice(len(cases), size=how.batch, replace=how.batch > len(cases))
    return [Draw(int(index), _centre(cases[index], how, random)) for index in chosen]


def _centre(case: Resident, how: Sampling, random: np.random.Generator) -> tuple[float, float, float]:
    size = np.array(case.ct.shape[1:])
    half = np.array(how.patch) / 2
    there = [places for places in case.voxels if len(places)]
    if there and random.random() < how.on_organ:
        places = there[random.integers(len(there))]
        centre = places[random.integers(len(places))] + random.uniform(-0.25, 0.25, 3) * how.patch
    else:
        centre = random.uniform(np.minimum(0, size - half), np.maximum(size, half))
    low, high = np.minimum(half, size - half), np.maximum(half, size - half)
    a, b, c = (float(x) for x in np.clip(centre, low, high))
    return a, b, c
