"""The images of one training step, each made once, when a term first asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from rtseg.synthesis.turns import Turn, turned

CT_TO_MR, MR_TO_CT = "ct_to_mr", "mr_to_ct"
"""The generators by name."""

MR_CRITIC, CT_CRITIC, TURNED_MR_CRITIC = "mr_critic", "ct_critic", "turned_mr_critic"
"""The critics by name."""

CT_ORGANS, MR_ORGANS = "ct_organs", "mr_organs"
"""The segmenters that learn beside them, of the CT and of the MR made of it."""

PROBE = "probe"
"""A segmenter of MRs that was trained before and stands still."""

JUDGED = {MR_CRITIC: ("mr", "fake_mr"), CT_CRITIC: ("ct", "fake_ct"), TURNED_MR_CRITIC: ("turned_mr", "turned_fake_mr")}
"""What each critic tells apart: names of the real images and the made ones."""


Features = tuple[Tensor, list[Tensor]]
"""Logits (b, organs, d, h, w) of a segmenter, and its last feature maps."""

OrgansLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From logits, shares of the voxels and where these are known, (b, organs, d, h, w) each, to a scalar."""


@dataclass(frozen=True, eq=False)
class Labels:
    """The CT's organs: share of each voxel, and where their presence or absence is known, (b, organs, d, h, w) each; and what a
    segmenter's answer is worth.
    """

    shares: Tensor
    known: Tensor
    loss: OrgansLoss


class StepImages:
    """CT and MR patches (b, 1, d, h, w) in -1..1 of a step, and all that the networks make of them.

    ct and mr belong to one patient only in paired training. mask: where both were measured, for paired terms; None everywhere.
    labels: the CT's organs, for a term that is about them.
    Networks stand by name; asking for an image whose network a run does not have raises KeyError.
    """

    def __init__(
        self,
        ct: Tensor,
        mr: Tensor,
        nets: Mapping[str, nn.Module],
        turn: Turn = "rot90",
        mask: Tensor | None = None,
        labels: Labels | None = None,
    ) -> None:
        self.ct, self.mr, self.mask, self.labels = ct, mr, mask, labels
        self.nets, self.turn = nets, turn

    @cached_property
    def fake_mr(self) -> Tensor:
        """The CT as an MR."""
        return self._made(CT_TO_MR, self.ct)

    @cached_property
    def fake_ct(self) -> Tensor:
        """The MR as a CT."""
        return self._made(MR_TO_CT, self.mr)

    @cached_property
    def cycle_ct(self) -> Tensor:
        """The CT after the way to MR and back."""
        return self._made(MR_TO_CT, self.fake_mr)

    @cached_property
    def cycle_mr(self) -> Tensor:
        """The MR after the way to CT and back."""
        return self._made(CT_TO_MR, self.fake_ct)

    @cached_property
    def same_mr(self) -> Tensor:
        """What the way to MR makes of an MR: itself, it should."""
        return self._made(CT_TO_MR, self.mr)

    @cached_property
    def same_ct(self) -> Tensor:
        """What the way to CT makes of a CT."""
        return self._made(MR_TO_CT, self.ct)

    @cached_property
    def organs_of_ct(self) -> Features:
        """What the CT's segmenter sees in it."""
        return self._seen(CT_ORGANS, self.ct)

    @cached_property
    def organs_of_fake_mr(self) -> Features:
        """What the MR's segmenter sees in the MR made of it."""
        return self._seen(MR_ORGANS, self.fake_mr)

    @cached_property
    def probed(self) -> tuple[list[Tensor], list[Tensor]]:
        """What the probe makes of the MR made, and of the patient's own."""
        return self._seen(PROBE, self.fake_mr)[1], self._seen(PROBE, self.mr)[1]

    @cached_property
    def turned_mr(self) -> Tensor:
        return turned(self.mr, self.turn)

    @cached_property
    def turned_fake_mr(self) -> Tensor:
        """The turned CT as an MR: made of it, not turned afterwards."""
        return self._made(CT_TO_MR, turned(self.ct, self.turn))

    @cached_property
    def turned_same_mr(self) -> Tensor:
        return self._made(CT_TO_MR, self.turned_mr)

    def _made(self, net: str, image: Tensor) -> Tensor:
        made: Tensor = self.nets[net](image)
        return made.float()

    def _seen(self, net: str, image: Tensor) -> Features:
        logits, features = self.nets[net].forward_features(image)  # type: ignore[operator]  # nn.Module's attributes are Any or Tensor
        return logits.float(), [feature.float() for feature in features]
