"""What a segmenter looks at: the CT through several windows, each a channel, and the synthetic MR as another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Window = tuple[float, float]

AIR = -1.0
"""Value of air in every channel; padding beyond the scan has it too."""


def through_windows(hu: Tensor, windows_hu: Sequence[Window]) -> Tensor:
    """(b, 1, d, h, w) HU -> (b, windows, d, h, w) in -1..1: each window's range linear, beyond it cut."""
    return torch.cat([((hu - low) * (2 / (high - low)) - 1).clamp(-1, 1) for low, high in windows_hu], dim=1)


def channels(hu: Tensor, windows_hu: Sequence[Window], smr: Tensor | None) -> Tensor:
    """(b, channels, d, h, w): the CT's windows, then the synthetic MR (b, 1, d, h, w) in -1..1 if there is one."""
    seen = [through_windows(hu, windows_hu)] if windows_hu else []
    return torch.cat([*seen, *([] if smr is None else [smr])], dim=1)
