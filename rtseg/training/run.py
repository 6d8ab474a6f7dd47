"""A run folder: what is trained, how far it is, its log and its checkpoints. Killing it loses minutes, never more."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rtseg.core import ConfigError, InputError, OutputError
from rtseg.training.device import Compute

CONFIGURATION = "configuration.json"
PRECISION = "precision.json"
LOCK = "lock"
LOG = "log.jsonl"
LAST = "last.json"
BEST = "best"

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

WORDY = 60
"""A value is cut after so many letters in an error."""

REMEDY = "bring the file back from a copy, or train anew in another folder"

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""How a file system says that it cannot lock: then nobody watches that a run is trained by one process alone."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything a training goes on from: networks and EMA by name, optimizer tensors by name, the step."""

    step: int
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]


@dataclass
class Run:
    """A run folder: opened (``Run.open``) to train in it, until it is closed; made by its folder alone only to read it.

    save_every_s: checkpoints are due this many seconds after the last one. budget_s: after it the run ends cleanly.
    """

    folder: Path
    save_every_s: float = 300.0
    budget_s: float | None = None
    _started: float = field(default_factory=time.monotonic)
    _saved: float = field(default_factory=time.monotonic)
    _log: TextIO | None = None
    _board: Any = None
    _lock: TextIO | None = None

    @classmethod
    def open(cls, folder: Path, configuration: Mapping[str, Any], budget_s: float | None) -> Run:
        """A new run, or one to go on with; the folder is this process's alone until ``close``.

        Raises ConfigError if the folder holds a run of another configuration (a resumed run must give the same curve),
        InputError if it is damaged, OutputError if another process trains in it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        run = cls(folder, budget_s=budget_s, _lock=_locked(folder))
        try:
            run._must_be(json.loads(json.dumps(configuration)))
        except BaseException:
            run.close()
            raise
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_over_budget(self) -> bool:
        return self.budget_s is not None and time.monotonic() - self._started >= self.budget_s

    @property
    def is_save_due(self) -> bool:
        return time.monotonic() - self._saved >= self.save_every_s

    def last(self) -> Checkpoint | None:
        """The newest whole checkpoint, None for a fresh run. Raises InputError if a file of it is missing or damaged."""
        file = self.folder / LAST
        if not file.is_file():
            return None
        step = int(_remembered(file, "step"))
        weights, optimizer = self._files(step)
        return Checkpoint(step, _tensors(weights), _tensors(optimizer))

    def in_its_precision(self, chosen: Compute) -> Compute:
        """``chosen``, in the precision that this run began with, which a fresh run remembers.

        Which precision is quicker is measured anew in every process; the curve must not depend on it.
        """
        file = self.folder / PRECISION
        if not file.is_file():
            _write_whole(file, json.dumps({"precision": str(chosen.precision).removeprefix("torch.")}) + "\n")
            return chosen
        name = _remembered(file, "precision")
        if name not in PRECISIONS:
            raise InputError(f"{file} tells of precision {name!r}, expected {' or '.join(PRECISIONS)}; {REMEDY}")
        return replace(chosen, precision=PRECISIONS[name])

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint beside the old one, then point to it, then remove the old one: whole at any moment."""
        weights, optimizer = self._files(checkpoint.step)
        _save_whole(checkpoint.weights, weights)
        _save_whole(checkpoint.optimizer, optimizer)
        _write_whole(self.folder / LAST, json.dumps({"step": checkpoint.step}) + "\n")
        for file in (*self.folder.glob("step_*.safetensors"), *self.folder.glob("step_*.part")):
            if file not in (weights, optimizer):
                file.unlink()
        self._saved = time.monotonic()

    def save_best(self, weights: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Keep these weights as the run's best, with the figures that made them so."""
        _save_whole(weights, self.folder / f"{BEST}.safetensors")
        _write_whole(self.folder / f"{BEST}.json", json.dumps(about, indent=1) + "\n")

    def best(self) -> dict[str, Any] | None:
        """The figures of the best weights so far."""
        file = self.folder / f"{BEST}.json"
        return _json(file) if file.is_file() else None

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """One line of JSON and one point per figure on the board."""
        if self._log is None:
            self._log, self._board = self._log_from(step), _board(self.folder, step)
        self._log.write(
            json.dumps({"step": step, "time": round(time.time(), 1), **{k: round(float(v), 6) for k, v in figures.items()}})
            + "\n"
        )
        for name, value in figures.items():
            self._board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, grey: NDArray[np.float32]) -> None:
        """(rows, columns) in 0..1, on the board."""
        if self._board is None:
            self._log, self._board = self._log_from(step), _board(self.folder, step)
        self._board.add_image(name, grey[None], step)

    def close(self) -> None:
        """End the log and leave the folder to others."""
        if self._log is not None:
            self._log.close()
            self._board.close()
        if self._lock is not None:
            self._lock.close()

    def _must_be(self, wanted: Mapping[str, Any]) -> None:
        """This configuration's run; a fresh folder becomes it."""
        file = self.folder / CONFIGURATION
        if not file.is_file():
            _write_whole(file, json.dumps(wanted, indent=1) + "\n")
            return
        there = _json(file)
        if changed := list(_differences(there, wanted, "")):
            raise ConfigError(
                f"{self.folder} holds a run with another {'; another '.join(changed)}. Choose another folder for this one"
            )

    def _log_from(self, step: int) -> TextIO:
        """The log, open to go on at ``step``: what a killed run wrote from there on, or tore, is left out."""
        file = self.folder / LOG
        if file.is_file():
            whole = [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
            _write_whole(file, "".join(line for line in whole if json.loads(line)["step"] < step))
        return file.open("a", buffering=1)

    def _files(self, step: int) -> tuple[Path, Path]:
        return self.folder / f"step_{step:07d}.safetensors", self.folder / f"step_{step:07d}.optimizer.safetensors"


def _differences(there: Any, wanted: Any, place: str) -> Iterator[str]:
    """What two configurations differ in, with both values, each place once."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        for key in sorted(there.keys() | wanted.keys()):
            yield from _differences(there.get(key), wanted.get(key), f"{place}.{key}" if place else key)
    elif there != wanted:
        yield f"{place}: {_short(there)} there, {_short(wanted)} here"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= WORDY else text[:WORDY] + " ..."


def named_weights(nets: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """All tensors of networks that stand by name, as ``network.tensor``."""
    return {f"{name}.{key}": value.detach() for name, net in nets.items() for key, value in net.state_dict().items()}


def load_named(nets: Mapping[str, nn.Module], weights: Mapping[str, Tensor]) -> None:
    """The inverse of ``named_weights``; every tensor must be there."""
    for name, net in nets.items():
        net.load_state_dict({key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")})


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimizer's state as plain tensors, ``parameter index.name``; hyperparameters belong to the schedule."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": torch.as_tensor(value) for index, entry in state.items() for name, value in entry.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of ``optimizer_tensors``."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _locked(folder: Path) -> TextIO | None:
    """The folder's lock, held until it is closed or the process ends; None where there are no locks (Windows, some networks)."""
    if sys.platform == "win32":
        return None
    import fcntl

    lock = (folder / LOCK).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if isinstance(error, BlockingIOError):
            raise OutputError(
                f"another training is running in {folder}; wait for its end or stop it, or choose another folder"
            ) from error
        if error.errno in NO_LOCKS:
            return None
        raise
    return lock


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is damaged ({error}); {REMEDY}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} is damaged: it holds no names and values; {REMEDY}")
    return content


def _remembered(file: Path, name: str) -> Any:
    content = _json(file)
    if name not in content:
        raise InputError(f"{file} is damaged: {name} is missing in it; {REMEDY}")
    return content[name]


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise InputError(f"the checkpoint file {file} is missing or damaged ({error}); {REMEDY}") from error


def _board(folder: Path, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step)


def _save_whole(tensors: Mapping[str, Tensor], file: Path) -> None:
    part = file.with_suffix(".part")
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, part)
    with part.open("rb+") as handle:
        os.fsync(handle.fileno())
    part.replace(file)


def _write_whole(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    with part.open("w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(file)
