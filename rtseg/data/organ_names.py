"""Which organ a clinic's label means: the clinic's own list first, then the synonyms that rtseg knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtseg.core import ConfigError
from rtseg.core.anatomy import canonical


@dataclass(frozen=True)
class OrganNames:
    """``own``: a clinic's label, as it is spelt, -> TG-263 name, or None for what is to be left out."""

    own: Mapping[str, str | None] = field(default_factory=dict)

    def knows(self, label: str) -> bool:
        """Whether the label means an organ, or is left out on purpose."""
        return label in self.own or canonical(label) is not None

    def organ(self, label: str) -> str | None:
        """TG-263 name of the label; None if it is left out or unknown."""
        return self.own[label] if label in self.own else canonical(label)


def organ_names(content: Mapping[Any, Any], source: str) -> OrganNames:
    """The names of a file ``clinic's label: TG-263 name`` (or null, to leave it out).

    A name that rtseg's table lacks is taken as it is: TG-263 has more organs. Raises ConfigError for what cannot be a name, and
    for a synonym in place of the TG-263 name.
    """
    own: dict[str, str | None] = {}
    for label, name in content.items():
        if name is not None and not _may_name_a_file(name):
            raise ConfigError(f"{source}: {label!r} must be a TG-263 name or null (left out), got {name!r}")
        if name is not None and canonical(name) not in (None, name):
            raise ConfigError(f"{source}: {label!r}: {name} is no TG-263 name; did you mean {canonical(name)}?")
        own[str(label).strip()] = name
    return OrganNames(own)


def _may_name_a_file(name: object) -> bool:
    return isinstance(name, str) and name == name.strip() != "" and Path(name).name == name and " " not in name
