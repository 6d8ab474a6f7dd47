"""A task: one body site as data."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtseg.core.anatomy import mirrored, organ
from rtseg.data.pack import PackPlan
from rtseg.imaging import Preparation
from rtseg.imaging.landmarks import Landmark
from rtseg.metrics import HowMeasured
from rtseg.segmentation.tidy import Rules
from rtseg.synthesis.review import Region


class Table(BaseModel):
    """What CT values look like in an MR, roughly: HU that rise, and values of the MR in -1..1; straight between them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hu: tuple[float, ...] = Field(min_length=2)
    mr: tuple[Annotated[float, Field(ge=-1, le=1)], ...]

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.hu) != len(self.mr) or any(a >= b for a, b in pairwise(self.hu)):
            raise ValueError(f"a table has HU that rise and as many MR values, found hu {self.hu}, mr {self.mr}")
        return self


class Task(BaseModel):
    """One body site: its organs (TG-263 names, in the order of the model's outputs), working grid and rules.

    open_ended: organs whose contours end by protocol at their lower (inferior) end; below it they are unknown, not absent.
    piece_ml: a second piece of an organ smaller than this is not worth a finding.
    redraw_below: organ -> DSC under which a contour is redrawn rather than corrected, for the finding low_confidence; an organ
    that is not among them has rtseg.segmentation.confidence.REDRAW_BELOW.
    landmark: what heights of slices count from where CT and MR are of different people; mr_from_mm: height above it from which on
    such MRs show anything, so that below it a synthetic MR is a guess; mr_air: least and most share of the body that is air
    within it, where they do. ct_to_mr: where a translator's training begins.
    nsd_mm: organ -> tolerance of the normalised surface Dice, mm; an organ that is not among them has that of HowMeasured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    organs: tuple[str, ...]
    open_ended: tuple[str, ...] = ()
    preparation: Preparation
    rules: Rules = Rules()
    piece_ml: float = 0.3
    redraw_below: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = {}
    nsd_mm: Mapping[str, Annotated[float, Field(gt=0)]] = {}
    landmark: Landmark | None = None
    mr_from_mm: float = 0.0
    mr_air: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]] | None = None
    ct_to_mr: Table | None = None

    @model_validator(mode="after")
    def _organs_exist(self) -> Self:
        unknown = [name for name in (*self.organs, *self.open_ended) if organ(name) is None]
        if unknown:
            raise ValueError(f"not a TG-263 name known to rtseg.core.anatomy: {', '.join(unknown)}")
        if len(set(self.organs)) < len(self.organs):
            raise ValueError("organs names an organ twice")
        if not set(self.open_ended) <= set(self.organs):
            raise ValueError("open_ended names an organ that is not among organs")
        for key, organs in (("redraw_below", self.redraw_below), ("nsd_mm", self.nsd_mm)):
            if not set(organs) <= set(self.organs):
                raise ValueError(f"{key} names an organ that is not among organs")
        lone = [name for name in self.organs if mirrored(name) not in self.organs]
        if lone:
            raise ValueError(
                f"{', '.join(lone)} without the other side: left and right of a pair belong together, a mirror swaps them"
            )
        return self

    @property
    def mirrored(self) -> tuple[int, ...]:
        """For each organ the index of what it becomes when left and right change places."""
        return tuple(self.organs.index(mirrored(name)) for name in self.organs)

    @property
    def measured(self) -> dict[str, HowMeasured]:
        """How each organ is compared with a reference."""
        usual = HowMeasured()
        return {
            name: HowMeasured(nsd_mm=self.nsd_mm.get(name, usual.nsd_mm), is_open_ended=name in self.open_ended)
            for name in self.organs
        }

    @property
    def mr_region(self) -> Region:
        """Where a synthetic MR is more than a guess."""
        return Region(self.landmark, self.mr_from_mm, self.mr_air)

    @property
    def pack_plan(self) -> PackPlan:
        return PackPlan(self.organs, self.open_ended, self.preparation, self.landmark)
