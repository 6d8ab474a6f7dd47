"""A synthetic MR of any size from windows: no seams, left stays left, nothing outside of the body."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from phantoms import axial_geometry, three_balls
from torch import Tensor, nn

from rtseg.imaging import Preparation, prepare
from rtseg.imaging.intensity import CT_SCALE, Scale
from rtseg.nets.translators import Resnet
from rtseg.synthesis.inference import Translator, synthesize, translated
from rtseg.training import Compute

CPU = Compute(torch.device("cpu"), torch.float32)
MR = Scale((0.0, 400.0), (-1.0, 1.0))
HOW = Preparation((2.5, 4.0, 4.0), (-1000.0, 2000.0), 8.0)


class Inverted(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return -image


class MeanOf5(nn.Module):
    """Looks two voxels around: its values beside a window's edge are wrong, as a network's are."""

    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.avg_pool3d(image, 5, 1, 2)


def translator(net: nn.Module, multiple: int = 4) -> Translator:
    return Translator(net, multiple, MR, CPU)


@pytest.mark.parametrize("slab_voxels", [0, 8000, 2_000_000])
@pytest.mark.parametrize("size", [(8, 16, 16), (21, 33, 18), (5, 40, 9), (40, 8, 8), (41, 8, 8), (130, 9, 8)])
def test_any_size_comes_back_as_large_and_a_map_of_values_is_exact(size, slab_voxels):
    torch.manual_seed(0)
    image = torch.rand(1, 1, *size) * 2 - 1
    assert torch.allclose(translated(image, translator(Inverted(), 8), slab_voxels), -image, atol=1e-6)


def test_slabs_leave_no_seam():
    """What a slab's cut makes wrong is thrown away: a network that sees less far than the margin gives the same in one piece."""
    torch.manual_seed(0)
    image = torch.randn(1, 1, 96, 8, 8)
    assert torch.allclose(translated(image, translator(MeanOf5()), slab_voxels=0), MeanOf5()(image), atol=1e-6)


def test_moving_the_slabs_by_half_changes_at_most_a_hundredth_of_a_networks_image():
    """Of its range, on average; a scan cut off at its lower end moves where every slab begins."""
    torch.manual_seed(1)
    net = translator(Resnet(channels=4, blocks=4, skips=True, norm="voxel").build())
    image = torch.tanh(nn.functional.avg_pool3d(torch.randn(1, 1, 124, 28, 28), 5, 1) * 4)
    here, moved = translated(image, net, slab_voxels=0), translated(image[:, :, 20:], net, slab_voxels=0)
    change = (here[:, :, 20:] - moved)[:, :, 20:].abs()
    assert change.mean() < 0.01 * (here.max() - here.min())


@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_a_ct_becomes_an_mr_with_its_balls_on_their_sides_and_nothing_outside(position):
    """The ball on the patient's left has 60 HU, that on the right 120: the table of values tells them apart in the MR."""
    ready = prepare(three_balls(axial_geometry(position)).ct, HOW)
    mr = synthesize(ready, translator(Inverted()))
    assert mr.geometry.same_as(ready.volume.geometry)
    expected = -CT_SCALE(ready.volume.array)
    inside = ready.body.array
    np.testing.assert_allclose(mr.array[inside], expected[inside], atol=1e-3)
    assert (mr.array[~inside] == -1).all()
    left = ready.volume.geometry.indices([[11 + 30, -23 - 8, 640 + 12]])[0].round().astype(int)
    right = ready.volume.geometry.indices([[11 - 26, -23 + 6, 640 - 9]])[0].round().astype(int)
    assert mr.array[tuple(left)] > mr.array[tuple(right)] + 0.05
