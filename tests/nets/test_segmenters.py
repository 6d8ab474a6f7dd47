"""The other segmenters: sizes, that each image has its say, that each learns, and that models without a name are daunet."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rtseg.nets import DAUNet, DualPyramid, ResidualUNet, SegmenterNet
from rtseg.nets.segmenters import Fusion

SMALL = [
    DAUNet((1, 2, 2), (8, 16, 16), 8),
    DualPyramid((1, 2, 2), (8, 16, 16), 8),
    ResidualUNet((8, 16, 16), (1, 2, 3), 8),
]


def image(*size: int) -> Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("options", SMALL, ids=lambda options: options.network)
def test_every_parameter_gets_a_gradient_and_two_patches_are_learnt(options: SegmenterNet) -> None:
    torch.manual_seed(0)
    net = options.build(3, 2)
    seen = image(8, 16, 16)
    truth = torch.cat([seen[:, :1] > 0.3, seen[:, 2:] > 0.3], dim=1).float()  # the second organ is in the last image alone
    adam = torch.optim.Adam(net.parameters(), 1e-2)
    losses = []
    for number in range(60):
        levels = net.forward_deep(seen)
        loss = sum(
            torch.nn.functional.binary_cross_entropy_with_logits(
                level, torch.nn.functional.adaptive_avg_pool3d(truth, level.shape[2:])
            )
            for level in levels
        )
        adam.zero_grad()
        loss.backward()
        if number == 0:
            silent = [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
            assert silent == []
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    assert net(seen).shape == (1, 2, 8, 16, 16)
    logits, features = net.forward_features(seen)
    assert torch.equal(logits, net(seen))
    assert len(features) == 2


def test_depths_are_blocks_of_each_level() -> None:
    shallow, deep = (ResidualUNet((8, 16), depths, 8).build(1, 1) for depths in ((1, 1), (1, 4)))
    one = sum(p.numel() for p in shallow.encoders[1].parameters())
    assert len(deep.encoders[1]) == 4
    assert sum(p.numel() for p in deep.encoders[1].parameters()) > 4 * one - 16 * 8 * 27 * 4
    assert ResidualUNet().multiple == (16, 16, 16)


def test_the_pyramid_sees_both_images_and_needs_both() -> None:
    torch.manual_seed(0)
    net = DualPyramid((1, 1, 1), (8, 16), 8, attention=False).build(2, 1).eval()
    seen = image(4, 8, 8)[:, :2]
    for channel in range(2):
        changed = seen.clone()
        changed[:, channel] += 1
        assert not torch.allclose(net(changed), net(seen))
    with pytest.raises(ValueError, match="needs the CT and the synthetic MR, got 1 image"):
        DualPyramid().build(1, 1)


def test_fusion_is_between_both() -> None:
    fusion = Fusion(8)
    ct, mr = torch.zeros(1, 8, 2, 2, 2), torch.ones(1, 8, 2, 2, 2)
    fused = fusion(ct, mr)
    assert fused.min() > 0
    assert fused.max() < 1
    assert torch.equal(fusion(mr, mr), mr)
