"""Segmenters beside `daunet`, of the same family: `residual_unet` and `dual_pyramid`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from rtseg.nets.daunet import AttentionUNet, DAUNet, UNetOptions, descend, encoder_levels, fold, multiple_of


@dataclass(frozen=True)
class ResidualUNet:
    """Options of `residual_unet`: a deep residual encoder on the full grid, plain skips (nnU-Net's ResEnc, arXiv:2404.09556).

    channels  features of each level, finest first; each further level halves the grid
    depths    residual blocks of each level
    """

    channels: tuple[int, ...] = (32, 64, 128, 256, 320)
    depths: tuple[int, ...] = (1, 3, 4, 6, 6)
    fine_channels: int = 32
    deep_supervision: bool = True
    network: Literal["residual_unet"] = "residual_unet"

    @property
    def fold(self) -> tuple[int, int, int]:
        """Nothing is folded."""
        return (1, 1, 1)

    @property
    def attention(self) -> bool:
        return False

    @property
    def fine_residual(self) -> bool:
        return False

    @property
    def multiple(self) -> tuple[int, int, int]:
        """Sizes (slices, rows, columns) of an input must be multiples of this."""
        return multiple_of(self)

    def build(self, inputs: int, outputs: int) -> AttentionUNet:
        """The network for this many input images and output organs, weights at random."""
        return AttentionUNet(self, inputs, outputs)


@dataclass(frozen=True)
class DualPyramid:
    """Options of `dual_pyramid`: two encoders, of the CT and of the synthetic MR, fused level by level; one decoder.

    After lei2021 and dai2021, whose layer sizes are not public: a reimplementation. Options as in ``DAUNet``.
    """

    fold: tuple[int, int, int] = (2, 2, 2)
    channels: tuple[int, ...] = (48, 96, 144, 144)
    fine_channels: int = 16
    attention: bool = True
    deep_supervision: bool = True
    fine_residual: bool = False
    network: Literal["dual_pyramid"] = "dual_pyramid"

    @property
    def depths(self) -> tuple[int, ...]:
        """Residual blocks of each encoder level."""
        return (1,) * len(self.channels)

    @property
    def multiple(self) -> tuple[int, int, int]:
        """Sizes (slices, rows, columns) of an input must be multiples of this."""
        return multiple_of(self)

    def build(self, inputs: int, outputs: int) -> DualPyramidUNet:
        """The network for this many input images, the last of them the synthetic MR. Raises ValueError for fewer than two."""
        return DualPyramidUNet(self, inputs, outputs)


SegmenterNet = DAUNet | ResidualUNet | DualPyramid
"""The options of any segmenter."""


class DualPyramidUNet(AttentionUNet):
    """(b, inputs, d, h, w), the CT's windows and then the synthetic MR -> (b, outputs, d, h, w) logits."""

    def __init__(self, options: UNetOptions, inputs: int, outputs: int) -> None:
        if inputs < 2:
            raise ValueError(f"dual_pyramid needs the CT and the synthetic MR, got {inputs} image")
        super().__init__(options, inputs, outputs)
        self.encoders = encoder_levels(options, inputs - 1)
        self.mr_encoders = encoder_levels(options, 1)
        self.fusions = nn.ModuleList(Fusion(width) for width in options.channels)

    def _encoded(self, image: Tensor) -> list[Tensor]:
        of_ct = descend(self.encoders, fold(image[:, :-1], self.options.fold))
        of_mr = descend(self.mr_encoders, fold(image[:, -1:], self.options.fold))
        return [fusion(ct, mr) for fusion, ct, mr in zip(self.fusions, of_ct, of_mr, strict=True)]


class Fusion(nn.Module):
    """a * CT + (1 - a) * MR, where a, for each feature and voxel, is told by both."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.Conv3d(2 * width, width, 1)

    def forward(self, ct: Tensor, mr: Tensor) -> Tensor:
        share = torch.sigmoid(self.look(torch.cat([ct, mr], dim=1)))
        return share * ct + (1 - share) * mr
