"""Windows over a scan: no seams, no shifts, organs in order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtseg.core import Geometry, Mask, Volume
from rtseg.imaging import Prepared, Probabilities
from rtseg.nets import DAUNet
from rtseg.segmentation.inference import Segmenter, dice_on_grid, recognised, segment, segment_logits
from rtseg.segmentation.inputs import through_windows
from rtseg.training import Compute

PATCH = (8, 16, 16)
WINDOWS = ((-1000.0, 1000.0), (-160.0, 240.0))
ORGANS = ("Brainstem", "SpinalCord", "Larynx")
COMPUTE = Compute(torch.device("cpu"), torch.float32)


class Constant(nn.Module):
    """Logits -1, 0, 2 for the three organs, everywhere."""

    def forward(self, image: Tensor) -> Tensor:
        logits = torch.tensor([-1.0, 0.0, 2.0]).view(1, 3, 1, 1, 1)
        return logits.expand(len(image), -1, *image.shape[2:]).clone()


class Echo(nn.Module):
    """The first channel as it came, for the first organ; its negative for the second, nothing for the third."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image[:, :1], -image[:, :1], 0 * image[:, :1]], dim=1)


def segmenter(net: nn.Module, compute: Compute = COMPUTE) -> Segmenter:
    return Segmenter(net, ORGANS, WINDOWS, PATCH, 0.25, compute)


def scan(*size: int) -> Tensor:
    return torch.randint(-900, 900, (1, 1, *size), generator=torch.Generator().manual_seed(2)).float()


def trained() -> nn.Module:
    torch.manual_seed(0)
    return DAUNet(channels=(8, 8), fine_channels=8).build(inputs=2, outputs=3).eval()


def test_a_scan_of_one_window_is_a_plain_forward() -> None:
    net, hu = trained(), scan(*PATCH)

    torch.testing.assert_close(segment_logits(hu, segmenter(net)), net(through_windows(hu, WINDOWS)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(8, 16, 16), (13, 37, 29), (3, 50, 7)])
def test_an_even_answer_has_no_seams(size: tuple[int, int, int]) -> None:
    logits = segment_logits(scan(*size), segmenter(Constant()))

    assert logits.shape == (1, 3, *size)
    wanted = torch.tensor([-1.0, 0.0, 2.0]).view(1, 3, 1, 1, 1).expand_as(logits)
    torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=0)


def test_windows_in_half_precision_are_blended_in_full() -> None:
    class Half(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.full((len(image), 3, *image.shape[2:]), 0.3, dtype=torch.bfloat16)

    logits = segment_logits(scan(13, 37, 29), segmenter(Half()))
    # 0.3 in eight bits is 154 / 512
    torch.testing.assert_close(logits, torch.full_like(logits, 154 / 512), atol=1e-6, rtol=0)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(13, 37, 29), (3, 50, 7)])
def test_every_voxel_stays_in_its_place(size: tuple[int, int, int], precision: torch.dtype) -> None:
    hu = scan(*size)
    logits = segment_logits(hu, segmenter(Echo(), Compute(torch.device("cpu"), precision)))

    torch.testing.assert_close(logits[:, :1], hu / 1000, atol=1e-5, rtol=0)


def test_a_scan_smaller_than_the_window_stands_in_air() -> None:
    net, hu = trained(), scan(6, 12, 10)
    # two slices, four rows and six columns are missing, half of them on either side
    padded = functional.pad(hu, (3, 3, 2, 2, 1, 1), value=-1000.0)
    wanted = net(through_windows(padded, WINDOWS))[:, :, 1:7, 2:14, 3:13]

    torch.testing.assert_close(segment_logits(hu, segmenter(net)), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("wider", [(0, 0), (1, 0), (0, 1), (1, 2)])
def test_a_voxel_more_around_the_body_does_not_move_the_window(wider: tuple[int, int]) -> None:
    # 11 rows from voxel 3 and 9 columns from voxel 12 of the fixed grid: the window begins at 0 and 8
    hu = functional.pad(scan(8, 11, 9), (wider[0], wider[1], wider[1], wider[0]), value=-1000.0)[0, 0].numpy()
    grid = Geometry.regular((8, *hu.shape[1:]), (2.5, 4.0, 4.0), ((12 - wider[0]) * 4.0, (3 - wider[1]) * 4.0, 90.0))
    nothing = np.zeros(grid.shape, dtype=np.bool_)
    net = trained()
    seen = segment(Prepared(Volume(hu, grid), Mask(~nothing, grid), grid, Mask(nothing, grid)), segmenter(net))
    window = functional.pad(scan(8, 11, 9), (4, 3, 3, 2), value=-1000.0)
    wanted = torch.sigmoid(net(through_windows(window, WINDOWS)))[0, :, :, 3:14, 4:13].detach().numpy()
    inside = seen.array[:, :, wider[1] :, wider[0] :][:, :, :11, :9]
    np.testing.assert_allclose(inside, wanted, atol=1e-4)


def test_what_is_recognised_is_summed_over_organs() -> None:
    # two voxels of 0.9 and 0.3: 2 * 0.9 / (1.2 + 1) = 0.818; an organ nowhere above one half counts nothing
    grid = Geometry.regular((1, 1, 2), (1.0, 1.0, 1.0))
    array = np.array([[0.9, 0.3], [0.5, 0.1], [1.0, 1.0]], dtype=np.float32).reshape(3, 1, 1, 2)
    assert recognised(Probabilities(ORGANS, array, grid)) == pytest.approx(1.8 / 2.2 + 1.0, rel=1e-5)


def test_probabilities_are_organ_by_organ_on_the_working_grid() -> None:
    grid = Geometry.regular((9, 20, 18), (2.5, 4.0, 4.0), (7.0, -3.0, 90.0))
    ct = Volume(scan(*grid.shape)[0, 0].numpy(), grid)
    nothing = np.zeros(grid.shape, dtype=np.bool_)
    ready = Prepared(ct, Mask(~nothing, grid), grid, Mask(nothing, grid))
    seen = segment(ready, segmenter(Constant()))

    assert seen.organs == ORGANS
    assert seen.geometry is grid
    assert seen.array.dtype == np.float32
    # 1 / (1 + e), 1 / 2, 1 / (1 + e^-2)
    for organ, probability in enumerate((0.268941, 0.5, 0.880797)):
        np.testing.assert_allclose(seen.array[organ], probability, atol=1e-5)


def test_use_does_not_depend_on_the_mode_training_left() -> None:
    class Moody(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.full((1, 3, *image.shape[2:]), 1.0 if self.training else 5.0)

    logits = segment_logits(scan(*PATCH), segmenter(Moody().train()))
    torch.testing.assert_close(logits, torch.full_like(logits, 5.0))


def test_dice_counts_from_one_half_and_knows_what_was_not_asked() -> None:
    logits = torch.full((4, 1, 2, 4), -1.0)
    organs = torch.zeros(4, 1, 2, 4)
    logits[0, 0, 0, :2], organs[0, 0, 0, 1:4] = 1.0, 0.5  # 2 seen, 3 true, 1 of both: 2 / 5
    logits[1, 0, 0, 0], organs[1, 0, 0, 0] = 1.0, 0.4  # less than half a voxel is not there: 0 / 1
    logits[2, 0, 0, 0] = 1.0  # not contoured

    whole = [(0, 1)] * 4
    assert dice_on_grid(logits, organs, [True, True, False, True], whole) == [pytest.approx(0.4), 0.0, None, None]


def test_dice_does_not_count_slices_where_absence_is_not_known() -> None:
    logits, organs = torch.full((1, 4, 1, 1), 1.0), torch.zeros(1, 4, 1, 1)
    organs[0, 2:] = 1.0  # seen in all four slices, true in the upper two

    assert dice_on_grid(logits, organs, [True], [(0, 4)]) == [pytest.approx(2 * 2 / (4 + 2))]
    assert dice_on_grid(logits, organs, [True], [(1, 4)]) == [pytest.approx(2 * 2 / (3 + 2))]
