"""How far two images (b, 1, d, h, w) are apart, as a mean over voxels: weights do not depend on the size of a patch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Distance = Literal["l1", "l2", "lp", "compound"]

MEAN_P = 1.5
"""Power of the mean-p distance: between l1, which misplaces borders, and l2, which blurs (Lei 2019, Med Phys 46:3565)."""

AXES = (2, 3, 4)

SSIM_SIGMA, SSIM_RADIUS = 1.5, 3
K1, K2 = 0.01, 0.03


def distance(a: Tensor, b: Tensor, kind: Distance, mask: Tensor | None = None) -> Tensor:
    """The distance of this kind, in float32; inside ``mask`` (1 or 0, same shape) if there is one.

    lp: mean of abs(a - b) ** 1.5; compound: lp and gradient_difference, 1 to 1 (weights of the papers are unknown: ours).
    """
    a, b = a.float(), b.float()
    if kind == "compound":
        return distance(a, b, "lp", mask) + gradient_difference(a, b, 2, mask)
    apart = (a - b).abs()
    return _mean(apart ** {"l1": 1.0, "l2": 2.0, "lp": MEAN_P}[kind], mask)


def gradient_difference(a: Tensor, b: Tensor, power: Literal[1, 2] = 2, mask: Tensor | None = None) -> Tensor:
    """How far the steepness of both differs: mean of abs(abs(d a) - abs(d b)) ** power, summed over the axes.

    Forward differences, none across the border. Edges that are as steep the other way round are alike.
    """
    found = a.new_zeros((), dtype=torch.float32)
    for axis in AXES:
        steep_a, steep_b = (image.float().diff(dim=axis).abs() for image in (a, b))
        inside = None if mask is None else mask.narrow(axis, 1, mask.shape[axis] - 1)
        found = found + _mean((steep_a - steep_b).abs() ** power, inside)
    return found


def structural_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity of images in -1..1 (data range 2), Gaussian window, whole windows only; 1 for equal images."""
    window = _window(a.device)

    def mean(image: Tensor) -> Tensor:
        for axis in AXES:
            shape = [1] * 5
            shape[axis] = len(window)
            image = functional.conv3d(image, window.view(shape))
        return image

    a, b = a.float(), b.float()
    ma, mb = mean(a), mean(b)
    va, vb, vab = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (2 * K1) ** 2, (2 * K2) ** 2
    similarity = ((2 * ma * mb + c1) * (2 * vab + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return similarity.mean()


def _window(device: torch.device) -> Tensor:
    places = torch.arange(-SSIM_RADIUS, SSIM_RADIUS + 1, device=device, dtype=torch.float32)
    weights = torch.exp(-((places / SSIM_SIGMA) ** 2) / 2)
    return weights / weights.sum()


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return values.mean()
    return (values * mask).sum() / mask.sum().clamp(min=1)
