"""Geometric consistency: what it sees, what it cannot see, and that both its forms pull alike but for a factor of two."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from rtseg.synthesis.images import CT_TO_MR, StepImages
from rtseg.synthesis.terms import Consistency
from rtseg.synthesis.turns import Turn, turned, turned_back

torch.manual_seed(0)
CT = nn.functional.avg_pool3d(torch.randn(1, 1, 18, 34, 34), 3, 1) * 3
TURNS: tuple[Turn, ...] = ("rot90", "vf", "si")


class Map(nn.Module):
    """A generator that is a plain function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(image)


def cost(function: Callable[[Tensor], Tensor], turn: Turn) -> float:
    images = StepImages(CT, CT, {CT_TO_MR: Map(function)}, turn)
    return Consistency()(images).item()


def shift(axis: int) -> Callable[[Tensor], Tensor]:
    return lambda image: image.roll(2, axis)


def grown(image: Tensor) -> Tensor:
    """Every bright part two voxels wider."""
    return nn.functional.max_pool3d(image, 5, 1, 2)


SLICES, ROWS, COLUMNS = 2, 3, 4


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(
    "function", [torch.tanh, lambda image: -image, grown, lambda image: nn.functional.avg_pool3d(image, 3, 1, 1)]
)
def test_it_cannot_see_values_growth_or_blur(function, turn):
    assert cost(function, turn) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("axis", "turn", "is_seen"),
    [
        (SLICES, "rot90", False),
        (SLICES, "vf", False),
        (SLICES, "si", True),
        (ROWS, "rot90", True),
        (ROWS, "vf", True),
        (ROWS, "si", False),
        (COLUMNS, "rot90", True),
        (COLUMNS, "vf", False),
        (COLUMNS, "si", False),
    ],
)
def test_a_shift_is_seen_by_a_turn_that_moves_its_axis(axis, turn, is_seen):
    found = cost(shift(axis), turn)
    assert (found > 0.1) if is_seen else found == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("turn", TURNS)
def test_turning_there_and_back_changes_nothing(turn):
    image = torch.randn(2, 1, 4, 6, 6)
    assert torch.equal(turned_back(turned(image, turn), turn), image)
    assert not torch.equal(turned(image, turn), image)


def test_a_quarter_turn_is_clockwise_and_wants_square_patches():
    image = torch.zeros(1, 1, 1, 4, 4)
    image[..., 0, 0] = 1  # top left goes to top right
    assert turned(image, "rot90")[0, 0, 0, 0, 3] == 1
    with pytest.raises(ValueError, match="4 x 6"):
        turned(torch.zeros(1, 1, 2, 4, 6), "rot90")


@pytest.mark.parametrize("turn", TURNS)
def test_left_and_right_are_never_mirrored(turn):
    """A mark on the left and in front: no turn leaves it in front, on the right and in its slice."""
    image = torch.zeros(1, 1, 3, 5, 5)
    image[0, 0, 0, 0, 4] = 1
    assert turned(image, turn)[0, 0, 0, 0, 0] == 0


@pytest.mark.parametrize("turn", TURNS)
def test_with_stopped_gradients_it_pulls_half_as_hard_and_the_same_way(turn):
    """Turning moves voxels and no more, so both terms are equal; the gradient of the stopped form is that of one of them."""

    def gradient(stop_gradient: bool) -> Tensor:
        torch.manual_seed(1)
        net = nn.Conv3d(1, 1, 3, padding=1)
        Consistency(stop_gradient=stop_gradient)(StepImages(CT, CT, {CT_TO_MR: net}, turn)).backward()
        return net.weight.grad

    stopped, whole = gradient(True), gradient(False)
    assert whole.abs().max() > 1e-3
    assert torch.allclose(2 * stopped, whole, atol=1e-5)
