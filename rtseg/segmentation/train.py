"""Training of a segmenter: one plain loop from packed cases to the weights of a bundle."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtseg.core import ConfigError, InputError
from rtseg.data.pack import SHARES, PackedCase
from rtseg.nets import SegmenterNet
from rtseg.segmentation.inference import Segmenter, dice_on_grid, segment_logits
from rtseg.segmentation.inputs import Window, channels
from rtseg.segmentation.loss import Positives, deep_loss
from rtseg.training import (
    Augmentation,
    Batch,
    Checkpoint,
    Compute,
    Resident,
    Run,
    Sampling,
    Schedule,
    cut,
    draw,
    follow,
    load_named,
    load_optimizer,
    named_weights,
    optimizer_tensors,
    resident,
    scaled,
)


@dataclass(frozen=True)
class Training:
    """Everything that decides the curve of a segmenter's training, besides the data.

    organs in the order of the outputs; mirrored[n]: the organ that organ n becomes in a mirror; dice_until: share of the
    steps after which Dice counts no more, so that in the end a probability is the share of a voxel that the organ fills; sees_mr:
    the synthetic MR is an image more.
    """

    organs: tuple[str, ...]
    mirrored: tuple[int, ...]
    windows_hu: tuple[Window, ...]
    network: SegmenterNet
    sampling: Sampling
    augmentation: Augmentation
    positives: Positives
    schedule: Schedule
    dice_until: float = 1.0
    overlap: float = 0.25
    seed: int = 0
    sees_mr: bool = False

    @property
    def channels(self) -> int:
        """Images that the network sees at once."""
        return len(self.windows_hu) + self.sees_mr

    def dice_at(self, step: int) -> float:
        """Weight of Dice at a step (0-based)."""
        return float(step < self.dice_until * self.schedule.steps)


@dataclass(frozen=True, eq=False)
class Start:
    """Weights of a segmenter to begin with in place of chance; sha256 stands for where they come from."""

    weights: Mapping[str, Tensor]
    sha256: str


def configuration(training: Training, data: str, start: Start | None = None, translator: str | None = None) -> dict[str, Any]:
    """What a run folder remembers: a run is gone on with only if all of it is the same.

    data: the pack's fingerprint; translator: SHA-256 of the model that made the synthetic MRs.
    """
    given = {"start": None if start is None else start.sha256, "translator": translator}
    return {**asdict(training), "data": data, **{name: value for name, value in given.items() if value is not None}}


@dataclass(frozen=True, eq=False)
class Nets:
    """The networks of a run by name, their optimizer, and the precision they run in.

    levels, loss: the segmenter's logits at every level and the loss of them, made quick for the device.
    """

    segmenter: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    compute: Compute
    levels: Callable[[Tensor], list[Tensor]]
    loss: Callable[[list[Tensor], Batch, Tensor, Tensor], Tensor]

    @property
    def by_name(self) -> dict[str, nn.Module]:
        return {"segmenter": self.segmenter, "average": self.average}


Progress = Callable[[int, dict[str, float]], None]


def train(
    training: Training,
    cases: Sequence[PackedCase],
    run: Run,
    compute: Compute,
    progress: Progress,
    start_from: Start | None = None,
    smrs: Mapping[str, NDArray[np.uint8]] | None = None,
) -> int:
    """Train until the schedule or the budget ends; returns the step reached. Goes on from the run's last checkpoint.

    ``progress`` hears each logged step with its figures. Cases of split ``train`` are learnt from; those of split
    ``validation`` choose the best weights. The order of patches depends on the seed and the step alone.
    smrs: case name -> its synthetic MR on the packed grid, 0 to 255 for -1..1, for a segmenter that sees it.
    Raises InputError if there is an organ to be learnt from no case, ConfigError if the loss is no number any more;
    the last checkpoint then stays as it was.
    """
    must_show(cases, training.organs)
    made = smrs or {}
    learn = [resident(case, compute.device, made.get(case.name)) for case in cases if case.split == "train"]
    judge = [resident(case, compute.device, made.get(case.name)) for case in cases if case.split == "validation"]
    nets = _nets(training, learn, compute, start_from)
    schedule, voxels = training.schedule, _mean_voxels(learn).to(compute.device)
    step = _resume(run, nets)
    start, since = time.perf_counter(), step

    while step < schedule.steps and not run.is_over_budget:
        random = np.random.default_rng((training.seed, step))
        draws = draw(learn, training.sampling, random)
        batch = cut(learn, draws, training.sampling.patch, training.augmentation, training.mirrored, random)
        shown = descend(nets, batch, training, training.positives.weights(voxels, step), step)
        follow(nets.average, nets.segmenter, schedule.ema, step)
        step += 1

        is_judged = bool(judge) and (step % schedule.validate_every == 0 or step == schedule.steps)
        is_saved = run.is_save_due
        if step % schedule.log_every == 0 or is_judged or is_saved:
            loss, norm = _sound(shown, step)  # waits for the device: not in every step
        if step % schedule.log_every == 0:
            rate, seconds = schedule.rate_at(step - 1), (time.perf_counter() - start) / (step - since)
            figures = {"loss": loss, "gradient_norm": norm, "rate": rate, "seconds": seconds}
            run.log(step, figures)
            progress(step, figures)
            start, since = time.perf_counter(), step
        if is_judged:
            progress(step, validate(nets, judge, training, run, step))
        if is_saved:
            run.save(_checkpoint(nets, step))
    if step > since:
        _sound(shown, step)
    if judge and run.best() is None:
        progress(step, validate(nets, judge, training, run, step))
    run.save(_checkpoint(nets, step))
    return step


def must_show(cases: Sequence[PackedCase], organs: Sequence[str]) -> None:
    """Raises InputError unless a case of split ``train`` shows each organ: a network would learn that it is never there."""
    shown = [case.contoured & case.organs.any(axis=(1, 2, 3)) for case in cases if case.split == "train"]
    if not shown:
        raise InputError("there is no case to learn from: put cases into a folder named train, and pack again")
    never = [organ for organ, there in zip(organs, np.any(shown, axis=0), strict=True) if not there]
    if never:
        raise InputError(
            f"{', '.join(never)}: contoured in no training case ({len(shown)} cases); add cases that show it, "
            "or leave it out of the task's organs, and pack again"
        )


def descend(nets: Nets, batch: Batch, training: Training, positives: Tensor, step: int) -> Tensor:
    """One step of the optimizer; returns the loss and the gradient's norm before clipping, (2,), on the device.

    A step whose loss or gradient is no number makes every weight none: no later step can hide it.
    """
    nets.segmenter.train()
    for group in nets.optimizer.param_groups:
        group["lr"] = training.schedule.rate_at(step)
    image = channels(batch.hu, training.windows_hu, batch.smr).contiguous(memory_format=torch.channels_last_3d)
    with nets.compute.autocast():
        levels = nets.levels(image)
    dice = torch.full((), training.dice_at(step), device=positives.device)
    loss = nets.loss(levels, batch, positives, dice)
    nets.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(nets.segmenter.parameters(), training.schedule.clip)
    nets.optimizer.step()
    return torch.stack([loss.detach(), norm.detach()])


def _sound(shown: Tensor, step: int) -> tuple[float, float]:
    """Loss and gradient's norm. Raises ConfigError if either is no number: nothing of it may be kept."""
    loss, norm = shown.tolist()
    if not math.isfinite(loss) or not math.isfinite(norm):
        raise ConfigError(
            f"the training broke down by step {step}: loss {loss}, gradient {norm}. Its last checkpoint stays. "
            "Try a lower segmentation.schedule.rate or a longer warmup in a system of your own, in a new run folder"
        )
    return loss, norm


def validate(nets: Nets, cases: Sequence[Resident], training: Training, run: Run, step: int) -> dict[str, float]:
    """Mean DSC per organ of the averaged weights on whole patients; keeps the best mean over organs.

    Organs that no case shows have no figure; without any figure nothing is logged or kept as best.
    """
    segmenter = Segmenter(
        nets.average,
        training.organs,
        training.windows_hu,
        training.sampling.patch,
        training.overlap,
        nets.compute,
        training.sees_mr,
    )
    rows = []
    for case in cases:
        smr = None if case.smr is None else scaled(case.smr[None])
        logits = segment_logits(case.ct[None].float(), segmenter, smr)[0]
        rows.append(dice_on_grid(logits, case.organs.float() / SHARES, case.contoured.tolist(), case.known.tolist()))
    figures = {}
    for organ, column in zip(training.organs, zip(*rows, strict=True), strict=True):
        known = [value for value in column if value is not None]
        if known:
            figures[f"dsc/{organ}"] = float(np.mean(known))
    if not figures:
        return {}
    figures["dsc/mean"] = float(np.mean(list(figures.values())))
    run.log(step, figures)
    best = run.best()
    if best is None or figures["dsc/mean"] > best["figures"]["dsc/mean"]:
        run.save_best(named_weights({"segmenter": nets.average}), {"step": step, "figures": figures})
    return figures


def _nets(training: Training, learn: Sequence[Resident], compute: Compute, start_from: Start | None) -> Nets:
    torch.manual_seed(training.seed)
    net = training.network.build(inputs=training.channels, outputs=len(training.organs))
    if start_from is None:
        net.start_from_frequencies(_frequencies(learn))
    else:
        net.load_state_dict(start_from.weights)
    net = net.to(compute.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    average = copy.deepcopy(net).requires_grad_(False)
    how = training.schedule
    fused = compute.device.type == "cuda"
    optimizer = torch.optim.AdamW(net.parameters(), lr=how.rate, weight_decay=how.weight_decay, fused=fused)
    return Nets(net, average, optimizer, compute, compute.compiled(net.forward_deep), compute.compiled(deep_loss))


def _resume(run: Run, nets: Nets) -> int:
    last = run.last()
    if last is None:
        return 0
    load_named(nets.by_name, last.weights)
    load_optimizer(nets.optimizer, last.optimizer)
    return last.step


def _checkpoint(nets: Nets, step: int) -> Checkpoint:
    return Checkpoint(step, named_weights(nets.by_name), optimizer_tensors(nets.optimizer))


def _mean_voxels(cases: Sequence[Resident]) -> Tensor:
    """(organs,) mean voxels of an organ over the patients in whom it was contoured."""
    voxels = torch.stack([case.organs.sum((1, 2, 3), dtype=torch.float32).cpu() / SHARES for case in cases])
    contoured = torch.from_numpy(np.stack([case.contoured for case in cases]))
    return (voxels * contoured).sum(0) / contoured.sum(0).clamp(min=1)


def _frequencies(cases: Sequence[Resident]) -> Tensor:
    """(organs,) share of a scan's voxels that an organ fills."""
    size = torch.tensor([float(np.prod(case.ct.shape)) for case in cases]).mean()
    return _mean_voxels(cases) / size
