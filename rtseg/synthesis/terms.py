"""The terms of the generators' loss: each is a pure function of a step's images with its options, and returns a scalar.

Weights and forms are those of the papers and of the code published with them; where a paper is silent, ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from rtseg.synthesis.distances import Distance, distance, gradient_difference, structural_similarity
from rtseg.synthesis.images import CT_CRITIC, JUDGED, MR_CRITIC, MR_TO_CT, TURNED_MR_CRITIC, StepImages
from rtseg.synthesis.turns import turned, turned_back

Mode = Literal["lsgan", "bce", "hinge"]

LEAST_SIMILARITY = 1e-4
"""Structural similarity below this counts as this: its logarithm is taken."""


@dataclass(frozen=True)
class Adversarial:
    """What critics say of made images, and how they learn to say it.

    mode         lsgan (least squares, Mao 2017), bce (non-saturating), hinge
    on           mr: what is made of CT, and of MR where there is a way back; turned_mr: what is made of turned CT
    conditional  the critic sees the CT beside the MR: paired training only
    pool         the critic also sees so many images made before (Shrivastava 2017)
    """

    weight: float = 1.0
    mode: Mode = "lsgan"
    on: Literal["mr", "turned_mr"] = "mr"
    conditional: bool = False
    pool: int = 50

    def critics(self, images: StepImages) -> list[str]:
        """Names of the critics that this term is about."""
        names = [TURNED_MR_CRITIC] if self.on == "turned_mr" else [MR_CRITIC, CT_CRITIC]
        return [name for name in names if name in images.nets]

    def __call__(self, images: StepImages) -> Tensor:
        """The generators' side: to be taken for real."""
        judged = [images.nets[name](self.seen(images, name, JUDGED[name][1])) for name in self.critics(images)]
        return _sum([_wish(scores, self.mode) for scores in judged])

    def seen(self, images: StepImages, critic: str, name: str) -> Tensor:
        """What a critic sees of the images of this name: (b, 1 or 2, d, h, w)."""
        image: Tensor = getattr(images, name)
        if not self.conditional:
            return image
        return torch.cat([turned(images.ct, images.turn) if critic == TURNED_MR_CRITIC else images.ct, image], dim=1)

    def critic_loss(self, real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
        """The critic's side, from its scores of real and made images: to tell them apart."""
        return _sum([_told_apart(a, b, self.mode) for a, b in zip(real, fake, strict=True)]) / len(real)


@dataclass(frozen=True)
class Cycle:
    """There and back again is the same image (Zhu 2017)."""

    weight: float = 10.0
    distance: Distance = "l1"

    def __call__(self, images: StepImages) -> Tensor:
        return distance(images.cycle_ct, images.ct, self.distance) + distance(images.cycle_mr, images.mr, self.distance)


@dataclass(frozen=True)
class Identity:
    """What is an MR already stays as it is; a CT too, where there is a way to CT; turned ones, where they have a critic."""

    weight: float = 5.0
    distance: Distance = "l1"

    def __call__(self, images: StepImages) -> Tensor:
        found = [distance(images.same_mr, images.mr, self.distance)]
        if MR_TO_CT in images.nets:
            found.append(distance(images.same_ct, images.ct, self.distance))
        if TURNED_MR_CRITIC in images.nets:
            found.append(distance(images.turned_same_mr, images.turned_mr, self.distance))
        return _sum(found)


@dataclass(frozen=True)
class Voxel:
    """The MR of the same patient, voxel by voxel; the CT too, where there is a way back. Paired training only."""

    weight: float = 100.0
    distance: Distance = "l1"

    def __call__(self, images: StepImages) -> Tensor:
        found = [distance(images.fake_mr, images.mr, self.distance, images.mask)]
        if MR_TO_CT in images.nets:
            found.append(distance(images.fake_ct, images.ct, self.distance, images.mask))
        return _sum(found)


@dataclass(frozen=True)
class GradientDifference:
    """The steepness of the same patient's MR. Paired training only."""

    weight: float = 1.0
    power: Literal[1, 2] = 2

    def __call__(self, images: StepImages) -> Tensor:
        return gradient_difference(images.fake_mr, images.mr, self.power, images.mask)


@dataclass(frozen=True)
class StructuralSimilarity:
    """-log of the structural similarity with the same patient's MR (as in DC2Anet). Paired training only."""

    weight: float = 0.05

    def __call__(self, images: StepImages) -> Tensor:
        return -structural_similarity(images.fake_mr, images.mr).clamp(min=LEAST_SIMILARITY).log()


@dataclass(frozen=True)
class Consistency:
    """Geometric consistency (GcGAN, Fu 2019): turning and making an MR gives the same in either order.

    stop_gradient  True: each of the two made images is drawn to the other held still, as the released code does; the gradient is
                   that of one term without it. False: the paper's equation, which draws twice as hard at the same weight.
    It is no evidence of fidelity: a generator that moves everything along the slices, or grows every bright part, costs nothing.
    """

    weight: float = 20.0
    stop_gradient: bool = True

    def __call__(self, images: StepImages) -> Tensor:
        plain, of_turned = images.fake_mr, images.turned_fake_mr
        back, on = turned_back(of_turned, images.turn), turned(plain, images.turn)
        if self.stop_gradient:
            back, on = back.detach(), on.detach()
        return distance(plain, back, "l1") + distance(of_turned, on, "l1")


@dataclass(frozen=True)
class LabelAware:
    """The organs drawn on the CT, seen in both (Jiang 2018, MICCAI; 2019, Med Phys 46:4392): two segmenters learn beside the
    generators, and a generator that moves an organ is found out.

    weight    of the segmenters' losses, on the CT and on the MR made of it
    location  weight of the mean squared difference of both segmenters' last two feature maps
    """

    weight: float = 5.0
    location: float = 1.0

    def __call__(self, images: StepImages) -> Tensor:
        if images.labels is None:
            raise ValueError("label_aware needs the organs of the CT")
        labels, (ct, at_ct), (mr, at_mr) = images.labels, images.organs_of_ct, images.organs_of_fake_mr
        shape = labels.loss(mr, labels.shares, labels.known) + labels.loss(ct, labels.shares, labels.known)
        apart = _sum([((a - b) ** 2).mean() for a, b in zip(at_ct, at_mr, strict=True)])
        return shape + self.location / self.weight * apart if self.weight else shape


@dataclass(frozen=True)
class Perceptual:
    """Features that a frozen segmenter of MRs makes of the MR made and of the patient's own, normalised at each voxel (as in
    nnsyn). Paired training only.
    """

    weight: float = 0.5

    def __call__(self, images: StepImages) -> Tensor:
        ours, theirs = images.probed
        found = [(_normalised(a) - _normalised(b)).abs().mean() for a, b in zip(ours, theirs, strict=True)]
        return _sum(found) / len(found)


Term = Adversarial | Cycle | Identity | Voxel | GradientDifference | StructuralSimilarity | Consistency | LabelAware | Perceptual
"""The options of any term."""


def _wish(scores: Sequence[Tensor], mode: Mode) -> Tensor:
    """What the generator wishes of a critic's scores, mean over its scales."""
    if mode == "lsgan":
        return _sum([((score - 1) ** 2).mean() for score in scores]) / len(scores)
    if mode == "bce":
        return _sum([functional.softplus(-score).mean() for score in scores]) / len(scores)
    return _sum([-score.mean() for score in scores]) / len(scores)


def _told_apart(real: Tensor, fake: Tensor, mode: Mode) -> Tensor:
    if mode == "lsgan":
        return (((real - 1) ** 2).mean() + (fake**2).mean()) / 2
    if mode == "bce":
        return (functional.softplus(-real).mean() + functional.softplus(fake).mean()) / 2
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


def _normalised(features: Tensor) -> Tensor:
    """Features of length 1 at each voxel."""
    return functional.normalize(features, dim=1)


def _sum(values: Sequence[Tensor]) -> Tensor:
    """Of one value at least."""
    return torch.stack(list(values)).sum()
