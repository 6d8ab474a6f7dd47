"""A step of each translator: who moves and who stands still, what is refused, and that a look-up table is learnt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from rtseg.core import ConfigError
from rtseg.nets.patch import Patch
from rtseg.nets.translators import Resnet
from rtseg.synthesis.images import CT_CRITIC, CT_TO_MR, JUDGED, MR_CRITIC, MR_TO_CT, TURNED_MR_CRITIC, StepImages
from rtseg.synthesis.pool import ImagePool
from rtseg.synthesis.terms import Adversarial, Consistency, Cycle, Identity, Term, Voxel
from rtseg.synthesis.translators import Kind, Players, must_go_together, networks, step

CYCLEGAN: dict[str, Term] = {"adversarial": Adversarial(), "cycle": Cycle(), "identity": Identity()}
WITH_GC = {**CYCLEGAN, "turned": Adversarial(on="turned_mr"), "consistency": Consistency()}
GCGAN = {name: term for name, term in WITH_GC.items() if name != "cycle"}
PIX2PIX: dict[str, Term] = {"adversarial": Adversarial(conditional=True, pool=0), "voxel": Voxel()}
REGRESSION: dict[str, Term] = {"voxel": Voxel()}

GENERATOR, CRITIC = Resnet(channels=4, blocks=1, halvings=1, skips=True), Patch(channels=4, layers=2)


def players(kind: Kind, terms: dict[str, Term], rate: float = 2e-3) -> Players:
    torch.manual_seed(0)
    nets = networks(kind, terms, GENERATOR.build, CRITIC.build)
    makers = [weight for name, net in nets.items() if name not in JUDGED for weight in net.parameters()]
    critics = [weight for name, net in nets.items() if name in JUDGED for weight in net.parameters()]
    adam = torch.optim.Adam(makers, rate, betas=(0.5, 0.999))
    judges = torch.optim.Adam(critics, rate, betas=(0.5, 0.999)) if critics else None
    return Players(nets, terms, adam, judges, {name: ImagePool(4) for name in nets if name in JUDGED})


def images(of: Players, seed: int = 0, paired: bool = False) -> StepImages:
    torch.manual_seed(seed)
    smooth = nn.functional.avg_pool3d(torch.randn(2, 1, 18, 18, 18), 3, 1) * 2
    ct = torch.tanh(smooth)[:1]
    return StepImages(ct, -ct if paired else -torch.tanh(smooth)[1:], of.nets)


@pytest.mark.parametrize(
    ("kind", "terms", "names"),
    [
        ("two_way", CYCLEGAN, {CT_TO_MR, MR_TO_CT, MR_CRITIC, CT_CRITIC}),
        ("two_way", WITH_GC, {CT_TO_MR, MR_TO_CT, MR_CRITIC, CT_CRITIC, TURNED_MR_CRITIC}),
        ("one_sided", GCGAN, {CT_TO_MR, MR_CRITIC, TURNED_MR_CRITIC}),
        ("one_way", PIX2PIX, {CT_TO_MR, MR_CRITIC}),
        ("one_way", REGRESSION, {CT_TO_MR}),
    ],
    ids=["cyclegan", "cyclegan + gc", "gcgan", "pix2pix", "regression"],
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
