"""Systems, tasks and bundles: the schemas of the YAML files, and models on disk."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtseg.systems.bundle import (
        LIMITS,
        About,
        Bundle,
        Parts,
        TranslatorBundle,
        load_bundle,
        load_translator,
        read_limits,
        verify_bundle,
        write_bundle,
        write_calibration,
        write_card,
        write_limits,
        write_yaml,
    )
    from rtseg.systems.catalogue import bundle_folder, read_system, read_task, shipped_bundles, shipped_tasks
    from rtseg.systems.system import Size, System
    from rtseg.systems.task import Task

__all__ = [
    "LIMITS",
    "About",
    "Bundle",
    "Parts",
    "Size",
    "System",
    "Task",
    "TranslatorBundle",
    "bundle_folder",
    "load_bundle",
    "load_translator",
    "read_limits",
    "read_system",
    "read_task",
    "shipped_bundles",
    "shipped_tasks",
    "verify_bundle",
    "write_bundle",
    "write_calibration",
    "write_card",
    "write_limits",
    "write_yaml",
]

MODULES = ("task", "catalogue", "system", "bundle")
"""Those without torch first: a name is looked for in this order."""


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: bundles need torch (2 s), tasks do not."""
    if name in __all__:
        for module in MODULES:
            there = import_module(f"rtseg.systems.{module}")
            if hasattr(there, name):
                return getattr(there, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
