"""Terms on images that are known: each value by hand; what is made once is made once."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from rtseg.synthesis.images import CT_CRITIC, CT_TO_MR, MR_CRITIC, MR_TO_CT, TURNED_MR_CRITIC, StepImages
from rtseg.synthesis.terms import Adversarial, Cycle, GradientDifference, Identity, StructuralSimilarity, Voxel

CT, MR = torch.full((1, 1, 8, 8, 8), 0.5), torch.full((1, 1, 8, 8, 8), 0.25)


class Times(nn.Module):
    """A generator that multiplies, and counts how often it is asked."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.asked = factor, 0

    def forward(self, image: Tensor) -> Tensor:
        self.asked += 1
        return self.factor * image


class Says(nn.Module):
    """A critic of two scales that says the mean of what it sees, and twice that."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image.mean().view(1, 1), 2 * image.mean().view(1, 1)]


def images(**more: nn.Module) -> StepImages:
    return StepImages(CT, MR, {CT_TO_MR: Times(0.5), MR_TO_CT: Times(3.0), **more})


def test_a_cycle_adds_what_is_lost_on_both_ways():
    """0.5 becomes 0.25, comes back as 0.75; 0.25 becomes 0.75, comes back as 0.375."""
    assert Cycle()(images()).item() == pytest.approx(0.25 + 0.125)
    assert Cycle(distance="l2")(images()).item() == pytest.approx(0.25**2 + 0.125**2)


def test_identity_adds_what_each_way_does_to_its_own_kind():
    """MR 0.25 becomes 0.125, CT 0.5 becomes 1.5; the turned MR too where it has a critic."""
    assert Identity()(images()).item() == pytest.approx(0.125 + 1.0)
    assert Identity()(images(turned_mr_critic=Says())).item() == pytest.approx(0.125 + 1.0 + 0.125)
    one_way = StepImages(CT, MR, {CT_TO_MR: Times(0.5)})
    assert Identity()(one_way).item() == pytest.approx(0.125)


def test_voxel_compares_both_ways_inside_the_mask():
    """The CT becomes 0.25 as the MR is; the MR becomes 0.75 for 0.5. Half of the voxels count: the mean stays."""
    mask = torch.zeros_like(CT)
    mask[:, :, :4] = 1
    both = images()
    both.mask = mask
    assert Voxel()(both).item() == pytest.approx(0.25)
    assert GradientDifference()(both).item() == 0
    assert StructuralSimilarity()(both).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("lsgan", ((0.25 - 1) ** 2 + (0.5 - 1) ** 2) / 2),
        ("bce", (math.log1p(math.exp(-0.25)) + math.log1p(math.exp(-0.5))) / 2),
        ("hinge", -(0.25 + 0.5) / 2),
    ],
)
def test_generators_wish_to_be_taken_for_real(mode, expected):
    """The made MR is 0.25, so the critic says 0.25 and 0.5."""
    assert Adversarial(mode=mode)(images(mr_critic=Says())).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("lsgan", ((0.8 - 1) ** 2 + 0.3**2) / 2),
        ("bce", (math.log1p(math.exp(-0.8)) + math.log1p(math.exp(0.3))) / 2),
        ("hinge", (1 - 0.8) + (1 + 0.3)),
    ],
)
def test_critics_tell_real_from_made(mode, expected):
    scores = [torch.tensor([[0.8]])], [torch.tensor([[0.3]])]
    assert Adversarial(mode=mode).critic_loss(*scores).item() == pytest.approx(expected)


def test_every_critic_there_is_judges_its_own_images():
    both = images(mr_critic=Says(), ct_critic=Says(), turned_mr_critic=Says())
    assert Adversarial().critics(both) == [MR_CRITIC, CT_CRITIC]
    assert Adversarial(on="turned_mr").critics(both) == [TURNED_MR_CRITIC]
    assert Adversarial().critics(images(mr_critic=Says())) == [MR_CRITIC]


def test_a_conditional_critic_sees_the_ct_beside_the_mr_turned_alike():
    both = images(mr_critic=Says(), turned_mr_critic=Says())
    seen = Adversarial(conditional=True).seen(both, MR_CRITIC, "fake_mr")
    assert seen.shape == (1, 2, 8, 8, 8)
    assert torch.equal(seen[:, :1], CT)
    mark = CT.clone()
    mark[..., 0, 0] = 1
    turned = StepImages(mark, MR, {CT_TO_MR: Times(1.0)})
    seen = Adversarial(on="turned_mr", conditional=True).seen(turned, TURNED_MR_CRITIC, "turned_fake_mr")
    assert torch.equal(seen[:, :1], seen[:, 1:])


def test_an_image_is_made_once_however_many_terms_ask():
    both = images(mr_critic=Says(), ct_critic=Says())
    Adversarial()(both), Cycle()(both), Voxel()(both)
    assert both.nets[CT_TO_MR].asked == 2  # fake_mr and cycle_mr
    assert both.nets[MR_TO_CT].asked == 2
