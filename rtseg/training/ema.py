"""The exponential moving average of a network: what is validated and shipped."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards ``net``; early on with a shorter memory, so that the random start is forgotten."""
    keep = min(decay, (1 + step) / (10 + step))
    for ours, theirs in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if ours.dtype.is_floating_point:
            ours.lerp_(theirs, 1 - keep)
        else:
            ours.copy_(theirs)
