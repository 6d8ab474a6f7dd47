"""Findings: what a human should look at. Never hidden, never fatal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rtseg.core.printable import printable


@dataclass(frozen=True)
class Finding:
    """Something about a scan or an organ that a human should look at.

    organ   TG-263 name, or None if it concerns the scan
    kind    stable word that a clinic can count over months, e.g. ``pieces``, ``uneven_slices``
    value   what was measured, None if there is nothing to measure; its unit is told in ``words``
    limit   what it was held against, None if there is no limit
    words   the whole finding in one sentence for the physicist
    """

    kind: str
    words: str
    organ: str | None = None
    value: float | None = None
    limit: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", printable(self.words))

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the five fields by name."""
        return asdict(self)
