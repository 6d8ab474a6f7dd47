"""Model bundles: a folder with weights as tensors, what they need to be used, their card and their checksums."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
import yaml
from pydantic import ConfigDict, create_model
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rtseg.core import BundleError, ConfigError, OutputError
from rtseg.imaging import Preparation
from rtseg.imaging.intensity import Scale
from rtseg.segmentation.confidence import Calibration
from rtseg.segmentation.inference import Segmenter
from rtseg.segmentation.review import Limits
from rtseg.segmentation.tidy import Rules
from rtseg.synthesis.inference import Translator
from rtseg.systems.system import System
from rtseg.systems.task import Task
from rtseg.systems.words import read_yaml, validated
from rtseg.training import Compute

Part = TypeVar("Part")

SUMS = "SHA256SUMS"
ABOUT = "bundle.json"
LIMITS = "limits.json"
SCALE = "scale.json"
SEGMENTER, TRANSLATOR = "segmenter.safetensors", "translator.safetensors"
CONTOURS_NOTHING = "model {} makes a synthetic MR and contours nothing: use it with rtseg synthesize"

COMMON = ("system.yaml", "task.yaml", LIMITS, "card.md", ABOUT)
"""Files of every bundle."""

OF_SEGMENTER, OF_TRANSLATOR = (SEGMENTER,), (TRANSLATOR, SCALE)
"""Files of a bundle that contours, and of one that makes a synthetic MR; one does either or both."""

FINDER = "finder"
"""Folder of a bundle that contours: the bundle that looks first, at the whole scan."""

OF_FINDER = f"{FINDER}/{SUMS}"
"""Stands for all files of the finder."""


@dataclass(frozen=True)
class About:
    """Name and version of a bundle, and the step its weights were taken at."""

    name: str
    version: str
    step: int


@dataclass(frozen=True, eq=False)
class Parts:
    """What a bundle is written from; weights are the segmenter's tensors by name, translator those of the generator with the
    values of its MR; None for a bundle without. finder: folder of the bundle that looks first.
    """

    about: About
    system: System
    task: Task
    weights: Mapping[str, Tensor] | None
    limits: Limits
    card: str
    translator: Mapping[str, Tensor] | None = None
    scale: Scale | None = None
    finder: Path | None = None


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model ready to be used; each room receives its own part of it.

    sha256 is the hash of the bundle's list of checksums: it stands for every byte of it. translator: for a segmenter that sees
    a synthetic MR. finder: a model that looks first, at the whole scan on a coarser grid, for the slices where the organs are.
    """

    about: About
    task: Task
    system: System
    segmenter: Segmenter
    limits: Limits
    card: str
    sha256: str
    translator: Translator | None = None
    finder: Bundle | None = None

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


@dataclass(frozen=True, eq=False)
class TranslatorBundle:
    """A model's way from CT to synthetic MR, ready to be used."""

    about: About
    task: Task
    system: System
    translator: Translator
    sha256: str


def load_bundle(folder: Path, compute: Compute) -> Bundle:
    """Check every file of a bundle against its checksum, then load it. Nothing is ever unpickled.

    Raises BundleError naming the file that is missing, altered or does not fit, or if the model has no segmenter.
    """
    sha256 = verify_bundle(folder)
    system, task = _described(folder)
    if system.segmenter is None or system.segmentation is None:
        raise BundleError(CONTOURS_NOTHING.format(folder.name))
    net = _loaded(system.segmenter.build(inputs=system.channels, outputs=len(task.organs)), folder / SEGMENTER, compute)
    part = system.segmentation
    segmenter = Segmenter(net, task.organs, system.windows_hu, part.sampling.patch, part.overlap, compute, system.sees_mr)
    about, limits = _from_json(About, folder / ABOUT), read_limits(folder / LIMITS)
    card = (folder / "card.md").read_text(encoding="utf-8")
    translator = _translator(folder, system, compute) if (folder / TRANSLATOR).is_file() else None
    if system.sees_mr and translator is None:
        raise BundleError(f"{folder}: its segmenter sees a synthetic MR, and {TRANSLATOR} is missing; get the bundle again")
    finder = load_bundle(folder / FINDER, compute) if (folder / FINDER).is_dir() else None
    if finder is not None and finder.translator is not None:
        raise BundleError(f"{folder / FINDER} sees a synthetic MR: a finder looks at the CT alone")
    return Bundle(about, task, system, segmenter, limits, card, sha256, translator, finder)


def load_translator(folder: Path, compute: Compute) -> TranslatorBundle:
    """As ``load_bundle``, of the part that makes a synthetic MR alone. Raises BundleError if there is none."""
    sha256 = verify_bundle(folder)
    system, task = _described(folder)
    if not (folder / TRANSLATOR).is_file():
        raise BundleError(f"model {folder.name} works on the CT alone: it makes no synthetic MR")
    return TranslatorBundle(_from_json(About, folder / ABOUT), task, system, _translator(folder, system, compute), sha256)


def _described(folder: Path) -> tuple[System, Task]:
    system = validated(System, read_yaml(folder / "system.yaml"), str(folder / "system.yaml"))
    return system, validated(Task, read_yaml(folder / "task.yaml"), str(folder / "task.yaml"))


def _translator(folder: Path, system: System, compute: Compute) -> Translator:
    if system.translator is None or system.synthesis is None:
        raise BundleError(f"{folder / TRANSLATOR} does not fit system.yaml, which has no translator")
    net = _loaded(system.translator.generator.build(), folder / TRANSLATOR, compute)
    return Translator(net, system.translator.generator.multiple, read_scale(folder / SCALE), compute)


def _loaded(net: nn.Module, file: Path, compute: Compute) -> nn.Module:
    try:
        net.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise BundleError(f"{file} does not fit system.yaml and task.yaml: {error}") from error
    ready: nn.Module = net.requires_grad_(False).to(compute.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return ready


def verify_bundle(folder: Path) -> str:
    """The bundle's hash, after every file was found to be the one that was bundled.

    Raises BundleError naming the first file that is missing, altered or not on the list.
    """
    sums = folder / SUMS
    if not sums.is_file():
        raise BundleError(f"{folder} is no model bundle: {SUMS} is missing; make one with: rtseg bundle RUN --output DIR")
    lines = re.findall(r"^([0-9a-f]{64})  (.+)$", sums.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    listed = {name: digest for digest, name in lines}
    lawful = [set(COMMON) | set(parts) for parts in (OF_SEGMENTER, OF_TRANSLATOR, OF_SEGMENTER + OF_TRANSLATOR)]
    if set(listed) - {OF_FINDER} not in lawful:
        raise BundleError(
            f"{sums} must list {', '.join(COMMON)}, and {SEGMENTER}, or {TRANSLATOR} with {SCALE}, or all of them; "
            f"it lists {', '.join(listed) or 'nothing'}"
        )
    for name, expected in listed.items():
        file = folder / name
        if not file.is_file():
            raise BundleError(f"{file} is missing; the bundle is incomplete, get it again")
        if _sha256(file) != expected:
            raise BundleError(f"{file} is not the file that was bundled (SHA-256 differs); get the bundle again")
    if (folder / FINDER).is_dir() != (OF_FINDER in listed):
        raise BundleError(f"{folder / FINDER} is not as it was bundled; get the bundle again")
    if OF_FINDER in listed:
        verify_bundle(folder / FINDER)
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
    for weights, name in ((parts.weights, SEGMENTER), (parts.translator, TRANSLATOR)):
        if weights is not None:
            save_file({key: value.to(torch.float16).contiguous() for key, value in weights.items()}, folder / name)
            (folder / name).chmod(0o644)  # safetensors keeps it to its owner
    if parts.scale is not None:
        write_scale(parts.scale, folder / SCALE)
    if parts.finder is not None:
        verify_bundle(parts.finder)
        shutil.copytree(parts.finder, folder / FINDER)
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
    there = [name for name in (*COMMON, *OF_SEGMENTER, *OF_TRANSLATOR, OF_FINDER) if (folder / name).is_file()]
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in there]
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


def write_scale(scale: Scale, file: Path) -> None:
    """The values of a synthetic MR as JSON that reads back as the same."""
    file.write_text(json.dumps(asdict(scale), indent=1) + "\n")


def read_scale(file: Path) -> Scale:
    """The scale of a bundle or a run folder. Raises BundleError if the file does not hold one."""
    return _from_json(Scale, file)


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
