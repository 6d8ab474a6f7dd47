"""Patches cut from resident patients on the training device, turned, scaled, mirrored and made noisy on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rtseg.data.pack import SHARES
from rtseg.imaging import AIR_HU
from rtseg.training.sampling import Draw, Resident

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Augmentation:
    """How far a patch may differ from the scan. All zero: nothing is changed.

    turn_deg     largest rotation about the slice axis, half of it about the others
    scale        largest change of size, common to all axes; half of it more for each axis
    mirror       probability of a left-right flip; the organs of a pair change places with it
    hu_shift     standard deviation of an added constant, HU; hu_scale: of a factor about 1
    noise_hu     largest standard deviation of white noise; blur: probability of a 3-voxel smoothing in plane
    """

    turn_deg: float = 0.0
    scale: float = 0.0
    mirror: float = 0.0
    hu_shift: float = 0.0
    hu_scale: float = 0.0
    noise_hu: float = 0.0
    blur: float = 0.0


@dataclass(frozen=True, eq=False)
class Batch:
    """What a step learns from.

    hu      (b, 1, d, h, w) float32
    organs  (b, n, d, h, w) share of each voxel, 0..1
    known   (b, n, d, h, w) bool: where the organ's presence or absence is known
    """

    hu: Tensor
    organs: Tensor
    known: Tensor


@torch.no_grad()
def cut(
    cases: Sequence[Resident],
    draws: Sequence[Draw],
    patch: tuple[int, int, int],
    augmentation: Augmentation,
    mirrored: Sequence[int],
    random: np.random.Generator,
) -> Batch:
    """Cut and augment one patch per draw; ``mirrored[n]`` is the organ that organ n becomes when left is right.

    Working-grid spacing is taken as it is: rotations about the slice axis are exact for square pixels, the
    small ones about the other axes shear a little.
    """
    parts = [_cut_one(cases[d.case], d, patch, augmentation, mirrored, random) for d in draws]
    hu, organs, known = (torch.cat(p) for p in zip(*parts, strict=True))
    return Batch(_intensity(hu, augmentation, random), organs, known)


def _cut_one(
    case: Resident,
    draw: Draw,
    patch: tuple[int, int, int],
    augmentation: Augmentation,
    mirrored: Sequence[int],
    random: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    device = case.ct.device
    matrix, flip = _transform(augmentation, random)
    box = _touched(case, draw, patch, matrix)
    start, size = np.array([side.start for side in box]), np.array([side.stop - side.start for side in box], dtype=np.float64)
    grid = _sampling_grid(patch, matrix, np.array(draw.centre) - start, size).to(device)
    whole = (slice(None), *box)
    image = torch.cat([case.ct[whole].float() - AIR_HU, case.organs[whole].float() / SHARES, _known_slices(case)[whole]])
    values = functional.grid_sample(image[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    organs = len(case.contoured)
    hu, shares, known = values[:, :1] + AIR_HU, values[:, 1 : 1 + organs], values[:, 1 + organs :] > 0.5
    if flip:
        order = torch.as_tensor(list(mirrored), device=device)
        shares, known = shares[:, order], known[:, order]
    return hu, shares, known


def _touched(case: Resident, draw: Draw, patch: tuple[int, int, int], matrix: Array) -> tuple[slice, slice, slice]:
    """The part of the scan that a patch reads: its turned box with a voxel to interpolate from."""
    half = np.abs(matrix) @ (np.array(patch) / 2) + 1
    low = np.maximum(0, np.floor(np.array(draw.centre) - half)).astype(int)
    high = np.minimum(case.ct.shape[1:], np.ceil(np.array(draw.centre) + half)).astype(int)
    a, b, c = (slice(int(first), int(end)) for first, end in zip(low, high, strict=True))
    return a, b, c


def _known_slices(case: Resident) -> Tensor:
    """(n, d, h, w) one where an organ's absence means absence. Beyond the scan nothing is known."""
    size = case.ct.shape[1:]
    known = torch.zeros(len(case.contoured), size[0], 1, 1, device=case.ct.device)
    for organ, (first, end) in enumerate(case.known):
        if case.contoured[organ]:
            known[organ, first:end] = 1
    return known.expand(-1, *size)


def _transform(augmentation: Augmentation, random: np.random.Generator) -> tuple[Array, bool]:
    """(3, 3) matrix from patch voxels to scan voxels about their centres, and whether it mirrors left and right."""
    turns = np.deg2rad(random.uniform(-1, 1, 3) * augmentation.turn_deg * np.array([1.0, 0.5, 0.5]))
    matrix: Array = np.eye(3)
    for axis, angle in enumerate(turns):
        a, b = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    common = random.uniform(-1, 1) * augmentation.scale
    matrix = matrix @ np.diag(1 + common + random.uniform(-0.5, 0.5, 3) * augmentation.scale)
    flip = bool(random.random() < augmentation.mirror)
    return matrix @ np.diag([1.0, 1.0, -1.0 if flip else 1.0]), flip


def _sampling_grid(patch: tuple[int, int, int], matrix: Array, centre: Array, size: Array) -> Tensor:
    """(1, d, h, w, 3) coordinates for grid_sample: x, y, z in -1..1 over the outer faces of the part that is read."""
    to_unit = np.diag(2.0 / size)
    theta = to_unit @ matrix
    offset = to_unit @ centre - 1
    axes = [torch.arange(n, dtype=torch.float32) + 0.5 - n / 2 for n in patch]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)  # (d, h, w, 3) as slice, row, column
    unit = places @ torch.from_numpy(theta.T.astype(np.float32)) + torch.from_numpy(offset.astype(np.float32))
    return unit.flip(-1)[None]


def _intensity(hu: Tensor, augmentation: Augmentation, random: np.random.Generator) -> Tensor:
    """Scanner differences: calibration, noise, kernel. Air stays air."""
    count = hu.shape[0]
    factors = torch.as_tensor(1 + random.normal(size=count) * augmentation.hu_scale, dtype=torch.float32, device=hu.device)
    shifts = torch.as_tensor(random.normal(size=count) * augmentation.hu_shift, dtype=torch.float32, device=hu.device)
    sigma = torch.as_tensor(random.uniform(size=count) * augmentation.noise_hu, dtype=torch.float32, device=hu.device)
    blurred = torch.as_tensor(random.random(count) < augmentation.blur, device=hu.device)
    seed = int(random.integers(2**31))
    body = hu > AIR_HU + 1
    if augmentation.blur > 0:
        smooth = functional.avg_pool3d(hu, (1, 3, 3), stride=1, padding=(0, 1, 1), count_include_pad=False)
        hu = torch.where(blurred.view(-1, 1, 1, 1, 1), 0.5 * (hu + smooth), hu)
    noise = torch.randn(hu.shape, generator=torch.Generator().manual_seed(seed)).to(hu.device)
    shape = (-1, 1, 1, 1, 1)
    changed = hu * factors.view(shape) + shifts.view(shape) + noise * sigma.view(shape)
    return torch.where(body, changed, hu)
