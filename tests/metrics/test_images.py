"""Figures of images that are known beforehand: constants, ramps, noise; and scikit-image's SSIM where it is installed."""

import numpy as np
import pytest

from rtseg.core import Geometry, GeometryError, Mask, Volume
from rtseg.metrics import image_figures

GRID = Geometry.regular((24, 30, 36), (3.0, 2.0, 1.0))
WHOLE = Mask(np.ones(GRID.shape, dtype=np.bool_), GRID)
RAMP = Volume(np.broadcast_to(np.arange(36.0) * 10, GRID.shape).copy(), GRID)
"""0 to 350 along the columns, 10 a mm."""


def volume(array):
    return Volume(np.asarray(array, dtype=np.float32), GRID)


def test_an_image_with_itself():
    found = image_figures(RAMP, RAMP, WHOLE)
    assert (found["mae"], found["rmse"], found["kl"], found["gradient_mae"]) == (0, 0, 0, 0)
    assert found["psnr"] == found["psnr_12bit"] == np.inf
    assert found["ssim"] == pytest.approx(1)
    assert found["pearson_r"] == pytest.approx(1)
    assert found["data_range"] == 350


def test_an_offset_of_35():
    """A tenth of the range: PSNR is 20 dB; shapes are alike, so correlation is 1 and gradients agree."""
    found = image_figures(RAMP, volume(RAMP.array + 35), WHOLE)
    assert found["mae"] == found["rmse"] == pytest.approx(35)
    assert found["psnr"] == pytest.approx(20)
    assert found["psnr_12bit"] == pytest.approx(20 * np.log10(4095 / 35))
    assert found["pearson_r"] == pytest.approx(1)
    assert found["gradient_mae"] == pytest.approx(0, abs=1e-4)


def test_half_the_slope_is_5_a_mm_less():
    found = image_figures(RAMP, volume(RAMP.array / 2), WHOLE)
    assert found["gradient_mae"] == pytest.approx(5)
    assert found["pearson_r"] == pytest.approx(1)


def test_gradients_are_per_mm_along_uneven_slices():
    kept = np.setdiff1d(np.arange(24), [10, 11])
    grid = Geometry((22, 30, 36), GRID.pixel_spacing, GRID.positions[kept], GRID.origin, GRID.direction)
    along = np.broadcast_to(GRID.positions[kept][:, None, None] * 4.0, grid.shape).copy()
    mask = Mask(np.ones(grid.shape, dtype=np.bool_), grid)
    found = image_figures(Volume(along, grid), Volume(np.zeros_like(along), grid), mask)
    assert found["gradient_mae"] == pytest.approx(4)


def test_only_the_mask_counts():
    inside = np.zeros(GRID.shape, dtype=np.bool_)
    inside[8:16, 10:20, 10:25] = True
    changed = RAMP.array.copy()
    changed[~inside] = -1e4
    found = image_figures(RAMP, volume(changed), Mask(inside, GRID))
    assert (found["mae"], found["kl"]) == (0, 0)
    assert found["data_range"] == 140


def test_two_values_in_other_shares_have_a_divergence_that_can_be_worked_out():
    """Three quarters of 0 and one of 1, against half and half: .75 ln 1.5 + .25 ln .5."""
    ours, theirs = np.zeros(GRID.shape), np.zeros(GRID.shape)
    ours[:6], theirs[:12] = 1, 1
    found = image_figures(volume(ours), volume(theirs), WHOLE)
    assert found["kl"] == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5), abs=1e-4)


def test_what_has_no_meaning_is_none():
    flat = volume(np.full(GRID.shape, 7.0))
    found = image_figures(flat, RAMP, WHOLE)
    assert found["psnr"] is found["ssim"] is found["pearson_r"] is found["kl"] is None
    thin = Geometry.regular((4, 30, 36), (3.0, 2.0, 1.0))
    few = Volume(RAMP.array[:4].copy(), thin)
    assert image_figures(few, few, Mask(np.ones(thin.shape, dtype=np.bool_), thin))["ssim"] is None


def test_similarity_falls_with_noise():
    random = np.random.default_rng(0)
    found = [
        image_figures(RAMP, volume(RAMP.array + random.normal(0, sd, GRID.shape)), WHOLE)["ssim"] for sd in (1.0, 10.0, 100.0)
    ]
    assert 1 > found[0] > found[1] > found[2] > 0


def test_similarity_at_one_voxel_by_hand():
    """The window's weights written out: a Gaussian of 1.5 voxels, 11 wide, in three directions."""
    random = np.random.default_rng(1)
    x, y = RAMP.array, RAMP.array + random.normal(0, 20, GRID.shape)
    line = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weights = np.einsum("i,j,k->ijk", line, line, line) / line.sum() ** 3
    window = tuple(slice(at - 5, at + 6) for at in (12, 15, 18))
    mx, my = (weights * x[window]).sum(), (weights * y[window]).sum()
    vx, vy = (weights * (x[window] - mx) ** 2).sum(), (weights * (y[window] - my) ** 2).sum()
    vxy = (weights * (x[window] - mx) * (y[window] - my)).sum()
    c1, c2 = (0.01 * 350) ** 2, (0.03 * 350) ** 2
    expected = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    one = np.zeros(GRID.shape, dtype=np.bool_)
    one[12, 15, 18] = True
    assert image_figures(RAMP, Volume(y, GRID), Mask(one, GRID), 350.0)["ssim"] == pytest.approx(expected, abs=1e-9)


def test_other_grids_and_empty_masks_are_refused():
    other = Geometry.regular(GRID.shape, (3.0, 2.0, 1.1))
    with pytest.raises(GeometryError, match="the synthetic image lies on another"):
        image_figures(RAMP, Volume(RAMP.array, other), WHOLE)
    with pytest.raises(GeometryError, match="the mask is empty"):
        image_figures(RAMP, RAMP, Mask(np.zeros(GRID.shape, dtype=np.bool_), GRID))
