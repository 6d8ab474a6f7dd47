"""The segmentation loss: one sigmoid per organ, only where an organ's presence or absence is known (SYSTEMS.md, section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rtseg.training import Batch

SMOOTHING_VOXELS = 1.0
"""Added to both sides of the Dice fraction: one voxel, so that emptiness is not rewarded."""


@dataclass(frozen=True)
class Positives:
    """How much an organ's own voxels count in the cross-entropy.

    The weight is ``voxels`` / (mean voxels of the organ), between 1 and ``ceiling``; over the first
    ``anneal_steps`` it falls to 1, so that a probability of one half means one half in the end. 0: it stays.
    """

    voxels: float = 20000.0
    ceiling: float = 30.0
    anneal_steps: int = 0

    def weights(self, mean_voxels: Tensor, step: int) -> Tensor:
        """(organs,) weights at a step."""
        first = (self.voxels / mean_voxels.clamp(min=1)).clamp(1, self.ceiling)
        if self.anneal_steps == 0:
            return first
        return first ** max(0.0, 1 - step / self.anneal_steps)


def deep_loss(levels: Sequence[Tensor], batch: Batch, positives: Tensor, dice: Tensor) -> Tensor:
    """Mean over the levels of logits (full grid first), each weighing half of the finer one.

    Coarser levels are held against the share of each of their voxels that the organ fills, never a picked voxel.
    """
    weights = [2.0**-level for level in range(len(levels))]
    total = sum(w * _level_loss(logits, batch, positives, dice) for w, logits in zip(weights, levels, strict=True))
    return torch.as_tensor(total) / sum(weights)


def _level_loss(logits: Tensor, batch: Batch, positives: Tensor, dice: Tensor) -> Tensor:
    target, known = batch.organs, batch.known
    depth, height, width = logits.shape[2:]
    if logits.shape[2:] != target.shape[2:]:
        target = functional.adaptive_avg_pool3d(target, (depth, height, width))
        known = functional.adaptive_avg_pool3d(known.float(), (depth, height, width)) > 0.999
    return organ_loss(logits.float(), target, known.float(), positives, dice)


def organ_loss(logits: Tensor, target: Tensor, known: Tensor, positives: Tensor, dice: Tensor) -> Tensor:
    """Weighted binary cross-entropy plus ``dice`` times batch Dice, both over known voxels alone; a scalar.

    logits, target, known: (b, organs, d, h, w), target 0..1, known 0 or 1; positives (organs,); dice a scalar. Dice
    sums volumes over the batch and leaves out organs that are nowhere in it.
    """
    over = (0, 2, 3, 4)
    entropy = functional.binary_cross_entropy_with_logits(
        logits, target, weight=known, pos_weight=positives.view(-1, 1, 1, 1), reduction="none"
    ).sum(over) / known.sum(over).clamp(min=1)
    probability = torch.sigmoid(logits) * known
    target = target * known
    volume = target.sum(over)
    overlap = (2 * (probability * target).sum(over) + SMOOTHING_VOXELS) / (probability.sum(over) + volume + SMOOTHING_VOXELS)
    seen, there = known.sum(over) > 0, volume > 0
    return _mean(entropy, seen) + dice * _mean(1 - overlap, there)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
