"""The segmentation loss on eight voxels, by hand."""

from __future__ import annotations

from math import log, sqrt

import pytest
import torch
from torch import Tensor

from rtseg.segmentation.loss import Positives, deep_loss, organ_loss
from rtseg.training import Batch

LN2 = log(2)
"""Cross-entropy of a logit of 0, whatever the truth."""


def voxels(*organs: list[float], patients: int = 1) -> Tensor:
    """(patients, organs, 2, 2, 2), the same for each patient."""
    return torch.tensor(organs).view(1, len(organs), 2, 2, 2).repeat(patients, 1, 1, 1, 1)


ONE = [1.0, 0, 0, 0, 0, 0, 0, 0]
NOWHERE = [0.0] * 8
ALL = [1.0] * 8


def loss(logits: Tensor, target: Tensor, known: Tensor, positives: list[float]) -> float:
    return float(organ_loss(logits, target, known, torch.tensor(positives), torch.tensor(1.0)))


def test_half_certain_of_one_voxel_in_eight() -> None:
    # p = 1/2 everywhere: Dice (2 * 1/2 + 1) / (4 + 1 + 1) = 1/3
    assert loss(voxels(NOWHERE), voxels(ONE), voxels(ALL), [1.0]) == pytest.approx(LN2 + 2 / 3)


def test_without_dice_cross_entropy_is_left() -> None:
    without = organ_loss(voxels(NOWHERE), voxels(ONE), voxels(ALL), torch.ones(1), torch.tensor(0.0))
    assert float(without) == pytest.approx(LN2)


def test_positives_weigh_more() -> None:
    # the organ's one voxel counts three times: (3 + 7) / 8
    assert loss(voxels(NOWHERE), voxels(ONE), voxels(ALL), [3.0]) == pytest.approx(10 / 8 * LN2 + 2 / 3)


def test_certain_and_right_costs_nothing() -> None:
    logits = 60 * voxels(ONE) - 30
    assert loss(logits, voxels(ONE), voxels(ALL), [1.0]) == pytest.approx(0, abs=1e-6)


def test_half_a_voxel_is_a_target_of_its_own() -> None:
    # one voxel half full: Dice (2 * 1/4 + 1) / (4 + 1/2 + 1)
    assert loss(voxels(NOWHERE), voxels(ONE) / 2, voxels(ALL), [1.0]) == pytest.approx(LN2 + 1 - 1.5 / 5.5)


def test_unknown_voxels_teach_nothing() -> None:
    known = voxels([1.0, 1, 1, 1, 0, 0, 0, 0])
    logits = torch.randn(1, 1, 2, 2, 2, generator=torch.Generator().manual_seed(1), requires_grad=True)
    organ_loss(logits, voxels([1.0, 0, 0, 0, 1, 1, 0, 0]), known, torch.ones(1), torch.tensor(1.0)).backward()  # type: ignore[no-untyped-call]

    assert logits.grad is not None
    assert (logits.grad[known == 0] == 0).all()
    assert (logits.grad[known == 1] != 0).all()
    # and they do not count: four known voxels, p = 1/2, Dice (1 + 1) / (2 + 1 + 1)
    assert loss(voxels(NOWHERE), voxels([1.0, 0, 0, 0, 1, 1, 0, 0]), known, [1.0]) == pytest.approx(LN2 + 1 / 2)


def test_an_organ_nowhere_in_the_step_has_no_dice() -> None:
    # the second organ is known to be absent: cross-entropy yes, Dice no
    assert loss(voxels(NOWHERE, NOWHERE), voxels(ONE, NOWHERE), voxels(ALL, ALL), [1.0, 9.0]) == pytest.approx(LN2 + 2 / 3)


def test_an_organ_nobody_contoured_does_not_count() -> None:
    certain_and_wrong = voxels(NOWHERE, [30.0] * 8)
    assert loss(certain_and_wrong, voxels(ONE, NOWHERE), voxels(ALL, NOWHERE), [1.0, 1.0]) == pytest.approx(LN2 + 2 / 3)


def test_a_step_in_which_nothing_is_known_costs_nothing() -> None:
    logits = voxels(NOWHERE).requires_grad_()
    value = organ_loss(logits, voxels(ONE), voxels(NOWHERE), torch.ones(1), torch.tensor(1.0))
    value.backward()  # type: ignore[no-untyped-call]

    assert value == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_dice_sums_over_the_patients_of_a_step() -> None:
    # one voxel in the first patient, none in the second: (2 * 1/2 + 1) / (8 + 1 + 1), not the mean of two fractions
    target = torch.cat([voxels(ONE), voxels(NOWHERE)])
    assert loss(voxels(NOWHERE, patients=2), target, voxels(ALL, patients=2), [1.0]) == pytest.approx(LN2 + 0.8)


def test_coarse_levels_are_held_against_shares() -> None:
    # one coarse voxel, one eighth full: Dice (2 * 1/16 + 1) / (1/2 + 1/8 + 1); it weighs half of the full grid
    batch = Batch(voxels(NOWHERE), voxels(ONE), voxels(ALL) > 0)
    levels = [voxels(NOWHERE), torch.zeros(1, 1, 1, 1, 1)]
    fine, coarse = LN2 + 2 / 3, LN2 + 1 - 1.125 / 1.625

    assert float(deep_loss(levels, batch, torch.ones(1), torch.tensor(1.0))) == pytest.approx((fine + coarse / 2) / 1.5)


def test_a_coarse_voxel_that_is_partly_unknown_teaches_nothing() -> None:
    batch = Batch(voxels(NOWHERE), voxels(ONE), voxels([1.0] * 7 + [0.0]) > 0)
    coarse = torch.zeros(1, 1, 1, 1, 1, requires_grad=True)
    deep_loss([voxels(NOWHERE), coarse], batch, torch.ones(1), torch.tensor(1.0)).backward()  # type: ignore[no-untyped-call]

    assert coarse.grad is not None
    assert float(coarse.grad) == 0


def test_rare_organs_weigh_more_within_limits() -> None:
    weights = Positives(voxels=20000, ceiling=30, anneal_steps=0).weights(torch.tensor([2000.0, 100.0, 50000.0, 0.0]), 10**6)
    # 20000 / 2000; 200 and infinity are cut to 30; 0.4 is raised to 1
    assert weights.tolist() == pytest.approx([10, 30, 1, 30])


@pytest.mark.parametrize(("step", "weight"), [(0, 16), (50, sqrt(16)), (100, 1), (5000, 1)])
def test_weights_fall_to_one_so_that_half_means_half(step: int, weight: float) -> None:
    positives = Positives(voxels=16000, ceiling=30, anneal_steps=100)
    assert float(positives.weights(torch.tensor([1000.0]), step)) == pytest.approx(weight)
