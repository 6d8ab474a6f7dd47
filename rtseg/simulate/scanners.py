"""Two looks at a man: CT and T2-weighted MR."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtseg.core import Volume
from rtseg.simulate.man import Lying, noise
from rtseg.simulate.population import Tissue

BLUR = 0.4
"""Standard deviation, in voxels, of what the detector and the slice's thickness smear: borders hold a part of both tissues."""

COUCH_MM = (1.0, 40.0, 530.0)
"""Thickness of the couch's shell, of the couch, and its width."""

SCANNED = (-1024, 3071)
"""HU that a scanner stores."""

MR_SCALE = 1000.0


def ct(patient: Lying, tissues: Mapping[str, Tissue]) -> Volume:
    """HU, whole numbers, with the scanner's own noise: it belongs to this grid and is resampled with the image."""
    rng = np.random.default_rng([patient.man.seed, 5])
    hu = np.array([patient.man.hu[name] for name in patient.names], np.float32)
    texture = np.array([tissues[name].texture for name in patient.names], np.float32)
    shape = patient.tissues.shape
    with_couch = _couch(patient)
    image = hu[with_couch] + texture[with_couch] * noise(shape, 1.0, rng)
    image = ndimage.gaussian_filter(image, (0.3, BLUR, BLUR), truncate=3)
    body = patient.structures.mask("External").array
    image -= _beam_hardening(patient) * body
    image += _ct_noise(patient, body, rng)
    return Volume(np.clip(np.rint(image), *SCANNED).astype(np.int16), patient.geometry)


def _couch(patient: Lying) -> NDArray[np.uint8]:
    """The tissues with a flat couch under them: a shell, foam within."""
    shell, thick, wide = COUCH_MM
    geometry = patient.geometry
    y, x = (
        geometry.origin[1 - a] + geometry.pixel_spacing[a] * np.arange(geometry.shape[1 + a]) - (patient.couch_mm, 0)[a]
        for a in (0, 1)
    )
    under, across = (y >= 0) & (y < thick), np.abs(x) < wide / 2
    pixel = geometry.pixel_spacing[0]
    rim = (y < max(shell, pixel)) | (y >= thick - max(shell, pixel))
    plane = under[:, None] & across
    result = patient.tissues.copy()
    free = plane & (result == patient.names.index("air"))
    result[free] = patient.names.index("couch_foam")
    result[free & rim[:, None]] = patient.names.index("couch_shell")
    return result


def _beam_hardening(patient: Lying) -> NDArray[np.float32]:
    """HU that are missing between the hips: the dark band."""
    geometry, numbers = patient.geometry, patient.man.numbers
    z = geometry.origin[2] + geometry.positions[:, None, None]
    y = geometry.origin[1] + geometry.pixel_spacing[0] * np.arange(geometry.shape[1])[:, None]
    x = geometry.origin[0] + geometry.pixel_spacing[1] * np.arange(geometry.shape[2])
    between = 1 / (1 + np.exp((np.abs(x) - numbers["heads_apart_mm"] / 2) / 8))
    band = np.exp(-((z / 28) ** 2) / 2) * np.exp(-((y / 25) ** 2) / 2) * between
    result: NDArray[np.float32] = (numbers["beam_hardening_hu"] * band).astype(np.float32)
    return result


def _ct_noise(patient: Lying, body: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """Correlated in the plane by the kernel, without its lowest frequencies; more in the middle of a large body, where few
    photons arrive.
    """
    geometry, numbers = patient.geometry, patient.man.numbers
    width = numbers["ct_kernel_mm"] / geometry.pixel_spacing[0]
    white = rng.standard_normal(body.shape, np.float32)
    fine = ndimage.gaussian_filter(white, (0, 0.6 * width, 0.6 * width), truncate=3)
    fine -= ndimage.uniform_filter(fine, (0, 9, 9))
    fine /= max(float(fine.std()), 1e-6)
    half = np.maximum(body.sum(axis=(1, 2)) * np.prod(geometry.pixel_spacing) / np.pi, 1) ** 0.5
    y = geometry.origin[1] + geometry.pixel_spacing[0] * np.arange(geometry.shape[1])[:, None]
    x = geometry.origin[0] + geometry.pixel_spacing[1] * np.arange(geometry.shape[2])
    off = (x**2 + (1.4 * y) ** 2) ** 0.5
    size = (half / 150.0)[:, None, None]
    level = numbers["ct_noise_hu"] * size * (0.45 + 0.55 * np.exp(-((off / (0.8 * half[:, None, None])) ** 2)))
    result: NDArray[np.float32] = (fine * level).astype(np.float32)
    return result


def mr(patient: Lying, tissues: Mapping[str, Tissue]) -> Volume:
    """T2-weighted turbo spin echo: PD (1 - exp(-TR / T1)) exp(-TE / T2), bias of a surface coil in front, Rician noise."""
    numbers, rng = patient.man.numbers, np.random.default_rng([patient.man.seed, 6])
    te, tr = numbers["mr_te_ms"], numbers["mr_tr_ms"]

    def signal(of: Tissue) -> float:
        varied = of.t2_ms * float(np.exp(rng.normal(0, 0.08)))
        result: float = of.pd * (1 - np.exp(-tr / of.t1_ms)) * float(np.exp(-te / varied))
        return result

    level = np.array([signal(tissues[name]) for name in patient.names], np.float32)
    shape = patient.tissues.shape
    image = level[patient.tissues] * (1 + 0.07 * noise(shape, 1.0, rng))
    image = ndimage.gaussian_filter(image, (0.6, BLUR, BLUR), truncate=3)
    y = patient.geometry.origin[1] + patient.geometry.pixel_spacing[0] * np.arange(shape[1])[:, None]
    image *= (1 + numbers["mr_bias"] * (0.25 * noise(shape, 30.0, rng) - y / 120.0)).clip(0.2)
    image += 0.015 * np.roll(image, shape[1] // 2, axis=1)  # ghost along the phase
    sd = numbers["mr_noise"] * float(level.max())
    real, imaginary = (rng.standard_normal(shape, np.float32) * sd for _ in range(2))
    return Volume(np.rint(np.hypot(image + real, imaginary) * (MR_SCALE / float(level.max()))).astype(np.int16), patient.geometry)
