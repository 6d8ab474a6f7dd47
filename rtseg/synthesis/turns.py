"""The fixed transforms of geometric consistency: voxel by voxel, so that turning there and back changes nothing.

GcGAN (Fu 2019, arXiv:1809.05852) turns pictures; ours act on (b, c, slices, rows, columns). Left and right are never mirrored.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Turn = Literal["rot90", "vf", "si"]
"""rot90: a quarter turn in the axial plane, clockwise; vf: anterior to posterior; si: the order of slices."""

ROWS, COLUMNS, SLICES = 3, 4, 2


def turned(image: Tensor, turn: Turn) -> Tensor:
    """The image turned. Raises ValueError for a quarter turn of patches that are not square in plane."""
    if turn == "rot90":
        _must_be_square(image)
        return torch.rot90(image, -1, (ROWS, COLUMNS))
    return image.flip(ROWS if turn == "vf" else SLICES)


def turned_back(image: Tensor, turn: Turn) -> Tensor:
    """The inverse of ``turned``."""
    return torch.rot90(image, 1, (ROWS, COLUMNS)) if turn == "rot90" else turned(image, turn)


def _must_be_square(image: Tensor) -> None:
    rows, columns = image.shape[ROWS], image.shape[COLUMNS]
    if rows != columns:
        raise ValueError(
            f"a quarter turn needs as many rows as columns, got {rows} x {columns}; take square patches, or vf or si"
        )
