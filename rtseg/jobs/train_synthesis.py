"""Training of a translator from packed data, into a run folder that can be killed and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rtseg.core import ConfigError, OutputError
from rtseg.data import Packed, read_pack
from rtseg.data.pack import SHARES
from rtseg.segmentation.loss import Positives, organ_loss
from rtseg.synthesis.images import OrgansLoss
from rtseg.synthesis.scans import Scans, paired_scans, unpaired_scans
from rtseg.synthesis.train import Guides, Progress, configuration, train_translator
from rtseg.systems import Size, System, bundle_folder, load_bundle, read_system, read_task, write_yaml
from rtseg.systems.bundle import SCALE, write_scale
from rtseg.training import Compute, Run, choose_compute


@dataclass(frozen=True)
class SynthesisOrder:
    """What a user asks of `rtseg train synthesis`.

    data: folder made by `rtseg data pack`; run: the run folder, new or to be gone on with; budget_s: time after which the run
    ends with a checkpoint, None for the whole schedule; accept_weak_pairs: train a method that needs registered pairs on weak
    ones. probe: a model whose segmenter sees MRs alone, for the term perceptual.
    """

    system: str
    task: str
    data: Path
    run: Path
    size: Size = "small"
    budget_s: float | None = None
    threads: int | None = None
    seed: int = 0
    accept_weak_pairs: bool = False
    probe: str | None = None


def train_synthesis(order: SynthesisOrder, progress: Progress, started: Callable[[int], None]) -> int:
    """Train, or go on training; returns the step reached. ``started`` hears the number of steps.

    Raises InputError if a side has no image or a pair lacks its MR, ConfigError if the data were packed for another task, their
    pairs are not what the system needs, or the run folder holds another run, OutputError if it cannot be written.
    """
    system = read_system(order.system).at_size(order.size)
    task = read_task(order.task)
    training = system.translation(task, order.seed)
    packed = read_pack(order.data)
    if packed.plan != task.pack_plan:
        raise ConfigError(f"{order.data} was packed for other organs or another grid than task {task.task}; pack it again")
    scans = _scans(packed, system, accept_weak_pairs=order.accept_weak_pairs)
    guides = Guides(_organs_loss(packed) if training.organ_net else None, _probe(order, system))
    try:
        with Run.open(order.run, configuration(training, packed.fingerprint), order.budget_s) as run:
            write_yaml(system, order.run / "system.yaml")
            write_yaml(task, order.run / "task.yaml")
            write_scale(scans.scale, order.run / SCALE)
            started(training.schedule.steps)
            compute = run.in_its_precision(choose_compute(order.threads))
            return train_translator(training, scans.cts, scans.mrs, run, compute, progress, guides)
    except OSError as error:
        raise OutputError(f"the run folder {order.run} cannot be written: {error.strerror or error}") from error


def _scans(packed: Packed, system: System, *, accept_weak_pairs: bool) -> Scans:
    """What is learnt from: the split train, as pairs where the system needs them."""
    cases = [case for case in packed.cases if case.split == "train"]
    if system.needs_pairing == "none":
        labelled = system.terms.label_aware is not None
        return unpaired_scans(cases, [mr for mr in packed.mrs if mr.split == "train"], labelled=labelled)
    scans = paired_scans(cases)
    weak = [case.name for case in cases if case.pairing == "weak"]
    if weak and not accept_weak_pairs:
        raise ConfigError(
            f"system {system.system} compares voxel by voxel and needs registered pairs; {len(weak)} cases are weakly paired "
            f"({', '.join(weak[:3])} ...): CT and MR are some mm apart. Train on them all the same with --accept-weak-pairs"
        )
    return scans


def _organs_loss(packed: Packed) -> OrgansLoss:
    """The loss of the segmenters that learn beside the generators: as a segmenter's own, its organs' voxels weighing more."""
    cases = [case for case in packed.cases if case.split == "train"]
    voxels = np.stack([case.organs.sum(axis=(1, 2, 3), dtype=np.float64) / SHARES for case in cases])
    contoured = np.stack([case.contoured for case in cases])
    mean = (voxels * contoured).sum(axis=0) / contoured.sum(axis=0).clip(min=1)
    positives, dice = Positives().weights(torch.as_tensor(mean, dtype=torch.float32), 0), torch.ones(())

    def loss(logits: Tensor, shares: Tensor, known: Tensor) -> Tensor:
        return organ_loss(logits, shares, known, positives.to(logits.device), dice.to(logits.device))

    return loss


def _probe(order: SynthesisOrder, system: System) -> nn.Module | None:
    """The segmenter of a model that sees MRs alone."""
    if system.terms.perceptual is None:
        if order.probe is not None:
            raise ConfigError(f"system {system.system} has no term perceptual: it has no use for --probe")
        return None
    if order.probe is None:
        raise ConfigError(f"system {system.system} has the term perceptual: name a model that segments MRs with --probe")
    model = load_bundle(bundle_folder(order.probe), Compute(torch.device("cpu"), torch.float32))
    if model.system.inputs != "smr":
        raise ConfigError(
            f"model {order.probe} sees {model.system.inputs}; the probe of perceptual must see MRs alone (inputs smr)"
        )
    return model.segmenter.net
