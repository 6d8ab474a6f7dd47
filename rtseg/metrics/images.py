"""How well a synthetic image agrees with a real one inside a mask (METRICS.md, Images)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, GeometryError, Mask, Volume

MAX_12_BIT = 4095.0
"""Largest value of a 12-bit image: the MAX of the field's review, offered under a name of its own."""

SIGMA_VOXELS, RADIUS_VOXELS = 1.5, 5
"""Window of SSIM: a Gaussian cut at 3.5 sigma, 11 voxels wide (Wang 2004)."""

K1, K2 = 0.01, 0.03
"""Constants of SSIM (Wang 2004)."""

BINS, FLOOR = 128, 1e-8
"""Histograms of the Kullback-Leibler divergence: bins over the reference's range; no bin is emptier than the floor."""

Array = NDArray[np.float64]


def image_figures(
    reference: Volume, synthetic: Volume, inside: Mask, data_range: float | None = None
) -> Mapping[str, float | None]:
    """Name -> figure of ``synthetic`` against ``reference``, over the voxels of ``inside``; both in one unit.

    data_range: MAX of PSNR and SSIM; the reference's range inside the mask if not given. It stands among the figures. None where
    a figure has no meaning: SSIM without a whole window in the mask, a correlation or a range of a constant. PSNR of equal images
    is infinite. MR has no unit: whoever reports these says how both images were normalised. Raises GeometryError if the grids
    differ or the mask is empty.
    """
    _must_fit(reference, synthetic, inside)
    x, y = (image.array.astype(np.float64) for image in (reference, synthetic))
    ours, theirs = x[inside.array], y[inside.array]
    span = float(ours.max() - ours.min()) if data_range is None else data_range
    mse = float(np.mean((ours - theirs) ** 2))
    return {
        "mae": float(np.mean(np.abs(ours - theirs))),
        "rmse": float(np.sqrt(mse)),
        "data_range": span,
        "psnr": _psnr(span, mse),
        "psnr_12bit": _psnr(MAX_12_BIT, mse),
        "ssim": _ssim(x, y, inside.array, span),
        "pearson_r": _pearson(ours, theirs),
        "kl": _divergence(ours, theirs),
        "gradient_mae": _gradient_mae(x, y, inside),
    }


def _must_fit(reference: Volume, synthetic: Volume, inside: Mask) -> None:
    for what, other in (("synthetic image", synthetic.geometry), ("mask", inside.geometry)):
        if not reference.geometry.same_as(other):
            raise GeometryError(
                f"images are compared on one grid: the {what} lies on another; resample it onto the reference first"
            )
    if not inside.array.any():
        raise GeometryError("the mask is empty: there is nothing to compare images in")


def _psnr(largest: float, mse: float) -> float | None:
    """Peak signal-to-noise ratio, dB: 10 log10(MAX^2 / MSE)."""
    if largest <= 0:
        return None
    return float("inf") if mse == 0 else float(10 * np.log10(largest**2 / mse))


def _pearson(ours: Array, theirs: Array) -> float | None:
    a, b = ours - ours.mean(), theirs - theirs.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else None


def _divergence(ours: Array, theirs: Array) -> float | None:
    """Kullback-Leibler divergence of the synthetic histogram from the reference's, nats; what lies beyond counts at the ends."""
    low, high = float(ours.min()), float(ours.max())
    if low == high:
        return None
    shares = []
    for values in (ours, theirs):
        counts = np.histogram(np.clip(values, low, high), bins=BINS, range=(low, high))[0]
        share = np.maximum(counts / counts.sum(), FLOOR)
        shares.append(share / share.sum())
    return float(np.sum(shares[0] * np.log(shares[0] / shares[1])))


def _ssim(x: Array, y: Array, inside: NDArray[np.bool_], span: float) -> float | None:
    """Structural similarity in 3D, mean over the mask's voxels whose whole window lies within the image."""
    from scipy.ndimage import gaussian_filter

    whole = np.zeros_like(inside)
    whole[tuple(slice(RADIUS_VOXELS, -RADIUS_VOXELS) for _ in range(3))] = True
    seen = inside & whole
    if not seen.any() or span <= 0:
        return None

    def mean(image: Array) -> Array:
        blurred: Array = gaussian_filter(image, SIGMA_VOXELS, radius=RADIUS_VOXELS)
        return blurred

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    similarity = ((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(similarity[seen].mean())


def _gradient_mae(x: Array, y: Array, inside: Mask) -> float:
    """Mean difference of the gradients' magnitudes, per mm."""
    a, b = (_gradient(image, inside.geometry) for image in (x, y))
    return float(np.abs(a - b)[inside.array].mean())


def _gradient(image: Array, grid: Geometry) -> Array:
    axes = [axis for axis, n in enumerate(image.shape) if n > 1]
    spacings = [grid.positions if axis == 0 else grid.pixel_spacing[axis - 1] for axis in axes]
    parts = np.gradient(image, *spacings, axis=axes) if axes else []
    parts = parts if isinstance(parts, (list, tuple)) else [parts]
    return np.sqrt(sum((part**2 for part in parts), np.zeros_like(image)))
