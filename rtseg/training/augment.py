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
from rtseg.training.sampling import Draw, Resident, scaled

Array = NDArray[np.float64]

OUTSIDE = -1.0
"""Value of a synthetic MR outside of the body and beyond the scan."""


@dataclass(frozen=True)
class Augmentation:
    """How far a patch may differ from the scan. All zero: nothing is changed.

    turn_deg     largest rotation about the slice axis, half of it about the others
    scale        largest change of size, common to all axes; half of it more for each axis
    mirror       probability of a left-right flip; the organs of a pair change places with it
    hu_shift     standard deviation of an added constant, HU; hu_scale: of a factor about 1
    noise_hu     largest standard deviation of white noise; blur: probability of a 3-voxel smoothing in plane
    coarse       probability of a scan of half the resolution
    shell        probability of bits of matter on the skin, as mask, head-rest and couch leave them
    seam         probability of another patient's slices above or below a cut; nothing is known of organs there
    mr_noise     largest standard deviation of white noise in the synthetic MR, whose range is 2
    mr_bias      largest standard deviation of a smooth field added to it: tissue whose brightness the translator got wrong
    mr_drop      probability of none: the organs are to be found in the CT alone
    """

    turn_deg: float = 0.0
    scale: float = 0.0
    mirror: float = 0.0
    hu_shift: float = 0.0
    hu_scale: float = 0.0
    noise_hu: float = 0.0
    blur: float = 0.0
    coarse: float = 0.0
    shell: float = 0.0
    seam: float = 0.0
    mr_noise: float = 0.0
    mr_bias: float = 0.0
    mr_drop: float = 0.0


@dataclass(frozen=True, eq=False)
class Batch:
    """What a step learns from.

    hu      (b, 1, d, h, w) float32
    organs  (b, n, d, h, w) share of each voxel, 0..1
    known   (b, n, d, h, w) bool: where the organ's presence or absence is known
    smr     (b, 1, d, h, w) synthetic MR in -1..1, None for none: turned as the CT is
    """

    hu: Tensor
    organs: Tensor
    known: Tensor
    smr: Tensor | None = None


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
    hu, organs, known, mr = (torch.cat(p) for p in zip(*parts, strict=True))
    looks = Looks(hu.shape[0], hu.device, random)
    smr = _doubtful(mr, hu > AIR_HU + 1, augmentation, looks) if mr.shape[1] else None
    hu = _intensity(_with_shell(hu, augmentation.shell, looks), augmentation, looks)
    return _with_seams(Batch(hu, organs, known, smr), augmentation.seam, looks)


def _cut_one(
    case: Resident,
    draw: Draw,
    patch: tuple[int, int, int],
    augmentation: Augmentation,
    mirrored: Sequence[int],
    random: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """HU, shares and known voxels of the organs, and the synthetic MR (none: no channel)."""
    device = case.ct.device
    matrix, flip = _transform(augmentation, random)
    box = _touched(case, draw, patch, matrix)
    start, size = np.array([side.start for side in box]), np.array([side.stop - side.start for side in box], dtype=np.float64)
    grid = _sampling_grid(patch, matrix, np.array(draw.centre) - start, size, device)
    whole = (slice(None), *box)
    parts = [case.ct[whole].float() - AIR_HU, case.organs[whole].float() / SHARES, _known_slices(case)[whole]]
    parts += [] if case.smr is None else [scaled(case.smr[whole]) - OUTSIDE]
    image = torch.cat(parts)
    values = functional.grid_sample(image[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    organs = len(case.contoured)
    hu, shares, known = values[:, :1] + AIR_HU, values[:, 1 : 1 + organs], values[:, 1 + organs : 1 + 2 * organs] > 0.5
    if flip:
        order = torch.as_tensor(list(mirrored), device=device)
        shares, known = shares[:, order], known[:, order]
    return hu, shares, known, values[:, 1 + 2 * organs :] + OUTSIDE


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


def _sampling_grid(patch: tuple[int, int, int], matrix: Array, centre: Array, size: Array, device: torch.device) -> Tensor:
    """(1, d, h, w, 3) coordinates for grid_sample: x, y, z in -1..1 over the outer faces of the part that is read."""
    to_unit = np.diag(2.0 / size)
    turn = to_unit @ matrix @ np.diag(np.array(patch) / 2)
    offset = to_unit @ centre - 1
    theta = torch.as_tensor(np.column_stack([turn[::-1, ::-1], offset[::-1]]), dtype=torch.float32)  # x, y, z
    return functional.affine_grid(theta[None].to(device), [1, 1, *patch], align_corners=False)


class Looks:
    """Random figures of a batch, one per patch, and random fields on its device."""

    def __init__(self, count: int, device: torch.device, random: np.random.Generator) -> None:
        self.count, self.device, self.random = count, device, random
        self._fields = torch.Generator(device).manual_seed(int(random.integers(2**31)))

    def normal(self, spread: float) -> Tensor:
        """(b, 1, 1, 1, 1) normal figures."""
        return self._each(self.random.normal(size=self.count) * spread)

    def uniform(self, low: float, high: float) -> Tensor:
        """(b, 1, 1, 1, 1) uniform figures."""
        return self._each(self.random.uniform(low, high, self.count))

    def chosen(self, probability: float) -> Tensor:
        """(b, 1, 1, 1, 1) bool: which patches are meant."""
        return self._each(self.random.random(self.count)) < probability

    def field(self, shape: Sequence[int]) -> Tensor:
        """White noise of standard deviation 1."""
        return torch.randn(list(shape), generator=self._fields, device=self.device)

    def _each(self, values: Array) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device).view(-1, 1, 1, 1, 1)


def _intensity(hu: Tensor, augmentation: Augmentation, looks: Looks) -> Tensor:
    """Scanner differences: calibration, noise, kernel, resolution. Air stays air."""
    body = hu > AIR_HU + 1
    if augmentation.blur > 0:
        smooth = functional.avg_pool3d(hu, (1, 3, 3), stride=1, padding=(0, 1, 1), count_include_pad=False)
        hu = torch.where(looks.chosen(augmentation.blur), 0.5 * (hu + smooth), hu)
    if augmentation.coarse > 0:
        half = functional.avg_pool3d(hu, 2, ceil_mode=True, count_include_pad=False)
        coarse = functional.interpolate(half, size=hu.shape[2:], mode="trilinear", align_corners=False)
        hu = torch.where(looks.chosen(augmentation.coarse), coarse, hu)
    noise = looks.field(hu.shape) * looks.uniform(0, augmentation.noise_hu)
    changed = hu * (1 + looks.normal(augmentation.hu_scale)) + looks.normal(augmentation.hu_shift) + noise
    return torch.where(body, changed, hu)


BIAS_CELLS = 4
"""Along each axis of a patch, between which brightness drifts."""


def _doubtful(mr: Tensor, body: Tensor, augmentation: Augmentation, looks: Looks) -> Tensor:
    """A translator's mistakes, more of them than on patients like those that it learnt from. Blank stays blank."""
    changed = mr
    if augmentation.mr_bias > 0:
        cells = looks.field((mr.shape[0], 1, BIAS_CELLS, BIAS_CELLS, BIAS_CELLS)) * looks.uniform(0, augmentation.mr_bias)
        changed = changed + functional.interpolate(cells, size=mr.shape[2:], mode="trilinear", align_corners=True)
    if augmentation.mr_noise > 0:
        changed = changed + looks.field(mr.shape) * looks.uniform(0, augmentation.mr_noise)
    if augmentation.mr_drop > 0:
        changed = torch.where(looks.chosen(augmentation.mr_drop), OUTSIDE, changed)
    return torch.where(body, changed.clamp(-1, 1), mr)


SHELL_HU = (-900.0, 300.0)
"""Between what foam and a hard mask come to on the working grid, where they fill part of a voxel."""


def _with_shell(hu: Tensor, probability: float, looks: Looks) -> Tensor:
    """Patches of a layer, one or two voxels thick, on the outer skin: what is left of foreign matter within the body's margin."""
    if probability == 0:
        return hu
    air = hu <= AIR_HU + 1
    outside = _grown(_grown((~air).float(), 5) < 0.5, 5) & air  # opened: airways are no outside
    thick = looks.chosen(0.5)
    skin = torch.where(thick, _grown(hu > -500, 5), _grown(hu > -500, 3)) & outside
    patches = functional.interpolate(looks.field((hu.shape[0], 1, 3, 4, 4)), size=hu.shape[2:], mode="trilinear")
    matter = looks.uniform(*SHELL_HU) + 100 * looks.field(hu.shape)
    return torch.where(skin & (patches > looks.uniform(-0.5, 1)) & looks.chosen(probability), matter.clamp(min=AIR_HU), hu)


def _grown(mask: Tensor, width: int) -> Tensor:
    """A mask made wider in plane."""
    return functional.max_pool3d(mask.float(), (1, width, width), stride=1, padding=(0, width // 2, width // 2)) > 0.5


def _with_seams(batch: Batch, probability: float, looks: Looks) -> Batch:
    """Some patches go on, above or below a cut in their outer third, with slices of the next patient of the batch."""
    count, depth = batch.hu.shape[0], batch.hu.shape[2]
    if probability == 0 or count == 1:
        return batch
    chosen, above = looks.random.random((2, count)) < np.array([[probability], [0.5]])
    width = looks.random.integers(1, max(2, depth // 3), count)
    first = np.where(chosen & above, depth - width, depth)
    end = np.where(chosen & ~above, width, 0)
    slices = np.arange(depth)
    beyond = (slices < end[:, None]) | (slices >= first[:, None])
    other = torch.as_tensor(beyond, device=batch.hu.device).view(count, 1, depth, 1, 1)
    hu = torch.where(other, batch.hu.roll(1, 0), batch.hu)
    mr = None if batch.smr is None else torch.where(other, batch.smr.roll(1, 0), batch.smr)
    return Batch(hu, batch.organs * ~other, batch.known & ~other, mr)
