"""Generators and critics: sizes, ranges, options; gradient reaches every parameter, and a simple map is learnt."""

from __future__ import annotations

import pytest
import torch

from rtseg.nets.patch import Patch
from rtseg.nets.translators import DenseResnet, Generator, Resnet, UNetGenerator

GENERATORS = {
    "resnet": Resnet(channels=4, blocks=2),
    "resnet with skips": Resnet(channels=4, blocks=1, skips=True, norm="instance"),
    "dense_resnet": DenseResnet(channels=4, blocks=2, layers=2, growth=4),
    "unet_generator": UNetGenerator(channels=(8, 8, 16), dropout=0.2),
    "unet_generator with gates": UNetGenerator(channels=(8, 8, 16), attention=True),
}


@pytest.mark.parametrize("options", GENERATORS.values(), ids=GENERATORS)
def test_an_image_becomes_one_of_the_same_size_within_one(options: Generator) -> None:
    torch.manual_seed(0)
    made = options.build(inputs=2)(torch.randn(2, 2, 16, 24, 32))
    assert made.shape == (2, 1, 16, 24, 32)
    assert made.abs().max() <= 1


@pytest.mark.parametrize("options", GENERATORS.values(), ids=GENERATORS)
def test_gradient_reaches_every_parameter(options: Generator) -> None:
    torch.manual_seed(0)
    net = options.build()
    net(torch.randn(1, 1, 16, 16, 16)).square().sum().backward()
    assert [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("options", [GENERATORS["resnet"], GENERATORS["unet_generator"]])
def test_a_size_that_cannot_be_halved_is_refused_with_the_next_that_fits(options: Generator) -> None:
    with pytest.raises(ValueError, match=r"\(10, 16, 16\) cannot be halved .*next size that fits is"):
        options.build()(torch.zeros(1, 1, 10, 16, 16))


def test_a_generator_learns_to_invert_an_image() -> None:
    torch.manual_seed(0)
    net = Resnet(channels=8, blocks=1, skips=True).build()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    image = torch.rand(1, 1, 8, 16, 16) * 1.6 - 0.8
    for _ in range(80):
        loss = (net(image) + image).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.15  # of 0.8 at the beginning


def test_dropout_is_for_training_only() -> None:
    torch.manual_seed(0)
    net, image = UNetGenerator(channels=(8, 8), dropout=0.5).build(), torch.randn(1, 1, 8, 8, 8)
    assert not torch.equal(net(image), net(image))
    net.eval()
    assert torch.equal(net(image), net(image))


@pytest.mark.parametrize(
    "options", [Patch(4), Patch(4, layers=2, scales=2), Patch(4, spectral=True), Patch(4, layers=2, norm="instance")]
)
def test_a_critic_judges_patches_at_every_scale(options: Patch) -> None:
    torch.manual_seed(0)
    critic = options.build(inputs=2)
    scores = critic(torch.randn(1, 2, 32, 64, 64))
    assert len(scores) == options.scales
    assert all(score.shape[:2] == (1, 1) and min(score.shape[2:]) >= 1 for score in scores)
    sum(score.square().sum() for score in scores).backward()
    assert all(weight.grad is not None for weight in critic.parameters())


def test_the_smallest_image_has_one_score_and_a_smaller_one_is_refused() -> None:
    critic = Patch(4, layers=2, scales=2).build()
    assert [score.shape[2:] for score in critic(torch.zeros(1, 1, 24, 24, 24))][-1] == (1, 1, 1)
    with pytest.raises(ValueError, match=r"\(23, 24, 24\) is too small .* 24 voxels"):
        critic(torch.zeros(1, 1, 23, 24, 24))


def test_a_patch_sees_its_own_surroundings_only() -> None:
    """Three layers see 46 voxels (of 4, strides 2 2 2 1 1): a change beyond leaves a score as it was."""
    torch.manual_seed(0)
    critic = Patch(4, spectral=True).build().eval()
    image = torch.randn(1, 1, 24, 24, 128)
    other = image.clone()
    other[..., 100:] += 1
    before, after = critic(image)[0], critic(other)[0]
    assert torch.equal(before[..., :3], after[..., :3])
    assert not torch.equal(before[..., -1], after[..., -1])


@pytest.mark.parametrize(("norm", "is_local"), [("voxel", True), ("group", False), ("instance", False)])
def test_only_norms_over_voxels_leave_a_place_alone_when_another_changes(norm, is_local):
    """What lies 20 voxels away is beyond what this network looks at: only statistics of the window could carry it."""
    torch.manual_seed(0)
    net = Resnet(channels=8, halvings=1, blocks=1, norm=norm).build().eval()
    image = torch.randn(1, 1, 8, 8, 64)
    changed = image.clone()
    changed[..., 44:] += 2
    there, here = net(image)[..., :24], net(changed)[..., :24]
    assert torch.allclose(there, here, atol=1e-6) is is_local
