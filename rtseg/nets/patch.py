"""`patch`: a critic that judges overlapping patches of an image (Isola 2017), in 3D, at one scale or several."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from rtseg.nets.translators import Norm, normalisation


@dataclass(frozen=True)
class Patch:
    """Options of the critic.

    channels  features after the first convolution; they double up to eight times that
    layers    strided convolutions: each doubles what a patch sees
    scales    critics on the image, its half, its quarter ...: a coarse one sees what a fine one takes for texture
    spectral  spectral normalisation of every convolution in place of that of features
    """

    channels: int = 32
    layers: int = 3
    scales: int = 1
    norm: Norm = "group"
    spectral: bool = False
    network: Literal["patch"] = "patch"

    @property
    def smallest(self) -> int:
        """The smallest side of an image that the coarsest critic has a score for."""
        return int(3 * 2 ** (self.layers + self.scales - 1))

    def build(self, inputs: int = 1) -> PatchCritic:
        """The critic of this many images at once (2 for one that sees the CT beside the MR), weights at random."""
        return PatchCritic(self, inputs)


class PatchCritic(nn.Module):
    """(b, inputs, d, h, w) -> for each scale (b, 1, d', h', w'): how real a patch looks, no bounds."""

    def __init__(self, options: Patch, inputs: int) -> None:
        super().__init__()
        self.options = options
        self.critics = nn.ModuleList(_one_scale(options, inputs) for _ in range(options.scales))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Raises ValueError for an image that is too small, naming the smallest that is not."""
        size, smallest = tuple(image.shape[2:]), self.options.smallest
        if min(size) < smallest:
            raise ValueError(f"an image of {size} is too small for this critic; each side needs {smallest} voxels at least")
        image = image if image.is_cuda else image.float()
        found = []
        for scale, critic in enumerate(self.critics):
            with torch.autocast(image.device.type, enabled=image.is_cuda and torch.is_autocast_enabled("cuda")):
                found.append(critic(image))  # in bf16 on a CPU a critic's loss was no number now and then
            if scale + 1 < len(self.critics):
                image = functional.avg_pool3d(image, 2)  # (b, c, d, h, w) -> (b, c, d / 2, h / 2, w / 2)
        return found


def _one_scale(options: Patch, inputs: int) -> nn.Sequential:
    widths = [options.channels * min(2**n, 8) for n in range(options.layers + 1)]
    layers: list[nn.Module] = [_conv(options, inputs, widths[0], 2), nn.LeakyReLU(0.2)]
    for number, (a, b) in enumerate(pairwise(widths), start=1):
        stride = 2 if number < options.layers else 1
        layers += [
            _conv(options, a, b, stride),
            *([] if options.spectral else [normalisation(b, options.norm)]),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*layers, _conv(options, widths[-1], 1, 1))


def _conv(options: Patch, inputs: int, outputs: int, stride: int) -> nn.Module:
    conv = nn.Conv3d(inputs, outputs, 4, stride=stride, padding=1)
    return spectral_norm(conv) if options.spectral else conv
