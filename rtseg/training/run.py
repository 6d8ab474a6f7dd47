"""A run folder: what is trained, how far it is, its log and its checkpoints. Killing it loses minutes, never more."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

CONFIGURATION = "configuration.json"
LOG = "log.jsonl"
LAST = "last.json"
BEST = "best"


@dataclass(frozen=True)
class Checkpoint:
    """Everything a training goes on from: networks and EMA by name, optimizer tensors by name, the step."""

    step: int
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]


@dataclass
class Run:
    """An open run folder.

    save_every_s: checkpoints are due this many seconds after the last one. budget_s: after it the run ends cleanly.
    """

    folder: Path
    save_every_s: float = 300.0
    budget_s: float | None = None
    _started: float = field(default_factory=time.monotonic)
    _saved: float = field(default_factory=time.monotonic)
    _log: TextIO | None = None
    _board: Any = None

    @classmethod
    def open(cls, folder: Path, configuration: Mapping[str, Any], budget_s: float | None, save_every_s: float = 300.0) -> Run:
        """A new run, or one to go on with.

        Raises ValueError if the folder holds a run of another configuration: a resumed run must give the same curve.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file, wanted = folder / CONFIGURATION, json.loads(json.dumps(configuration))
        if file.is_file():
            there = json.loads(file.read_text())
            if there != wanted:
                changed = sorted(key for key in there.keys() | wanted.keys() if there.get(key) != wanted.get(key))
                raise ValueError(f"{folder} holds a run with another {', '.join(changed)}; choose another folder for this one")
        else:
            _write_whole(file, json.dumps(wanted, indent=1) + "\n")
        return cls(folder, save_every_s, budget_s)

    @property
    def is_over_budget(self) -> bool:
        return self.budget_s is not None and time.monotonic() - self._started >= self.budget_s

    @property
    def is_save_due(self) -> bool:
        return time.monotonic() - self._saved >= self.save_every_s

    def last(self) -> Checkpoint | None:
        """The newest whole checkpoint, None for a fresh run."""
        file = self.folder / LAST
        if not file.is_file():
            return None
        step = int(json.loads(file.read_text())["step"])
        weights, optimizer = self._files(step)
        return Checkpoint(step, load_file(weights), load_file(optimizer))

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
        return dict(json.loads(file.read_text())) if file.is_file() else None

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

    def close(self) -> None:
        if self._log is not None:
            self._log.close()
            self._board.close()

    def _log_from(self, step: int) -> TextIO:
        """The log, open to go on at ``step``: what a killed run wrote from there on, or tore, is left out."""
        file = self.folder / LOG
        if file.is_file():
            whole = [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
            _write_whole(file, "".join(line for line in whole if json.loads(line)["step"] < step))
        return file.open("a", buffering=1)

    def _files(self, step: int) -> tuple[Path, Path]:
        return self.folder / f"step_{step:07d}.safetensors", self.folder / f"step_{step:07d}.optimizer.safetensors"


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
