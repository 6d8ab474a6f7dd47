"""Training of a translator: one plain loop over the steps of all its networks, into a run folder."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtseg.core import ConfigError, InputError
from rtseg.nets import DAUNet
from rtseg.nets.patch import Patch
from rtseg.nets.translators import Generator
from rtseg.synthesis.distances import distance
from rtseg.synthesis.images import CT_TO_MR, JUDGED, MR_TO_CT, PROBE, Labels, OrgansLoss, StepImages
from rtseg.synthesis.patches import Pair, Patches, Scan, can_be_drawn, draw_pair
from rtseg.synthesis.pool import ImagePool
from rtseg.synthesis.terms import Adversarial, Term
from rtseg.synthesis.translators import Builders, Kind, Players, must_go_together, networks, step
from rtseg.synthesis.turns import Turn
from rtseg.training import (
    Checkpoint,
    Compute,
    Run,
    Schedule,
    follow,
    load_named,
    load_optimizer,
    named_weights,
    optimizer_tensors,
)

AVERAGE = "average"
"""Name of the moving average of the generator that is kept."""

BETAS = (0.5, 0.999)
"""Of Adam, for generators and critics (CycleGAN, GcGAN)."""

Progress = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class WarmStart:
    """The first steps draw the generator towards a table from CT to MR values, both scaled: at cycle and identity alone it would
    stay where it is, with bone as bright as in CT.

    A way back is drawn to the inverse. ct rises; between its knots the table is straight. rate: learning rate of these steps.
    """

    steps: int
    ct: tuple[float, ...]
    mr: tuple[float, ...]
    rate: float = 1e-3

    def table(self, image: Tensor) -> Tensor:
        """The MR values of CT values."""
        ct, mr = (torch.tensor(knots, device=image.device, dtype=torch.float32) for knots in (self.ct, self.mr))
        clipped = image.float().clamp(self.ct[0], self.ct[-1])
        above = torch.bucketize(clipped, ct).clamp(1, len(self.ct) - 1)
        share = (clipped - ct[above - 1]) / (ct[above] - ct[above - 1])
        return mr[above - 1] + share * (mr[above] - mr[above - 1])


@dataclass(frozen=True)
class SynthesisTraining:
    """Everything that decides the curve of a translator's training, besides the data.

    critic          None where no term has one
    critic_rate     that of the schedule is the generators'; both fall together
    critic_ceiling  a critic that is right about a larger share of a step's patches does not learn in it: it must not win
    organ_net       segmenters that learn beside the generators, where a term is about organs
    """

    kind: Kind
    terms: Mapping[str, Term]
    generator: Generator
    critic: Patch | None
    patches: Patches
    schedule: Schedule
    critic_rate: float
    critic_ceiling: float = 1.0
    organ_net: DAUNet | None = None
    turn: Turn = "rot90"
    warm: WarmStart | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        must_go_together(self.kind, self.terms, is_paired=self.patches.paired)


@dataclass(frozen=True, eq=False)
class Guides:
    """What a term needs beside the images: the loss of a segmenter, where segmenters learn beside the generators; a segmenter
    that stands still.
    """

    organs_loss: OrgansLoss | None = None
    probe: nn.Module | None = None


def configuration(training: SynthesisTraining, data: str) -> dict[str, Any]:
    """What a run folder remembers: a run is gone on with only if all of it is the same. data: fingerprint of the data."""
    return {**asdict(training), "data": data}


def train_translator(
    training: SynthesisTraining,
    cts: Sequence[Scan],
    mrs: Sequence[Scan],
    run: Run,
    compute: Compute,
    progress: Progress,
    guides: Guides | None = None,
) -> int:
    """Train until the schedule or the budget ends; returns the step reached. Goes on from the run's last checkpoint.

    Raises InputError if one side has nothing to draw from, ConfigError if a loss is no number any more; the last checkpoint then
    stays as it was.
    """
    cts, mrs = _to_draw_from(cts, mrs, training.patches)
    guides = guides or Guides()
    players, average = _players(training, compute, guides.probe)
    how, begun = training.schedule, _resume(run, players, average)
    at, start, since = begun, time.perf_counter(), begun
    while at < how.steps and not run.is_over_budget:
        random = np.random.default_rng((training.seed, at))
        pair = draw_pair(cts, mrs, training.patches, random)
        _set_rates(players, training, at)
        images = _images(training, players, _on(compute, pair), guides)
        with compute.autocast():
            shown = _one_step(training, players, images, at, random)
        follow(average, players.nets[CT_TO_MR], how.ema, at)
        at += 1
        if at % how.validate_every == 0:
            run.picture(at, "images", panel(images))
        is_saved = run.is_save_due
        if at % how.log_every == 0 or is_saved or at == how.steps:
            figures = _sound(shown, at) | {"seconds": (time.perf_counter() - start) / (at - since)}
            run.log(at, figures)
            progress(at, figures)
            start, since = time.perf_counter(), at
        if is_saved:
            run.save(_checkpoint(players, average, at))
    if at > begun:
        _sound(shown, at)
    run.save(_checkpoint(players, average, at))
    return at


PANEL = (("ct", "fake_mr", "cycle_ct"), ("mr", "fake_ct", "cycle_mr"))
"""What a picture of a step shows, from left to right; of these what the step made."""


def panel(images: StepImages) -> NDArray[np.float32]:
    """(rows, columns) in 0..1: the middle slices of a step's images side by side."""
    made = vars(images)
    rows = [[made[name][0, 0] for name in row if name in made] for row in PANEL]
    middle = images.ct.shape[2] // 2
    whole = [torch.cat([*(image[middle] for image in row), *_blank(images, len(rows[0]) - len(row))], dim=1) for row in rows]
    grey: NDArray[np.float32] = ((torch.cat(whole).detach().float().cpu().numpy() + 1) / 2).clip(0, 1)
    return grey


def _blank(images: StepImages, count: int) -> list[Tensor]:
    return [torch.full_like(images.ct[0, 0, 0], -1.0)] * count


def _set_rates(players: Players, training: SynthesisTraining, at: int) -> None:
    fallen = training.schedule.rate_at(at) / training.schedule.rate
    is_warm = training.warm is not None and at < training.warm.steps
    makers = training.warm.rate if training.warm is not None and is_warm else training.schedule.rate * fallen
    players.makers.param_groups[0]["lr"] = makers
    if players.critics is not None:
        players.critics.param_groups[0]["lr"] = training.critic_rate * fallen


def _images(training: SynthesisTraining, players: Players, pair: Pair, guides: Guides) -> StepImages:
    labels = None
    if pair.labels is not None and guides.organs_loss is not None:
        shares, known = pair.labels.float().chunk(2, dim=1)
        labels = Labels(shares, known, guides.organs_loss)
    return StepImages(pair.ct, pair.mr, players.nets, training.turn, pair.mask, labels)


def _one_step(
    training: SynthesisTraining, players: Players, images: StepImages, at: int, random: np.random.Generator
) -> dict[str, Tensor]:
    if training.warm is None or at >= training.warm.steps:
        return step(players, images, random)
    table = training.warm.table(images.ct)
    loss = distance(images.fake_mr, table, "l1")
    if MR_TO_CT in players.nets:
        loss = loss + distance(players.nets[MR_TO_CT](table).float(), images.ct, "l1")
    players.makers.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    players.makers.step()
    return {"warm": loss.detach()}


def _to_draw_from(cts: Sequence[Scan], mrs: Sequence[Scan], how: Patches) -> tuple[list[Scan], list[Scan]]:
    """The scans that a patch can be drawn from."""
    for side, scans in (("CT", cts), ("MR", mrs)):
        if not scans:
            raise InputError(f"there is no {side} to learn from: a translation needs images of both kinds")
    if not how.paired and len({scan.name for scan in (*cts, *mrs)}) < 2:
        raise InputError("one person's CT and MR are a pair: unpaired training needs images of two people at least")
    if how.paired:
        if unlike := [ct.name for ct, mr in zip(cts, mrs, strict=True) if ct.image.shape != mr.image.shape]:
            raise InputError(f"CT and MR of {', '.join(unlike)} lie on different grids: paired training needs one")
        return list(cts), list(mrs)
    high = [ct for ct in cts if can_be_drawn(ct, how)]
    if not high:
        raise InputError(
            f"no CT goes {how.size[0]} slices up from {how.lowest_mm:g} mm above the landmark: none shows what the MRs do"
        )
    return high, list(mrs)


def _players(training: SynthesisTraining, compute: Compute, probe: nn.Module | None) -> tuple[Players, nn.Module]:
    torch.manual_seed(training.seed)
    organs = len(training.patches.mirrored)
    build = Builders(
        training.generator.build,
        None if training.critic is None else training.critic.build,
        None if training.organ_net is None else partial(training.organ_net.build, outputs=organs),
        probe,
    )
    nets = networks(training.kind, training.terms, build)
    for net in nets.values():
        net.to(compute.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        net.train()
    average = copy.deepcopy(nets[CT_TO_MR]).requires_grad_(False)
    makers = [weight for name, net in nets.items() if name not in (*JUDGED, PROBE) for weight in net.parameters()]
    critics = [weight for name, net in nets.items() if name in JUDGED for weight in net.parameters()]
    sizes = [term.pool for term in training.terms.values() if isinstance(term, Adversarial)]
    pools = {name: ImagePool(max(sizes)) for name in nets if name in JUDGED}
    judges = torch.optim.Adam(critics, training.critic_rate, betas=BETAS) if critics else None
    movers = torch.optim.Adam(makers, training.schedule.rate, betas=BETAS)
    return Players(nets, training.terms, movers, judges, pools, training.critic_ceiling), average


def _on(compute: Compute, pair: Pair) -> Pair:
    ct, mr = (image.to(compute.device).contiguous(memory_format=torch.channels_last_3d) for image in (pair.ct, pair.mr))
    mask, labels = (None if image is None else image.to(compute.device) for image in (pair.mask, pair.labels))
    return Pair(ct, mr, mask, labels)


def _sound(shown: Mapping[str, Tensor], at: int) -> dict[str, float]:
    """The figures of a step. Raises ConfigError if one is no number: nothing of it may be kept."""
    figures = {name: float(value) for name, value in shown.items()}
    if broken := [name for name, value in figures.items() if not math.isfinite(value)]:
        raise ConfigError(
            f"the training broke down by step {at}: {', '.join(broken)} is no number. Its last checkpoint stays. "
            "Try a lower rate, or a weaker adversarial term, in a system of your own, in a new run folder"
        )
    return figures


def _checkpoint(players: Players, average: nn.Module, at: int) -> Checkpoint:
    """Networks and average by name; of what only training needs, both optimizers and the pools."""
    rest = {f"makers/{name}": tensor for name, tensor in optimizer_tensors(players.makers).items()}
    if players.critics is not None:
        rest |= {f"critics/{name}": tensor for name, tensor in optimizer_tensors(players.critics).items()}
    rest |= {f"pool/{name}/{n}": image for name, pool in players.pools.items() for n, image in pool.tensors().items()}
    return Checkpoint(at, named_weights(_kept(players, average)), rest)


def _kept(players: Players, average: nn.Module) -> dict[str, nn.Module]:
    """The networks that a checkpoint holds: all that learn."""
    return {**{name: net for name, net in players.nets.items() if name != PROBE}, AVERAGE: average}


def _resume(run: Run, players: Players, average: nn.Module) -> int:
    last = run.last()
    if last is None:
        return 0
    load_named(_kept(players, average), last.weights)
    load_optimizer(players.makers, _part(last.optimizer, "makers/"))
    if players.critics is not None:
        load_optimizer(players.critics, _part(last.optimizer, "critics/"))
    for name, pool in players.pools.items():
        pool.load(_part(last.optimizer, f"pool/{name}/"))
    return last.step


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
