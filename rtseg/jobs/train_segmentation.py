"""Training of a segmenter from packed cases, into a run folder that can be killed and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rtseg.core import ConfigError, OutputError
from rtseg.data import PackedCase, PackPlan, read_pack, structures_of
from rtseg.jobs.packed_smr import keep_translator, synthetic_mrs
from rtseg.segmentation.expected import expected_of
from rtseg.segmentation.review import Limits
from rtseg.segmentation.train import Progress, Start, configuration, must_show, train
from rtseg.systems import (
    LIMITS,
    Size,
    System,
    Task,
    TranslatorBundle,
    bundle_folder,
    load_bundle,
    load_translator,
    read_system,
    read_task,
    write_limits,
    write_yaml,
)
from rtseg.training import Compute, Run, choose_compute


@dataclass(frozen=True)
class TrainOrder:
    """What a user asks of `rtseg train segmentation`.

    data: folder made by `rtseg data pack`; run: the run folder, new or to be gone on with; budget_s: time after
    which the run ends with a checkpoint, None for the whole schedule; start: a model to begin with in place of chance;
    translator: the model that makes the synthetic MRs, for a system that sees them.
    """

    system: str
    task: str
    data: Path
    run: Path
    size: Size = "small"
    budget_s: float | None = None
    threads: int | None = None
    seed: int = 0
    start: str | None = None
    translator: str | None = None


def train_segmentation(
    order: TrainOrder,
    progress: Progress,
    started: Callable[[int], None],
    progress_of_smrs: Callable[[str], None] = lambda _: None,
) -> int:
    """Train, or go on training; returns the step reached. ``started`` hears the number of steps, ``progress_of_smrs`` the name of
    each case whose synthetic MR was made.

    Raises InputError if an organ has no case to be learnt from, ConfigError if the data were packed for another task, the model
    to begin with has another network, or the run folder holds another run, OutputError if it cannot be written.
    """
    system = read_system(order.system).at_size(order.size)
    task = read_task(order.task)
    compute = choose_compute(order.threads)
    translator = _translator(order, system, task, compute)
    if translator is not None:
        system = system.with_translator_of(translator.system)
    packed = read_pack(order.data)
    plan, cases = packed.plan, packed.cases
    if plan != task.pack_plan:
        raise ConfigError(f"{order.data} was packed for other organs or another grid than task {task.task}; pack it again")
    must_show(cases, task.organs)
    training = system.training(task, order.seed)
    start = None if order.start is None else start_from(order.start, system, task)
    sha256 = None if translator is None else translator.sha256
    try:
        with Run.open(order.run, configuration(training, packed.fingerprint, start, sha256), order.budget_s) as run:
            write_yaml(system, order.run / "system.yaml")
            write_yaml(task, order.run / "task.yaml")
            write_limits(_limits(task, plan, cases), order.run / LIMITS)
            smrs = None
            if translator is not None and order.translator is not None:
                keep_translator(bundle_folder(order.translator), order.run)
                smrs = synthetic_mrs(cases, translator, order.run, progress_of_smrs)
            started(training.schedule.steps)
            return train(training, cases, run, run.in_its_precision(compute), progress, start, smrs)
    except OSError as error:
        raise OutputError(f"the run folder {order.run} cannot be written: {error.strerror or error}") from error


def _translator(order: TrainOrder, system: System, task: Task, compute: Compute) -> TranslatorBundle | None:
    """The model that makes the synthetic MRs that the system sees; None for one that sees none."""
    if not system.sees_mr:
        if order.translator is not None:
            raise ConfigError(f"system {system.system} sees the CT alone: it has no use for --translator")
        return None
    if order.translator is None:
        raise ConfigError(
            f"system {system.system} sees a synthetic MR: name the model that makes it with --translator "
            "(rtseg train synthesis, then rtseg bundle)"
        )
    model = load_translator(bundle_folder(order.translator), compute)
    if model.task.preparation != task.preparation:
        raise ConfigError(f"model {order.translator} works on another grid than task {task.task}: its synthetic MRs do not fit")
    return model


def start_from(name: str, system: System, task: Task) -> Start:
    """The weights of a model with the same organs and network. One that sees the CT alone may become one that sees the synthetic
    MR too, which it begins without minding, or the MR alone, which it begins by reading as the last of its windows.

    Raises ConfigError if they differ in anything else.
    """
    model = load_bundle(bundle_folder(name), Compute(torch.device("cpu"), torch.float32))
    sees = (model.system.inputs, system.inputs)
    is_moved = sees in (("ct", "ct+smr"), ("ct", "smr"))
    for what, its, ours in (
        ("inputs", system.inputs if is_moved else model.system.inputs, system.inputs),
        ("organs", model.task.organs, task.organs),
        ("network", model.system.segmenter, system.segmenter),
        ("windows_hu", system.windows_hu if sees == ("ct", "smr") else model.system.windows_hu, system.windows_hu),
    ):
        if its != ours:
            raise ConfigError(f"model {name} cannot be begun with: its {what} are {its}, the system and task say {ours}")
    weights = model.segmenter.net.state_dict()
    return Start(_moved(weights, model.system.channels, system, task) if is_moved else weights, model.sha256)


def _moved(weights: Mapping[str, Tensor], channels: int, system: System, task: Task) -> dict[str, Tensor]:
    """Weights of a network that sees an image more, with zeros for it; or one alone, with those of the last of ``channels``."""
    assert system.segmenter is not None
    wanted = system.segmenter.build(inputs=system.channels, outputs=len(task.organs)).state_dict()
    result = {}
    for name, tensor in weights.items():
        result[name] = torch.zeros_like(wanted[name])
        own = tensor
        if system.channels < channels and tensor.shape != result[name].shape:
            of_an_image = (tensor.shape[1] - result[name].shape[1]) // (channels - 1)  # the images' features come last
            before = tensor.shape[1] - channels * of_an_image
            own = torch.cat([tensor[:, :before], tensor[:, -of_an_image:]], dim=1)
        result[name][tuple(slice(0, n) for n in own.shape)] = own
    return result


def _limits(task: Task, plan: PackPlan, cases: Sequence[PackedCase]) -> Limits:
    """What findings will be held against: volumes and places of the organs learnt from."""
    seen = (structures_of(case, plan) for case in cases if case.split == "train")
    return Limits(task.piece_ml, expected_of(seen, task.organs, task.open_ended))
