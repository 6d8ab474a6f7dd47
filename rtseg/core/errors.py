"""The errors a user can meet, named by what the user must mend.

RtsegError
├── InputError      a file or folder that was read: what was found, what was expected, the remedy
├── GeometryError   voxel grids, positions or orientations that do not fit together
├── ConfigError     a system, task or option that cannot be
├── BundleError     a model bundle that is missing, altered or incomplete
└── OutputError     a place that cannot be written, or holds something already
"""

from rtseg.core.printable import printable


class RtsegError(Exception):
    """Base of every error that a command turns into words; anything else is a bug."""

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(RtsegError):
    """A file or folder that was read does not hold what is needed."""


class GeometryError(RtsegError):
    """Voxel grids, positions or orientations do not fit together."""


class ConfigError(RtsegError):
    """A system, task or option that cannot be."""


class BundleError(RtsegError):
    """A model bundle is missing, altered or incomplete."""


class OutputError(RtsegError):
    """An output cannot be written, or something is there already."""
