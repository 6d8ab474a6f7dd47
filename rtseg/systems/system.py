"""A system: one published method as data, without organs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from rtseg.core import ConfigError
from rtseg.imaging.intensity import CT_SCALE
from rtseg.nets import DAUNet, DualPyramid, ResidualUNet
from rtseg.nets.daunet import GROUPS
from rtseg.nets.patch import Patch
from rtseg.nets.translators import DenseResnet, Resnet, UNetGenerator
from rtseg.segmentation.inputs import Window
from rtseg.segmentation.loss import Positives
from rtseg.segmentation.train import Training
from rtseg.synthesis.patches import Patches
from rtseg.synthesis.train import SynthesisTraining, WarmStart
from rtseg.synthesis.translators import Kind, must_go_together
from rtseg.synthesis.turns import Turn
from rtseg.systems.task import Task
from rtseg.systems.terms import Terms
from rtseg.systems.words import validated
from rtseg.training import Augmentation, Sampling, Schedule

Size = Literal["tiny", "small", "full"]

Inputs = Literal["ct", "smr", "ct+smr"]
"""What a segmenter sees: the CT, the synthetic MR made from it, or both."""


def _network_of(options: Any) -> str:
    """Which segmenter is meant; daunet where nothing is said, as in models made when there was no other."""
    named = options.get("network", "daunet") if isinstance(options, dict) else options.network
    return str(named)


AnySegmenter = Annotated[
    Annotated[DAUNet, Tag("daunet")]
    | Annotated[DualPyramid, Tag("dual_pyramid")]
    | Annotated[ResidualUNet, Tag("residual_unet")],
    Discriminator(_network_of),
]

AnyGenerator = Annotated[Resnet | DenseResnet | UNetGenerator, Field(discriminator="network")]


class Segmentation(BaseModel):
    """How the segmenter is trained: its sampling, augmentation, loss and schedule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampling: Sampling
    augmentation: Augmentation
    positives: Positives
    schedule: Schedule
    dice_until: float = Field(default=1.0, ge=0, le=1)
    overlap: float = Field(default=0.25, ge=0, lt=1)


class TranslatorPart(BaseModel):
    """What makes an MR of a CT, and who judges it: no critic, for a translator without; organ_net: the segmenters that learn
    beside it, where a term is about organs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    generator: AnyGenerator
    critic: Patch | None = None
    organ_net: DAUNet | None = None


class Synthesis(BaseModel):
    """How the translator is trained.

    patch           (slices, rows, columns) of training
    critic_rate     learning rate of the critics; the schedule's is the generators'
    critic_ceiling  a critic that is right about a larger share of patches does not learn in that step: it must not win
    turn            of geometric consistency
    warm_steps      steps towards the task's table from CT to MR values, before all others
    mirror          half of the patches change left and right
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    patch: tuple[int, int, int]
    batch: int = Field(default=1, ge=1)
    schedule: Schedule
    critic_rate: float = Field(default=2e-4, gt=0)
    critic_ceiling: float = Field(default=1.0, gt=0.5, le=1)
    turn: Turn = "rot90"
    warm_steps: int = Field(default=0, ge=0)
    mirror: bool = True


class System(BaseModel):
    """One method: what makes a synthetic MR, what the segmenter sees and is, and how both are trained.

    fidelity: ours | variant | reimplementation (of a paper whose code is not public). needs_pairing: registered for a method that
    compares with the MR of the same patient voxel by voxel. A method without a segmenter ends with the synthetic MR, one without
    translator begins with the CT. sizes: tiny, small, full.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    fidelity: Literal["ours", "variant", "reimplementation"]
    inputs: Inputs | None = None
    needs_pairing: Literal["none", "registered"] = "none"
    translator: TranslatorPart | None = None
    terms: Terms = Terms()
    synthesis: Synthesis | None = None
    windows_hu: tuple[Window, ...] = ()
    segmenter: AnySegmenter | None = None
    segmentation: Segmentation | None = None
    sizes: dict[Size, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.translator is None and self.segmenter is None:
            raise ValueError("neither translator nor segmenter: nothing would be made")
        if (self.translator is None) != (self.synthesis is None):
            raise ValueError("translator and synthesis, how it is trained, go together: one of them is missing")
        if (self.segmenter is None) != (self.segmentation is None):
            raise ValueError("segmenter and segmentation, how it is trained, go together: one of them is missing")
        if (self.segmenter is None) != (self.inputs is None):
            raise ValueError("inputs says what the segmenter sees (ct, smr or ct+smr), where there is one")
        if self.inputs in ("smr", "ct+smr") and self.translator is None:
            raise ValueError(f"inputs {self.inputs} needs a translator that makes the synthetic MR")
        if self.translator is None and self.terms.given:
            raise ValueError("terms are the translator's loss: there is no translator")
        return self

    @model_validator(mode="after")
    def _windows_rise(self) -> Self:
        if (self.inputs in ("ct", "ct+smr")) != bool(self.windows_hu):
            raise ValueError("windows_hu says how the segmenter sees the CT: one window at least where it does, none where not")
        falling = [window for window in self.windows_hu if not window[0] < window[1]]
        if falling:
            raise ValueError(f"windows_hu: a window goes from its lower to its higher HU, found {', '.join(map(str, falling))}")
        return self

    @model_validator(mode="after")
    def _translator_can_be_trained(self) -> Self:
        if self.translator is None or self.synthesis is None:
            return self
        part, size, terms = self.translator, self.synthesis.patch, self.terms.given
        try:
            must_go_together(part.kind, terms, is_paired=self.needs_pairing == "registered")
        except ConfigError as error:
            raise ValueError(str(error)) from error
        if self.terms.has_critics != (part.critic is not None):
            raise ValueError("translator.critic and an adversarial term go together: one of them is missing")
        if (self.terms.label_aware is not None) != (part.organ_net is not None):
            raise ValueError("translator.organ_net and the term label_aware go together: one of them is missing")
        if part.organ_net is not None and any(n % m for n, m in zip(size, part.organ_net.multiple, strict=True)):
            raise ValueError(f"synthesis.patch {size} must be multiples of {part.organ_net.multiple} for translator.organ_net")
        multiple = part.generator.multiple
        if any(n % multiple or n < 1 for n in size):
            raise ValueError(f"synthesis.patch {size} must be positive multiples of {multiple} for this generator")
        if part.critic is not None and min(size) < part.critic.smallest:
            raise ValueError(
                f"synthesis.patch {size} is too small for this critic: {part.critic.smallest} at least along each axis"
            )
        if self.terms.is_turned and self.synthesis.turn == "rot90" and size[1] != size[2]:
            raise ValueError(f"synthesis.patch {size}: a quarter turn needs as many rows as columns")
        return self

    @model_validator(mode="after")
    def _segmenter_can_be_built(self) -> Self:
        net = self.segmenter
        if net is None:
            return self
        if min(net.fold) < 1:
            raise ValueError(f"segmenter.fold {net.fold} must be at least 1 along each axis")
        if isinstance(net, DualPyramid) and self.inputs != "ct+smr":
            raise ValueError(
                f"segmenter dual_pyramid looks at CT and synthetic MR, each with an encoder: inputs {self.inputs} lacks one"
            )
        if len(net.depths) != len(net.channels) or min(net.depths) < 1:
            raise ValueError(f"segmenter.depths {net.depths} must name a number of blocks for each of {len(net.channels)} levels")
        if len(net.channels) < 2:
            raise ValueError(f"segmenter.channels {net.channels} must name two levels at least")
        for name, widths in (("channels", net.channels), ("fine_channels", (net.fine_channels,))):
            if any(width % GROUPS or width < 1 for width in widths):
                raise ValueError(f"segmenter.{name} {getattr(net, name)} must be positive multiples of {GROUPS}")
        return self

    @model_validator(mode="after")
    def _patch_fits(self) -> Self:
        if self.segmenter is None or self.segmentation is None:
            return self
        multiple, patch = self.segmenter.multiple, self.segmentation.sampling.patch
        if any(n % m or n < 1 for n, m in zip(patch, multiple, strict=True)):
            raise ValueError(f"segmentation.sampling.patch {patch} must be positive multiples of {multiple} for this segmenter")
        return self

    @property
    def channels(self) -> int:
        """Images that the segmenter sees at once: the CT through each window, the synthetic MR."""
        return len(self.windows_hu) + self.sees_mr

    @property
    def sees_mr(self) -> bool:
        """Whether the segmenter sees the synthetic MR."""
        return self.inputs in ("smr", "ct+smr")

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

    def without_segmenter(self) -> System:
        """The part that makes a synthetic MR."""
        return self.model_copy(update={"segmenter": None, "segmentation": None, "inputs": None, "windows_hu": ()})

    def with_translator_of(self, other: System) -> System:
        """This segmenter behind another system's translator."""
        names = ("translator", "terms", "synthesis", "needs_pairing")
        return self.model_copy(update={name: getattr(other, name) for name in names})

    def training(self, task: Task, seed: int = 0) -> Training:
        """Everything that decides the curve of the segmenter's training for a task. Raises ConfigError if there is none."""
        if self.segmenter is None or self.segmentation is None:
            raise ConfigError(f"system {self.system} ends with the synthetic MR: it has no segmenter to be trained")
        part = self.segmentation
        return Training(
            sees_mr=self.sees_mr,
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

    def translation(self, task: Task, seed: int = 0) -> SynthesisTraining:
        """Everything that decides the curve of the translator's training for a task. Raises ConfigError if there is none."""
        if self.translator is None or self.synthesis is None:
            raise ConfigError(f"system {self.system} begins with the CT: it has no translator to be trained")
        part = self.synthesis
        return SynthesisTraining(
            kind=self.translator.kind,
            terms=self.terms.given,
            generator=self.translator.generator,
            critic=self.translator.critic,
            patches=self._patches(part, task),
            organ_net=self.translator.organ_net,
            schedule=part.schedule,
            critic_rate=part.critic_rate,
            critic_ceiling=part.critic_ceiling,
            turn=part.turn,
            warm=_warm(part, task),
            seed=seed,
        )

    def _patches(self, part: Synthesis, task: Task) -> Patches:
        mirrored = task.mirrored if self.terms.label_aware is not None else ()
        return Patches(part.patch, part.batch, self.needs_pairing == "registered", task.mr_from_mm, part.mirror, mirrored)


def _warm(part: Synthesis, task: Task) -> WarmStart | None:
    if not part.warm_steps:
        return None
    if task.ct_to_mr is None:
        raise ConfigError(f"synthesis.warm_steps needs the table ct_to_mr of the task, which {task.task} has not")
    table = task.ct_to_mr
    return WarmStart(part.warm_steps, tuple(float(value) for value in CT_SCALE(np.array(table.hu))), table.mr)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, mappings merged, everything else replaced."""
    result = dict(base)
    for key, value in changes.items():
        here = result.get(key)
        result[key] = _merged(here, value) if isinstance(here, Mapping) and isinstance(value, Mapping) else value
    return result
