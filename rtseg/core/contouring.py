"""What contouring a planning CT gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtseg.core.finding import Finding
from rtseg.core.structures import StructureSet
from rtseg.core.volume import Volume


@dataclass(frozen=True, eq=False)
class Contouring:
    """Organs on the planning CT's own grid, the synthetic MR if a translator made one, and what to look at."""

    structures: StructureSet
    synthetic_mr: Volume | None
    findings: Sequence[Finding]
