"""Distances of images, each against a number found by hand."""

import pytest
import torch

from rtseg.synthesis.distances import distance, gradient_difference, structural_similarity

RAMP = torch.arange(6.0).view(1, 1, 1, 1, 6).expand(1, 1, 4, 5, 6)


@pytest.mark.parametrize(("kind", "expected"), [("l1", 0.25), ("l2", 0.0625), ("lp", 0.125), ("compound", 0.125)])
def test_an_offset_of_a_quarter(kind, expected):
    """0.25 ** 1.5 is 0.125; an offset changes no gradient."""
    assert distance(RAMP, RAMP + 0.25, kind).item() == pytest.approx(expected)


def test_a_slope_of_2_against_1_differs_by_1_along_one_axis():
    assert gradient_difference(RAMP, 2 * RAMP).item() == pytest.approx(1.0)
    assert gradient_difference(RAMP, 3 * RAMP, power=2).item() == pytest.approx(4.0)
    assert gradient_difference(RAMP, 3 * RAMP, power=1).item() == pytest.approx(2.0)
    assert gradient_difference(RAMP, -RAMP).item() == 0  # as steep, the other way round


def test_nothing_wraps_round_the_border():
    edge = torch.zeros(1, 1, 4, 4, 4)
    edge[..., 0] = 1
    assert gradient_difference(edge, torch.zeros_like(edge)).item() == pytest.approx(1 / 3)  # one of three steps


def test_only_the_mask_counts():
    other = RAMP.clone()
    other[..., 3:] += 1
    mask = torch.zeros_like(RAMP)
    mask[..., :3] = 1
    assert distance(RAMP, other, "l1", mask).item() == 0
    assert distance(RAMP, other, "l1", 1 - mask).item() == pytest.approx(1.0)
    assert distance(RAMP, other, "l1", torch.zeros_like(mask)).item() == 0


def test_the_gradient_of_the_power_is_finite_where_images_agree():
    image = RAMP.clone().requires_grad_()
    distance(image, RAMP, "compound").backward()
    assert image.grad.isfinite().all()


def test_structural_similarity_is_that_of_the_metrics():
    """The same formula in another hand: rtseg.metrics, inside of whole windows, with the window cut at the same radius."""
    import numpy as np

    from rtseg.metrics.images import K1, K2

    torch.manual_seed(0)
    a, b = (torch.rand(1, 1, 9, 9, 9) * 2 - 1 for _ in range(2))
    assert structural_similarity(a, a).item() == pytest.approx(1.0)
    from scipy.ndimage import gaussian_filter

    x, y = (image[0, 0].double().numpy() for image in (a, b))

    def mean(image):
        return gaussian_filter(image, 1.5, radius=3)[3:-3, 3:-3, 3:-3]

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (2 * K1) ** 2, (2 * K2) ** 2
    expected = np.mean(((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert structural_similarity(a, b).item() == pytest.approx(expected, abs=1e-5)
