"""Generators: one image into another of the same size, values in -1..1.

`resnet` (Johnson 2016, as in CycleGAN and GcGAN) and `dense_resnet` (dense blocks at the bottom, after papers whose layer sizes
are not public: a reimplementation) share the way down and up. `unet_generator` is that of pix2pix (Isola 2017), by option with
attention gates on its skips. All in 3D; the end convolutions are 3 x 3 x 3: 7 x 7 x 7 would cost half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtseg.nets.daunet import AttentionGate

Norm = Literal["group", "instance", "voxel"]
"""group, instance: statistics of features over the patch. voxel: over the features of each voxel alone (layer normalisation), so
that what a network makes of a place does not depend on what else is in its window."""

CHANNELS_A_GROUP = 8
"""Of every GroupNorm."""


@dataclass(frozen=True)
class Resnet:
    """Options of `resnet`.

    channels  features on the full grid; each halving doubles them
    halvings  of the grid on the way down
    blocks    residual blocks at the bottom
    skips     what is on the way down is added on the way up: edges stay where they are
    """

    channels: int = 16
    halvings: int = 2
    blocks: int = 6
    skips: bool = False
    norm: Norm = "group"
    network: Literal["resnet"] = "resnet"

    @property
    def multiple(self) -> int:
        """Sizes of an input must be multiples of this."""
        return int(2**self.halvings)

    def build(self, inputs: int = 1, outputs: int = 1) -> HourglassGenerator:
        """The network, weights at random."""
        width = self.channels * self.multiple
        middle = nn.Sequential(*(Residual(width, self.norm) for _ in range(self.blocks)))
        return HourglassGenerator(self, middle, inputs, outputs)


@dataclass(frozen=True)
class DenseResnet:
    """Options of `dense_resnet`: as ``Resnet``, with dense blocks of ``layers`` layers that add ``growth`` features each."""

    channels: int = 16
    halvings: int = 2
    blocks: int = 6
    layers: int = 4
    growth: int = 16
    skips: bool = False
    norm: Norm = "group"
    network: Literal["dense_resnet"] = "dense_resnet"

    @property
    def multiple(self) -> int:
        return int(2**self.halvings)

    def build(self, inputs: int = 1, outputs: int = 1) -> HourglassGenerator:
        width = self.channels * self.multiple
        middle = nn.Sequential(*(Dense(width, self.layers, self.growth, self.norm) for _ in range(self.blocks)))
        return HourglassGenerator(self, middle, inputs, outputs)


@dataclass(frozen=True)
class UNetGenerator:
    """Options of `unet_generator`: features of each level, finest first; dropout of the deepest decoder levels, in training."""

    channels: tuple[int, ...] = (32, 64, 128, 128)
    attention: bool = False
    dropout: float = 0.5
    dropout_levels: int = 1
    norm: Norm = "group"
    network: Literal["unet_generator"] = "unet_generator"

    @property
    def multiple(self) -> int:
        return int(2 ** len(self.channels))

    def build(self, inputs: int = 1, outputs: int = 1) -> StridedUNet:
        return StridedUNet(self, inputs, outputs)


Generator = Resnet | DenseResnet | UNetGenerator
"""The options of any generator."""


class HourglassGenerator(nn.Module):
    """(b, inputs, d, h, w) -> (b, outputs, d, h, w): down, through the middle, up again by resize-convolutions."""

    def __init__(self, options: Resnet | DenseResnet, middle: nn.Module, inputs: int, outputs: int) -> None:
        super().__init__()
        self.options = options
        widths = [options.channels * 2**level for level in range(options.halvings + 1)]
        self.stem = convolution(inputs, widths[0], options.norm)
        self.down = nn.ModuleList(convolution(a, b, options.norm, stride=2) for a, b in pairwise(widths))
        self.middle = middle
        self.up = nn.ModuleList(convolution(b, a, options.norm) for a, b in pairwise(widths))
        self.head = nn.Conv3d(widths[0], outputs, 3, padding=1, padding_mode="replicate")

    def forward(self, image: Tensor) -> Tensor:
        """Values in -1..1. Raises ValueError for a size that cannot be halved, naming the next that fits."""
        must_fit(image, self.options.multiple)
        x = self.stem(image)
        passed = []
        for down in self.down:
            passed.append(x)
            x = down(x)  # (b, c, d, h, w) -> (b, 2 c, d / 2, h / 2, w / 2)
        x = self.middle(x)
        for up, there in zip(reversed(self.up), reversed(passed), strict=True):
            x = up(doubled(x))
            x = x + there if self.options.skips else x
        return torch.tanh(self.head(x))


class StridedUNet(nn.Module):
    """(b, inputs, d, h, w) -> (b, outputs, d, h, w): 4 x 4 x 4 convolutions that halve, skips joined on the way up."""

    def __init__(self, options: UNetGenerator, inputs: int, outputs: int) -> None:
        super().__init__()
        self.options = options
        widths = options.channels
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv3d(a, b, 4, stride=2, padding=1), normalisation(b, options.norm), nn.LeakyReLU(0.2))
            for a, b in pairwise((inputs, *widths))
        )
        deep = len(widths) - 1 - options.dropout_levels
        self.up = nn.ModuleList(
            Joined(below, here, options.norm, options.attention, options.dropout if level >= deep else 0.0)
            for level, (here, below) in enumerate(pairwise(widths))
        )
        self.last = convolution(widths[0], widths[0], options.norm)
        self.head = nn.Conv3d(widths[0], outputs, 3, padding=1, padding_mode="replicate")

    def forward(self, image: Tensor) -> Tensor:
        """Values in -1..1. Raises ValueError for a size that cannot be halved, naming the next that fits."""
        must_fit(image, self.options.multiple)
        passed, x = [], image
        for down in self.down:
            x = down(x)  # (b, c, d, h, w) -> (b, c', d / 2, h / 2, w / 2)
            passed.append(x)
        for up, there in zip(reversed(self.up), reversed(passed[:-1]), strict=True):
            x = up(x, there)
        return torch.tanh(self.head(self.last(doubled(x))))


class Joined(nn.Module):
    """Bring the coarser features up and join what was on the way down, gated by them if asked for."""

    def __init__(self, below: int, here: int, norm: Norm, attention: bool, dropout: float) -> None:
        super().__init__()
        self.up = convolution(below, here, norm)
        self.gate = AttentionGate(here, below) if attention else None
        self.join = nn.Sequential(convolution(2 * here, here, norm), nn.Dropout3d(dropout))

    def forward(self, coarse: Tensor, there: Tensor) -> Tensor:
        kept = there if self.gate is None else self.gate(there, coarse)
        joined: Tensor = self.join(torch.cat([self.up(doubled(coarse)), kept], dim=1))
        return joined


class Residual(nn.Module):
    """Two convolutions beside a way past them; nothing after the sum (He 2016, as in Johnson 2016)."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        second = nn.Conv3d(width, width, 3, padding=1, padding_mode="replicate", bias=False)
        self.inner = nn.Sequential(convolution(width, width, norm), second, normalisation(width, norm))

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.inner(x)
        return changed


class Dense(nn.Module):
    """Layers that each see all before them; a 1 x 1 x 1 convolution brings their features back to the width."""

    def __init__(self, width: int, layers: int, growth: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.ModuleList(convolution(width + n * growth, growth, norm) for n in range(layers))
        self.narrow = nn.Conv3d(width + layers * growth, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for layer in self.layers:
            seen = torch.cat([seen, layer(seen)], dim=1)  # (b, c, ...) -> (b, c + growth, ...)
        changed: Tensor = x + self.narrow(seen)
        return changed


def convolution(inputs: int, outputs: int, norm: Norm, stride: int = 1) -> nn.Sequential:
    """3 x 3 x 3 convolution, normalisation, ReLU; the border is repeated: zeros would be bright in air."""
    conv = nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, padding_mode="replicate", bias=False)
    return nn.Sequential(conv, normalisation(outputs, norm), nn.ReLU())


def normalisation(width: int, norm: Norm) -> nn.Module:
    """Of ``width`` features; instance normalisation with its own scale and shift."""
    if norm == "instance":
        return nn.InstanceNorm3d(width, affine=True)
    if norm == "voxel":
        return VoxelNorm(width)
    return nn.GroupNorm(max(1, width // CHANNELS_A_GROUP), width)


class VoxelNorm(nn.LayerNorm):
    """Layer normalisation over the features of each voxel."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, d, h, w); where channels are stored last nothing is copied."""
        return super().forward(x.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)


def must_fit(image: Tensor, multiple: int) -> None:
    """Raises ValueError unless every side is a multiple, naming the size that fits."""
    size = tuple(image.shape[2:])
    if any(n % multiple for n in size):
        fits = tuple(-(-n // multiple) * multiple for n in size)
        raise ValueError(f"an input of {size} cannot be halved down to the last level; the next size that fits is {fits}")


def doubled(x: Tensor) -> Tensor:
    """Twice the size along each axis, linear: no checkerboard of strided convolutions."""
    return functional.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False)
