"""A system: one published method as data, without organs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtseg.core import ConfigError
from rtseg.nets import DAUNet
from rtseg.nets.daunet import GROUPS
from rtseg.segmentation.inputs import Window
from rtseg.segmentation.loss import Positives
from rtseg.segmentation.train import Training
from rtseg.systems.task import Task
from rtseg.systems.words import validated
from rtseg.training import Augmentation, Sampling, Schedule

Size = Literal["tiny", "small", "full"]


class Segmentation(BaseModel):
    """How the segmenter is trained: its sampling, augmentation, loss and schedule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampling: Sampling
    augmentation: Augmentation
    positives: Positives
    schedule: Schedule
    dice_until: float = Field(default=1.0, ge=0, le=1)
    overlap: float = Field(default=0.25, ge=0, lt=1)


class System(BaseModel):
    """One method: what the segmenter sees and is, and how it is trained, in sizes tiny, small and full.

    fidelity: ours | variant | reimplementation (of a paper whose code is not public).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    fidelity: Literal["ours", "variant", "reimplementation"]
    inputs: Literal["ct"]
    windows_hu: tuple[Window, ...] = Field(min_length=1)
    segmenter: DAUNet
    segmentation: Segmentation
    sizes: dict[Size, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _windows_rise(self) -> Self:
        falling = [window for window in self.windows_hu if not window[0] < window[1]]
        if falling:
            raise ValueError(f"windows_hu: a window goes from its lower to its higher HU, found {', '.join(map(str, falling))}")
        return self

    @model_validator(mode="after")
    def _segmenter_can_be_built(self) -> Self:
        net = self.segmenter
        if min(net.fold) < 1:
            raise ValueError(f"segmenter.fold {net.fold} must be at least 1 along each axis")
        if len(net.channels) < 2:
            raise ValueError(f"segmenter.channels {net.channels} must name two levels at least")
        for name, widths in (("channels", net.channels), ("fine_channels", (net.fine_channels,))):
            if any(width % GROUPS or width < 1 for width in widths):
                raise ValueError(f"segmenter.{name} {getattr(net, name)} must be positive multiples of {GROUPS}")
        return self

    @model_validator(mode="after")
    def _patch_fits(self) -> Self:
        multiple, patch = self.segmenter.multiple, self.segmentation.sampling.patch
        if any(n % m or n < 1 for n, m in zip(patch, multiple, strict=True)):
            raise ValueError(f"segmentation.sampling.patch {patch} must be positive multiples of {multiple} for this segmenter")
        return self

    def at_size(self, size: Size) -> System:
        """This system with the changes of one of its sizes; one without sizes, as a bundle holds it, is what it is.

        Raises ConfigError if it has sizes, but not this one.
        """
        if not self.sizes:
            return self
        if size not in self.sizes:
            raise ConfigError(f"system {self.system} has no size {size}; there is {', '.join(self.sizes)}")
        whole = self.model_dump(mode="json", exclude={"sizes"})
        return validated(System, {**_merged(whole, self.sizes[size]), "sizes": {}}, f"system {self.system}, size {size}")

    def training(self, task: Task, seed: int = 0) -> Training:
        """Everything that decides the curve of the segmenter's training for a task."""
        part = self.segmentation
        return Training(
            organs=task.organs,
            mirrored=task.mirrored,
            windows_hu=self.windows_hu,
            network=self.segmenter,
            sampling=part.sampling,
            augmentation=part.augmentation,
            positives=part.positives,
            schedule=part.schedule,
            dice_until=part.dice_until,
            overlap=part.overlap,
            seed=seed,
        )


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, mappings merged, everything else replaced."""
    result = dict(base)
    for key, value in changes.items():
        here = result.get(key)
        result[key] = _merged(here, value) if isinstance(here, Mapping) and isinstance(value, Mapping) else value
    return result
