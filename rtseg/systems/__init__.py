"""Systems, tasks and bundles: the schemas of the YAML files, and models on disk."""

from rtseg.systems.bundle import About, Bundle, load_bundle, verify_bundle, write_bundle, write_card, write_yaml
from rtseg.systems.catalogue import bundle_folder, read_system, read_task, shipped_bundles
from rtseg.systems.system import Size, System
from rtseg.systems.task import Task

__all__ = [
    "About",
    "Bundle",
    "Size",
    "System",
    "Task",
    "bundle_folder",
    "load_bundle",
    "read_system",
    "read_task",
    "shipped_bundles",
    "verify_bundle",
    "write_bundle",
    "write_card",
    "write_yaml",
]
