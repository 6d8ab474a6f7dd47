"""Systems, tasks and bundles: the schemas of the YAML files, and models on disk."""

from rtseg.systems.bundle import (
    LIMITS,
    About,
    Bundle,
    Parts,
    load_bundle,
    read_limits,
    verify_bundle,
    write_bundle,
    write_calibration,
    write_card,
    write_limits,
    write_yaml,
)
from rtseg.systems.catalogue import bundle_folder, read_system, read_task, shipped_bundles
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
    "bundle_folder",
    "load_bundle",
    "read_limits",
    "read_system",
    "read_task",
    "shipped_bundles",
    "verify_bundle",
    "write_bundle",
    "write_calibration",
    "write_card",
    "write_limits",
    "write_yaml",
]
