"""The exponential moving average of a network: what is validated and shipped."""

from __future__ import annotations

from itertools import compress

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards ``net``; early on with a shorter memory, so that the random start is forgotten."""
    keep = min(decay, (1 + step) / (10 + step))
    ours, theirs = list(average.state_dict().values()), list(net.state_dict().values())
    moving = [value.dtype.is_floating_point for value in ours]
    get_ema_multi_avg_fn(keep)(list(compress(ours, moving)), list(compress(theirs, moving)), None)  # type: ignore[no-untyped-call]
    for old, new, is_moving in zip(ours, theirs, moving, strict=True):
        if not is_moving:
            old.copy_(new)
