"""What contouring a planning CT gives, and how sure the model was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rtseg.core.finding import Finding
from rtseg.core.structures import StructureSet
from rtseg.core.volume import Volume


@dataclass(frozen=True)
class Confidence:
    """How sure a model was of one organ's contour.

    soft_dice      0..1, how well the model's probabilities agree with the contour made from them, on the model's grid
    predicted_dsc  the DSC with a manual contour that such a soft Dice went with when the model was judged
    at_least       what the DSC was at least in 9 of 10 patients then; both None if the model is not calibrated for the organ
    """

    soft_dice: float
    predicted_dsc: float | None = None
    at_least: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the three figures by name."""
        return {name: None if value is None else round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class Contouring:
    """Organs on the planning CT's own grid, the synthetic MR if a translator made one, what to look at, and organ by
    organ, of those that were found, how sure the model was.
    """

    structures: StructureSet
    synthetic_mr: Volume | None
    findings: Sequence[Finding]
    confidence: Mapping[str, Confidence] = field(default_factory=dict)
