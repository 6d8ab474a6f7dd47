"""A step of each translator: who moves and who stands still, what is refused, and that a look-up table is learnt."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rtseg.core import ConfigError
from rtseg.nets import DAUNet
from rtseg.nets.patch import Patch
from rtseg.nets.translators import Resnet
from rtseg.synthesis.images import (
    CT_CRITIC,
    CT_ORGANS,
    CT_TO_MR,
    JUDGED,
    MR_CRITIC,
    MR_ORGANS,
    MR_TO_CT,
    PROBE,
    TURNED_MR_CRITIC,
    Labels,
    StepImages,
)
from rtseg.synthesis.pool import ImagePool
from rtseg.synthesis.terms import Adversarial, Consistency, Cycle, Identity, LabelAware, Perceptual, Term, Voxel
from rtseg.synthesis.translators import Builders, Kind, Players, must_go_together, networks, step

CYCLEGAN: dict[str, Term] = {"adversarial": Adversarial(), "cycle": Cycle(), "identity": Identity()}
WITH_GC = {**CYCLEGAN, "turned": Adversarial(on="turned_mr"), "consistency": Consistency()}
GCGAN = {name: term for name, term in WITH_GC.items() if name != "cycle"}
PIX2PIX: dict[str, Term] = {"adversarial": Adversarial(conditional=True, pool=0), "voxel": Voxel()}
REGRESSION: dict[str, Term] = {"voxel": Voxel()}
JIANG = {**CYCLEGAN, "label_aware": LabelAware()}
PROBED: dict[str, Term] = {"voxel": Voxel(), "perceptual": Perceptual()}

GENERATOR, CRITIC = Resnet(channels=4, blocks=1, halvings=1, skips=True), Patch(channels=4, layers=2)
ORGAN_NET = DAUNet((1, 1, 1), (8, 16), 8, deep_supervision=False)


def players(kind: Kind, terms: dict[str, Term], rate: float = 2e-3) -> Players:
    torch.manual_seed(0)
    torch.manual_seed(0)
    probe = ORGAN_NET.build(1, 3)
    nets = networks(kind, terms, Builders(GENERATOR.build, CRITIC.build, partial(ORGAN_NET.build, outputs=3), probe))
    makers = [weight for name, net in nets.items() if name not in (*JUDGED, PROBE) for weight in net.parameters()]
    critics = [weight for name, net in nets.items() if name in JUDGED for weight in net.parameters()]
    adam = torch.optim.Adam(makers, rate, betas=(0.5, 0.999))
    judges = torch.optim.Adam(critics, rate, betas=(0.5, 0.999)) if critics else None
    return Players(nets, terms, adam, judges, {name: ImagePool(4) for name in nets if name in JUDGED})


def images(of: Players, seed: int = 0, paired: bool = False) -> StepImages:
    torch.manual_seed(seed)
    smooth = nn.functional.avg_pool3d(torch.randn(2, 1, 18, 18, 18), 3, 1) * 2
    ct = torch.tanh(smooth)[:1]
    shares = torch.cat([(ct > 0.2), (ct < -0.2), (ct > 0.5)], dim=1).float()
    labels = Labels(shares, torch.ones_like(shares), binary_cross_entropy)
    return StepImages(ct, -ct if paired else -torch.tanh(smooth)[1:], of.nets, labels=labels)


def binary_cross_entropy(logits: Tensor, shares: Tensor, known: Tensor) -> Tensor:
    return (nn.functional.binary_cross_entropy_with_logits(logits, shares, reduction="none") * known).mean()


@pytest.mark.parametrize(
    ("kind", "terms", "names"),
    [
        ("two_way", CYCLEGAN, {CT_TO_MR, MR_TO_CT, MR_CRITIC, CT_CRITIC}),
        ("two_way", WITH_GC, {CT_TO_MR, MR_TO_CT, MR_CRITIC, CT_CRITIC, TURNED_MR_CRITIC}),
        ("one_sided", GCGAN, {CT_TO_MR, MR_CRITIC, TURNED_MR_CRITIC}),
        ("one_way", PIX2PIX, {CT_TO_MR, MR_CRITIC}),
        ("one_way", REGRESSION, {CT_TO_MR}),
        ("two_way", JIANG, {CT_TO_MR, MR_TO_CT, MR_CRITIC, CT_CRITIC, CT_ORGANS, MR_ORGANS}),
    ],
    ids=["cyclegan", "cyclegan + gc", "gcgan", "pix2pix", "regression", "jiang2019"],
)
def test_a_step_moves_every_network_and_shows_every_term(kind, terms, names):
    of = players(kind, terms)
    assert set(of.nets) == names
    before = {name: [weight.clone() for weight in net.parameters()] for name, net in of.nets.items()}
    shown = step(of, images(of, paired=True), np.random.default_rng(0))
    for name, net in of.nets.items():
        moved = [not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True)]
        assert all(moved), name
    assert set(terms) <= set(shown)
    assert {f"{name}_accuracy" for name in names & set(JUDGED)} <= set(shown)
    assert all(value.isfinite() for value in shown.values())


def test_a_probe_stands_still_and_its_features_move_the_generator():
    of = players("one_way", PROBED)
    before = [weight.clone() for weight in of.nets[PROBE].parameters()]
    step_images = images(of, paired=True)
    (gradient,) = torch.autograd.grad(of.terms["perceptual"](step_images), [of.nets[CT_TO_MR].head.bias], retain_graph=True)
    assert gradient.abs().sum() > 0
    step(of, images(of, paired=True), np.random.default_rng(0))
    assert all(torch.equal(a, b) for a, b in zip(before, of.nets[PROBE].parameters(), strict=True))


def test_features_of_the_same_image_are_the_same():
    of = players("one_way", PROBED)
    same = images(of, paired=True)
    same.fake_mr = same.mr
    assert of.terms["perceptual"](same) < 1e-6


def test_a_generator_that_moves_organs_is_found_out_by_its_segmenter():
    """The MR's segmenter learns the organs where an MR shows them; its loss is larger of an MR that was moved."""
    of = players("two_way", JIANG, rate=1e-2)
    for net in (of.nets[CT_TO_MR], of.nets[MR_TO_CT]):
        net.requires_grad_(False)
    for number in range(60):
        step_images = images(of, number % 4)
        step_images.fake_mr = -step_images.ct
        of.makers.zero_grad()
        of.terms["label_aware"](step_images).backward()
        of.makers.step()
    true, shifted = images(of, 0), images(of, 0)
    true.fake_mr, shifted.fake_mr = -true.ct, -shifted.ct.roll(4, -1)
    assert of.terms["label_aware"](shifted) > 1.3 * of.terms["label_aware"](true)


def test_the_weights_of_both_parts_are_the_papers():
    """5 of the segmenters' losses and 1 of the features' difference: with location 0 the rest is what it was."""
    of = players("two_way", JIANG)
    here = images(of)
    whole, shape = LabelAware()(here), LabelAware(location=0.0)(here)
    (_, at_ct), (_, at_mr) = here.organs_of_ct, here.organs_of_fake_mr
    apart = sum(((a - b) ** 2).mean() for a, b in zip(at_ct, at_mr, strict=True))
    assert 5 * whole.item() == pytest.approx((5 * shape + apart).item(), rel=1e-5)


def test_a_critic_that_is_nearly_always_right_does_not_learn():
    of = replace(players("two_way", CYCLEGAN), ceiling=0.0)
    before = [weight.clone() for weight in of.nets[MR_CRITIC].parameters()]
    shown = step(of, images(of), np.random.default_rng(0))
    assert shown["mr_critic_accuracy"] > 0
    assert all(torch.equal(a, b) for a, b in zip(before, of.nets[MR_CRITIC].parameters(), strict=True))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (CYCLEGAN, "adversarial term needs a critic"),
        ({"label_aware": LabelAware()}, "label_aware needs segmenters"),
        ({"perceptual": Perceptual()}, "perceptual needs a segmenter of MRs"),
    ],
)
def test_a_term_without_its_network_is_named(terms, words):
    with pytest.raises(ConfigError, match=words):
        networks("two_way", terms, Builders(GENERATOR.build))


def test_critics_stand_still_while_generators_move_and_learn_nothing_from_them():
    """With generators that cannot move, the critic's step alone changes it; its gradient never reaches the generators."""
    of = players("two_way", CYCLEGAN)
    for group in of.makers.param_groups:
        group["lr"] = 0.0
    before = [weight.clone() for weight in of.nets[CT_TO_MR].parameters()]
    step(of, images(of), np.random.default_rng(0))
    assert all(torch.equal(a, b) for a, b in zip(before, of.nets[CT_TO_MR].parameters(), strict=True))
    assert all(weight.requires_grad for net in of.nets.values() for weight in net.parameters())


def test_regression_learns_a_table():
    """The MR is the CT the other way round: the mean difference falls to a third of what it was."""
    of = players("one_way", REGRESSION, rate=1e-2)
    first = step(of, images(of, paired=True), np.random.default_rng(0))["voxel"]
    for number in range(1, 200):
        last = step(of, images(of, number % 4, paired=True), np.random.default_rng(number))["voxel"]
    assert last < 0.3 * first


@pytest.mark.parametrize(
    ("kind", "terms", "paired", "words"),
    [
        ("one_way", {"cycle": Cycle()}, True, "terms.cycle needs a way back, which one_way has not"),
        ("two_way", {"voxel": Voxel()}, False, "terms.voxel compares with the MR of the same patient"),
        ("two_way", {"adversarial": Adversarial(conditional=True)}, False, "needs paired data"),
        ("one_sided", {"adversarial": Adversarial()}, False, "without the term consistency"),
        ("one_way", {"consistency": Consistency()}, True, "goes with two_way or one_sided"),
        ("two_way", {"cycle": Cycle(weight=-1)}, False, "terms.cycle.weight is -1"),
        ("two_way", {}, False, "terms is empty"),
    ],
)
def test_terms_that_do_not_go_together_are_refused_with_the_remedy(kind, terms, paired, words):
    with pytest.raises(ConfigError, match=words):
        must_go_together(kind, terms, is_paired=paired)


@pytest.mark.parametrize(("kind", "terms"), [("two_way", WITH_GC), ("one_sided", GCGAN)])
def test_the_published_ones_go_together_unpaired(kind, terms):
    must_go_together(kind, terms, is_paired=False)


def test_a_pool_fills_then_gives_older_images_and_comes_back_from_a_checkpoint():
    pool, random = ImagePool(3), np.random.default_rng(0)
    for number in range(3):
        image = torch.full((1, 1, 2, 2, 2), float(number))
        assert torch.equal(pool.seen(image, random), image)
    seen = [pool.seen(torch.full((1, 1, 2, 2, 2), float(number)), random).mean().item() for number in range(3, 40)]
    older = sum(value < number for number, value in enumerate(seen, start=3))
    assert 8 < older < 30
    again = ImagePool(3)
    again.load(pool.tensors())
    assert all(torch.equal(a, b) for a, b in zip(pool.images, again.images, strict=True))


def test_without_a_pool_what_is_made_is_what_is_seen_without_its_past():
    made = torch.ones(1, 1, 2, 2, 2, requires_grad=True) * 2
    seen = ImagePool(0).seen(made, np.random.default_rng(0))
    assert torch.equal(seen, made)
    assert not seen.requires_grad
