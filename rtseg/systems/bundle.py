"""Model bundles: a folder with weights as tensors, what they need to be used, their card and their checksums."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
import yaml
from pydantic import ConfigDict, create_model
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rtseg.core import BundleError, ConfigError, OutputError
from rtseg.imaging import Preparation
from rtseg.segmentation.confidence import Calibration
from rtseg.segmentation.inference import Segmenter
from rtseg.segmentation.review import Limits
from rtseg.segmentation.tidy import Rules
from rtseg.systems.system import System
from rtseg.systems.task import Task
from rtseg.systems.words import read_yaml, validated
from rtseg.training import Compute

Part = TypeVar("Part")

SUMS = "SHA256SUMS"
ABOUT = "bundle.json"
LIMITS = "limits.json"
FILES = ("system.yaml", "task.yaml", "segmenter.safetensors", LIMITS, "card.md", ABOUT)


@dataclass(frozen=True)
class About:
    """Name and version of a bundle, and the step its weights were taken at."""

    name: str
    version: str
    step: int


@dataclass(frozen=True, eq=False)
class Parts:
    """What a bundle is written from; weights are the segmenter's tensors by name."""

    about: About
    system: System
    task: Task
    weights: Mapping[str, Tensor]
    limits: Limits
    card: str


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model ready to be used; each room receives its own part of it.

    sha256 is the hash of the bundle's list of checksums: it stands for every byte of it.
    """

    about: About
    task: Task
    system: System
    segmenter: Segmenter
    limits: Limits
    card: str
    sha256: str

    @property
    def preparation(self) -> Preparation:
        return self.task.preparation

    @property
    def rules(self) -> Rules:
        return self.task.rules

    @property
    def limits_in_words(self) -> str:
        """The card's section ``Limits``, for reports; empty if it has none."""
        _, _, section = self.card.partition("## Limits\n")
        return section.partition("\n## ")[0].strip()


def load_bundle(folder: Path, compute: Compute) -> Bundle:
    """Check every file of a bundle against its checksum, then load it. Nothing is ever unpickled.

    Raises BundleError naming the file that is missing, altered or does not fit.
    """
    sha256 = verify_bundle(folder)
    system = validated(System, read_yaml(folder / "system.yaml"), str(folder / "system.yaml"))
    task = validated(Task, read_yaml(folder / "task.yaml"), str(folder / "task.yaml"))
    net = system.segmenter.build(inputs=len(system.windows_hu), outputs=len(task.organs))
    try:
        weights = load_file(folder / "segmenter.safetensors")
        net.load_state_dict({name: value.float() for name, value in weights.items()})
    except (SafetensorError, RuntimeError) as error:
        raise BundleError(f"{folder / 'segmenter.safetensors'} does not fit system.yaml and task.yaml: {error}") from error
    net = net.requires_grad_(False).to(compute.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    part = system.segmentation
    segmenter = Segmenter(net, task.organs, system.windows_hu, part.sampling.patch, part.overlap, compute)
    about, limits = _from_json(About, folder / ABOUT), read_limits(folder / LIMITS)
    return Bundle(about, task, system, segmenter, limits, (folder / "card.md").read_text(encoding="utf-8"), sha256)


def verify_bundle(folder: Path) -> str:
    """The bundle's hash, after every file was found to be the one that was bundled.

    Raises BundleError naming the first file that is missing, altered or not on the list.
    """
    sums = folder / SUMS
    if not sums.is_file():
        raise BundleError(f"{folder} is no model bundle: {SUMS} is missing; make one with: rtseg bundle RUN --output DIR")
    lines = re.findall(r"^([0-9a-f]{64})  (.+)$", sums.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    listed = {name: digest for digest, name in lines}
    if set(listed) != set(FILES):
        raise BundleError(f"{sums} must list {', '.join(FILES)}; it lists {', '.join(listed) or 'nothing'}")
    for name, expected in listed.items():
        file = folder / name
        if not file.is_file():
            raise BundleError(f"{file} is missing; the bundle is incomplete, get it again")
        if _sha256(file) != expected:
            raise BundleError(f"{file} is not the file that was bundled (SHA-256 differs); get the bundle again")
    return _sha256(sums)


def write_bundle(folder: Path, parts: Parts) -> Path:
    """Write a bundle into a new folder; weights are kept in half precision.

    Raises OutputError if the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty; choose another folder for the bundle")
    folder.mkdir(parents=True, exist_ok=True)
    write_yaml(parts.system, folder / "system.yaml")
    write_yaml(parts.task, folder / "task.yaml")
    half = {name: value.to(torch.float16).contiguous() for name, value in parts.weights.items()}
    save_file(half, folder / "segmenter.safetensors")
    (folder / "segmenter.safetensors").chmod(0o644)  # safetensors keeps it to its owner
    write_limits(parts.limits, folder / LIMITS)
    (folder / ABOUT).write_text(json.dumps(asdict(parts.about), indent=1) + "\n")
    write_card(folder, parts.card)
    return folder


def write_card(folder: Path, card: str) -> None:
    """Write (or replace) a bundle's card and make its checksums anew."""
    (folder / "card.md").write_text(card, encoding="utf-8")
    _seal(folder)


def write_calibration(folder: Path, calibration: Mapping[str, Calibration]) -> None:
    """Put a calibration into a bundle's limits, in place of one that is there, and make its checksums anew.

    Raises BundleError if the bundle is not whole.
    """
    verify_bundle(folder)
    write_limits(replace(read_limits(folder / LIMITS), calibration=calibration), folder / LIMITS)
    _seal(folder)


def _seal(folder: Path) -> None:
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in FILES]
    (folder / SUMS).write_text("".join(lines))


def write_yaml(part: System | Task, file: Path) -> None:
    """A system or a task as YAML that reads back as the same."""
    content = part.model_dump(mode="json", exclude_defaults=False)
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def write_limits(limits: Limits, file: Path) -> None:
    """Limits as JSON that reads back as the same."""
    file.write_text(json.dumps(asdict(limits), indent=1) + "\n")


def read_limits(file: Path) -> Limits:
    """The limits of a bundle or a run folder. Raises BundleError if the file does not hold them."""
    return _from_json(Limits, file)


def _from_json(part: type[Part], file: Path) -> Part:
    holder = create_model("Holder", __config__=ConfigDict(extra="forbid"), part=(part, ...))
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        read: Part = dict(validated(holder, {"part": content}, str(file)))["part"]
    except (OSError, ValueError, ConfigError) as error:
        raise BundleError(f"{file} does not hold what a bundle's {part.__name__} is made of: {error}") from error
    return read


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
