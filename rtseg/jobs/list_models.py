"""The models that ship, each verified to be what was bundled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rtseg.core import RtsegError
from rtseg.systems import shipped_bundles
from rtseg.systems.bundle import ABOUT, SEGMENTER, TRANSLATOR, verify_bundle
from rtseg.systems.catalogue import read_task


@dataclass(frozen=True)
class ModelRow:
    """One bundle: its folder, organs and hash, whether it makes a synthetic MR, or in ``error`` why it cannot be used.

    A model that contours nothing has no organs.
    """

    name: str
    version: str
    folder: Path
    organs: tuple[str, ...]
    sha256: str
    error: str | None
    makes_mr: bool = False


def list_models() -> list[ModelRow]:
    """Every model that ships, verified."""
    return [_row(name, folder) for name, folder in shipped_bundles().items()]


def _row(name: str, folder: Path) -> ModelRow:
    try:
        sha256 = verify_bundle(folder)
        organs = read_task(str(folder / "task.yaml")).organs if (folder / SEGMENTER).is_file() else ()
    except RtsegError as error:
        return ModelRow(name, "", folder, (), "", str(error))
    version = str(json.loads((folder / ABOUT).read_text())["version"])
    return ModelRow(name, version, folder, organs, sha256, None, (folder / TRANSLATOR).is_file())
