"""The terms of a translator's loss as a system names them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rtseg.synthesis.terms import (
    Adversarial,
    Consistency,
    Cycle,
    GradientDifference,
    Identity,
    LabelAware,
    Perceptual,
    StructuralSimilarity,
    Term,
    Voxel,
)


class Terms(BaseModel):
    """Terms by name, those that are given. turned_adversarial: a second adversarial term, on what is made of turned CTs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adversarial: Adversarial | None = None
    turned_adversarial: Adversarial | None = None
    cycle: Cycle | None = None
    identity: Identity | None = None
    voxel: Voxel | None = None
    gradient_difference: GradientDifference | None = None
    structural_similarity: StructuralSimilarity | None = None
    consistency: Consistency | None = None
    label_aware: LabelAware | None = None
    perceptual: Perceptual | None = None

    @property
    def given(self) -> dict[str, Term]:
        """Those that are there."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}

    @property
    def has_critics(self) -> bool:
        return any(isinstance(term, Adversarial) for term in self.given.values())

    @property
    def is_turned(self) -> bool:
        """Whether a term needs images that are turned."""
        return any(isinstance(term, Consistency) or getattr(term, "on", "") == "turned_mr" for term in self.given.values())
