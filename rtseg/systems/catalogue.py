"""Where systems, tasks and bundles are found by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.core import BundleError, ConfigError
from rtseg.systems.task import Task
from rtseg.systems.words import nearest, read_yaml, validated

if TYPE_CHECKING:
    from rtseg.systems.system import System

GUIDE = "docs/train_your_own.md"
"""The page of the repository that leads from a clinic's DICOM files to a model."""


def read_system(name: str) -> System:
    """A system that ships, by name, or a YAML file of one's own. Raises ConfigError with the names that exist."""
    from rtseg.systems.system import System  # its networks need torch, tasks do not

    file = config_file("systems", name)
    return validated(System, read_yaml(file), str(file))


def read_task(name: str) -> Task:
    """A task that ships, by name, or a YAML file of one's own. Raises ConfigError with the names that exist."""
    file = config_file("tasks", name)
    return validated(Task, read_yaml(file), str(file))


def shipped_tasks() -> dict[str, Task]:
    """The tasks that ship, by name."""
    folder = Path(str(files("rtseg.configs"))) / "tasks"
    return {file.stem: read_task(file.stem) for file in sorted(folder.glob("*.yaml"))}


def shipped_bundles() -> dict[str, Path]:
    """Folders of the bundles that ship with rtseg, by name."""
    root = Path(str(files("rtseg"))) / "models"
    return {folder.name: folder for folder in sorted(root.iterdir()) if folder.is_dir()} if root.is_dir() else {}


def bundle_folder(model: str) -> Path:
    """The folder of ``--model NAME|DIR``. Raises BundleError with the names that exist."""
    shipped = shipped_bundles()
    if model in shipped:
        return shipped[model]
    if Path(model).is_dir():
        return Path(model)
    raise BundleError(
        f"no model {model!r}: neither a folder nor a model that ships; {nearest(model, list(shipped))}. One for other organs "
        f"can be trained on your own clinic's contours, as {GUIDE} shows"
    )


def config_file(kind: str, name: str) -> Path:
    """The YAML file of a name, or of a path. Raises ConfigError with the names that exist."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    folder = Path(str(files("rtseg.configs"))) / kind
    file = folder / f"{name}.yaml"
    if not file.is_file():
        known = [path.stem for path in folder.glob("*.yaml")]
        raise ConfigError(f"no {kind.removesuffix('s')} {name!r}; {nearest(name, known)}, or give a YAML file of your own")
    return file
