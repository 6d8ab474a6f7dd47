"""Who is trained on what in a step: one way (paired), two ways (CycleGAN), one-sided (GcGAN). Both descents are in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from rtseg.core import ConfigError
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
    StepImages,
)
from rtseg.synthesis.pool import ImagePool
from rtseg.synthesis.terms import (
    Adversarial,
    Consistency,
    Cycle,
    GradientDifference,
    LabelAware,
    Perceptual,
    StructuralSimilarity,
    Term,
    Voxel,
)

Kind = Literal["one_way", "two_way", "one_sided"]

MAKERS: Mapping[Kind, tuple[str, ...]] = {
    "one_way": (CT_TO_MR,),
    "two_way": (CT_TO_MR, MR_TO_CT),
    "one_sided": (CT_TO_MR,),
}
"""The generators of each translator."""

PAIRED = (Voxel, GradientDifference, StructuralSimilarity, Perceptual)
"""Terms that need the MR of the same patient."""

Build = Callable[[int], nn.Module]
"""A network of this many input images."""


@dataclass(frozen=True)
class Builders:
    """How the networks of a run come to be; None for those that no term asks for. probe: trained before, and left as it is."""

    generator: Build
    critic: Build | None = None
    organs: Build | None = None
    probe: nn.Module | None = None


@dataclass(frozen=True, eq=False)
class Players:
    """All networks of a run by name, the two optimizers (no critics', where no term is adversarial) and the critics' pools.

    ceiling: a critic that is right about a larger share of its patches does not learn from them.
    """

    nets: Mapping[str, nn.Module]
    terms: Mapping[str, Term]
    makers: torch.optim.Optimizer
    critics: torch.optim.Optimizer | None
    pools: Mapping[str, ImagePool]
    ceiling: float = 1.0
    clip: float = 10.0


def must_go_together(kind: Kind, terms: Mapping[str, Term], *, is_paired: bool) -> None:
    """Raises ConfigError for terms that this translator, or unpaired data, cannot have, naming the term and the remedy."""
    if not terms:
        raise ConfigError("terms is empty: nothing would be learnt")
    for name, term in terms.items():
        if term.weight < 0:
            raise ConfigError(f"terms.{name}.weight is {term.weight}; a weight is not negative")
        if isinstance(term, Cycle) and kind != "two_way":
            raise ConfigError(
                f"terms.{name} needs a way back, which {kind} has not: take the translator two_way, or leave it out"
            )
        if isinstance(term, Consistency) and kind == "one_way":
            raise ConfigError(f"terms.{name} goes with two_way or one_sided, not with {kind}")
        if (isinstance(term, PAIRED) or (isinstance(term, Adversarial) and term.conditional)) and not is_paired:
            raise ConfigError(f"terms.{name} compares with the MR of the same patient: it needs paired data")
    if kind == "one_sided" and not any(isinstance(term, Consistency) for term in terms.values()):
        raise ConfigError("one_sided without the term consistency is held by nothing: add it, or take two_way")


def networks(kind: Kind, terms: Mapping[str, Term], build: Builders) -> dict[str, nn.Module]:
    """The networks that a translator with these terms needs, by name. Raises ConfigError for a term whose network is missing."""
    nets = {name: build.generator(1) for name in MAKERS[kind]}
    for term in terms.values():
        if isinstance(term, Adversarial):
            if build.critic is None:
                raise ConfigError("an adversarial term needs a critic; name one, or leave the term out")
            names = [TURNED_MR_CRITIC] if term.on == "turned_mr" else [MR_CRITIC, *([CT_CRITIC] if kind == "two_way" else [])]
            nets |= {name: build.critic(2 if term.conditional else 1) for name in names}
        if isinstance(term, LabelAware):
            if build.organs is None:
                raise ConfigError("label_aware needs segmenters that learn beside the generators (translator.organ_net)")
            nets |= {name: build.organs(1) for name in (CT_ORGANS, MR_ORGANS)}
        if isinstance(term, Perceptual):
            if build.probe is None:
                raise ConfigError("perceptual needs a segmenter of MRs, trained before: name its model with --probe")
            nets[PROBE] = build.probe.requires_grad_(False)
    return nets


def step(players: Players, images: StepImages, random: np.random.Generator) -> dict[str, Tensor]:
    """One step of all networks; each term's value, each critic's loss and accuracy, as scalars on the device."""
    shown = _descend_makers(players, images)
    if players.critics is not None:
        shown |= _descend_critics(players, images, random)
    return shown


def _descend_makers(players: Players, images: StepImages) -> dict[str, Tensor]:
    """The generators, while the critics stand still."""
    critics = [net for name, net in players.nets.items() if name in JUDGED]
    for net in critics:
        net.requires_grad_(False)
    values = {name: term(images) for name, term in players.terms.items()}
    total = torch.stack([players.terms[name].weight * value for name, value in values.items()]).sum()
    players.makers.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    weights = [weight for group in players.makers.param_groups for weight in group["params"]]
    norm = nn.utils.clip_grad_norm_(weights, players.clip)
    players.makers.step()
    for net in critics:
        net.requires_grad_(True)
    return {**{name: value.detach() for name, value in values.items()}, "total": total.detach(), "gradient_norm": norm.detach()}


def _descend_critics(players: Players, images: StepImages, random: np.random.Generator) -> dict[str, Tensor]:
    """The critics, on what was made before the generators moved, and on older images of their pools."""
    assert players.critics is not None
    shown: dict[str, Tensor] = {}
    losses = []
    for term in (term for term in players.terms.values() if isinstance(term, Adversarial)):
        for name in term.critics(images):
            real_name, fake_name = JUDGED[name]
            real = players.nets[name](term.seen(images, name, real_name).detach())
            fake = players.nets[name](players.pools[name].seen(term.seen(images, name, fake_name), random))
            loss, accuracy = term.critic_loss(real, fake), _accuracy(real, fake, 0.5 if term.mode == "lsgan" else 0.0)
            losses.append(loss * (accuracy <= players.ceiling))
            shown |= {f"{name}_loss": loss.detach(), f"{name}_accuracy": accuracy}
    players.critics.zero_grad(set_to_none=True)
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    players.critics.step()
    return shown


def _accuracy(real: Sequence[Tensor], fake: Sequence[Tensor], between: float) -> Tensor:
    """Share of patches that a critic puts on the right side; near 1 it has won, near 0.5 it sees nothing."""
    right = [(score.detach() > between).float().mean() for score in real]
    right += [(score.detach() <= between).float().mean() for score in fake]
    return torch.stack(right).mean()
