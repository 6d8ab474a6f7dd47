"""DAUNet: a 3D U-Net with attention gates on the long skips and deep supervision at every decoder level.

Attention gates: Oktay et al. 2018, arXiv:1804.03999. The family of dong2019 (Radiother Oncol 2019;141:192); that
paper's layer sizes are not public: a reimplementation. Ours are the folded stem (neighbouring voxels become
channels, so that width is paid for on a coarser grid) and the last stage on the full grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 8
"""Groups of every GroupNorm; channel counts are multiples of it."""


@dataclass(frozen=True)
class DAUNet:
    """Options of the network.

    fold              voxels (slices, rows, columns) folded into channels before the first convolution
    channels          features of each level, finest first; each further level halves the grid
    fine_channels     features of the last stage on the full grid
    attention         gates on the long skips
    deep_supervision  a head at every decoder level, used in training only
    fine_residual     the last stage is a residual block, not one convolution
    """

    fold: tuple[int, int, int] = (2, 2, 2)
    channels: tuple[int, ...] = (48, 96, 144, 144)
    fine_channels: int = 16
    attention: bool = True
    deep_supervision: bool = True
    fine_residual: bool = False
    network: Literal["daunet"] = "daunet"

    @property
    def depths(self) -> tuple[int, ...]:
        """Residual blocks of each encoder level."""
        return (1,) * len(self.channels)

    @property
    def multiple(self) -> tuple[int, int, int]:
        """Sizes (slices, rows, columns) of an input must be multiples of this."""
        return multiple_of(self)

    def build(self, inputs: int, outputs: int) -> AttentionUNet:
        """The network for this many input images and output organs, weights at random."""
        return AttentionUNet(self, inputs, outputs)


class UNetOptions(Protocol):
    """What any U-Net of this family is told; fields as in ``DAUNet``."""

    @property
    def fold(self) -> tuple[int, int, int]: ...
    @property
    def channels(self) -> tuple[int, ...]: ...
    @property
    def depths(self) -> tuple[int, ...]: ...
    @property
    def fine_channels(self) -> int: ...
    @property
    def attention(self) -> bool: ...
    @property
    def deep_supervision(self) -> bool: ...
    @property
    def fine_residual(self) -> bool: ...


def multiple_of(options: UNetOptions) -> tuple[int, int, int]:
    """Sizes (slices, rows, columns) of an input must be multiples of this."""
    halvings = 2 ** (len(options.channels) - 1)
    a, b, c = (n * halvings for n in options.fold)
    return a, b, c


def encoder_levels(options: UNetOptions, inputs: int) -> nn.ModuleList:
    """The way down for this many input images, finest level first; each level but the first halves the grid."""
    folded = inputs * options.fold[0] * options.fold[1] * options.fold[2]
    levels = nn.ModuleList()
    for level, (above, width, depth) in enumerate(
        zip((folded, *options.channels[:-1]), options.channels, options.depths, strict=True)
    ):
        first = ResidualBlock(above, width, stride=1 if level == 0 else 2)
        levels.append(first if depth == 1 else nn.Sequential(first, *(ResidualBlock(width, width) for _ in range(depth - 1))))
    return levels


class AttentionUNet(nn.Module):
    """(b, inputs, d, h, w) image -> (b, outputs, d, h, w) logits, one sigmoid per organ."""

    def __init__(self, options: UNetOptions, inputs: int, outputs: int) -> None:
        super().__init__()
        self.options = options
        fold, widths = options.fold, options.channels
        self.encoders = encoder_levels(options, inputs)
        self.decoders = nn.ModuleList(UpBlock(below, width, options.attention) for width, below in pairwise(widths))
        self.unfold = nn.Conv3d(widths[0], options.fine_channels * fold[0] * fold[1] * fold[2], 1)
        fine = ResidualBlock if options.fine_residual else ConvNorm
        self.fine = fine(options.fine_channels + inputs, options.fine_channels)
        self.head = nn.Conv3d(options.fine_channels, outputs, 1)
        levels = len(widths) - 1 if options.deep_supervision else 0
        self.deep_heads = nn.ModuleList(nn.Conv3d(width, outputs, 1) for width in widths[:levels])

    def forward(self, image: Tensor) -> Tensor:
        """Logits on the full grid. Raises ValueError for a size that cannot be halved, naming the next that fits."""
        return self._finest(image, self._decoded(image)[0])

    def forward_deep(self, image: Tensor) -> list[Tensor]:
        """Logits of every level, the full grid first, then each decoder level from fine to coarse."""
        features = self._decoded(image)
        deep = [head(x) for head, x in zip(self.deep_heads, features, strict=False)]
        return [self._finest(image, features[0]), *deep]

    def forward_features(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits on the full grid, and the last two feature maps before them, coarse and fine: what the network made of it."""
        coarse = self._decoded(image)[0]
        fine = self._fine_features(image, coarse)
        logits: Tensor = self.head(fine)
        return logits, [coarse, fine]

    def start_from_frequencies(self, shares: Tensor) -> None:
        """Let every head begin by predicting each organ's share of the voxels, ``shares`` (outputs,) in 0..1."""
        logits = torch.logit(shares.clamp(1e-5, 1 - 1e-5))
        for head in (self.head, *self.deep_heads):
            with torch.no_grad():
                head.bias.copy_(logits)

    def _decoded(self, image: Tensor) -> list[Tensor]:
        """Features of the decoder levels, finest first."""
        self._must_fit(image)
        skips = self._encoded(image)
        x = skips[-1]
        features: list[Tensor] = []
        for decoder, skip in zip(reversed(self.decoders), reversed(skips[:-1]), strict=True):
            x = decoder(x, skip)
            features.insert(0, x)
        return features

    def _encoded(self, image: Tensor) -> list[Tensor]:
        """Features of the encoder levels, finest first."""
        return descend(self.encoders, fold(image, self.options.fold))  # (b, c, d, h, w) -> (b, c * 8, d / 2, h / 2, w / 2)

    def _finest(self, image: Tensor, features: Tensor) -> Tensor:
        logits: Tensor = self.head(self._fine_features(image, features))
        return logits

    def _fine_features(self, image: Tensor, features: Tensor) -> Tensor:
        x = unfold(self.unfold(features), self.options.fold)  # (b, 48, d / 2, ...) -> (b, 16, d, h, w)
        fine: Tensor = self.fine(torch.cat([x, image], dim=1))
        return fine

    def _must_fit(self, image: Tensor) -> None:
        size, multiple = tuple(image.shape[2:]), multiple_of(self.options)
        if any(n % m for n, m in zip(size, multiple, strict=True)):
            fits = tuple(-(-n // m) * m for n, m in zip(size, multiple, strict=True))
            raise ValueError(f"an input of {size} cannot be halved down to the last level; the next size that fits is {fits}")


def descend(levels: nn.ModuleList, x: Tensor) -> list[Tensor]:
    """What each level makes of what is above it, finest first."""
    seen = []
    for level in levels:
        x = level(x)
        seen.append(x)
    return seen


class ConvNorm(nn.Sequential):
    """3x3x3 convolution, GroupNorm, SiLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.GroupNorm(GROUPS, outputs), nn.SiLU()
        )


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut; the first may halve the grid."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, stride)
        self.second = nn.Sequential(nn.Conv3d(outputs, outputs, 3, padding=1, bias=False), nn.GroupNorm(GROUPS, outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)  # (b, inputs, d, h, w) -> (b, outputs, d / stride, ...)
        return functional.silu(x + self.second(x))


class UpBlock(nn.Module):
    """Bring the coarser features up, gate the skip by them, join both."""

    def __init__(self, below: int, width: int, attention: bool) -> None:
        super().__init__()
        self.narrow = nn.Conv3d(below, width, 1)
        self.gate = AttentionGate(width, below) if attention else None
        self.block = ResidualBlock(2 * width, width)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        x = functional.interpolate(self.narrow(coarse), size=skip.shape[2:], mode="trilinear", align_corners=False)
        kept = skip if self.gate is None else self.gate(skip, coarse)
        joined: Tensor = self.block(torch.cat([x, kept], dim=1))
        return joined


class AttentionGate(nn.Module):
    """out = skip * up(sigmoid(psi(relu(W_x skip + W_g coarse)))), Oktay 2018: the coarser level tells where to look."""

    def __init__(self, skip: int, coarse: int) -> None:
        super().__init__()
        inner = max(GROUPS, skip // 2 // GROUPS * GROUPS)
        self.from_skip = nn.Sequential(nn.Conv3d(skip, inner, 1, stride=2, bias=False), nn.GroupNorm(GROUPS, inner))
        self.from_coarse = nn.Sequential(nn.Conv3d(coarse, inner, 1, bias=False), nn.GroupNorm(GROUPS, inner))
        self.psi = nn.Conv3d(inner, 1, 1)

    def forward(self, skip: Tensor, coarse: Tensor) -> Tensor:
        look = torch.sigmoid(self.psi(functional.relu(self.from_skip(skip) + self.from_coarse(coarse))))  # (b, 1, d / 2, ...)
        return skip * functional.interpolate(look, size=skip.shape[2:], mode="trilinear", align_corners=False)


def fold(image: Tensor, by: tuple[int, int, int]) -> Tensor:
    """Neighbouring voxels into channels: (n, c, d, h, w) -> (n, c * by[0] * by[1] * by[2], d / by[0], h / by[1], w / by[2])."""
    n, channels, depth, height, width = image.shape
    x = image.view(n, channels, depth // by[0], by[0], height // by[1], by[1], width // by[2], by[2])
    x = x.permute(0, 1, 3, 5, 7, 2, 4, 6)
    return x.reshape(n, channels * by[0] * by[1] * by[2], depth // by[0], height // by[1], width // by[2])


def unfold(image: Tensor, by: tuple[int, int, int]) -> Tensor:
    """The inverse of ``fold``: channels back into neighbouring voxels."""
    n, folded, depth, height, width = image.shape
    channels = folded // (by[0] * by[1] * by[2])
    x = image.view(n, channels, *by, depth, height, width).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(n, channels, depth * by[0], height * by[1], width * by[2])
