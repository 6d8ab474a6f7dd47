"""What `rtseg evaluate-images` does: synthetic MR against real MR inside a mask, and its edges against those of its CT."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from rtseg.core import ConfigError, GeometryError, InputError, Mask, RtsegError, Volume
from rtseg.data import read_nifti
from rtseg.data.contours_read import described
from rtseg.data.mask_folder import on_grid
from rtseg.dicom import read_planning_ct
from rtseg.dicom.atomic import whole_file
from rtseg.imaging import body_mask, resample
from rtseg.jobs.image_files import find_images, read_image
from rtseg.jobs.nifti_ct import is_nifti
from rtseg.metrics import boundary_shift, image_figures
from rtseg.metrics.boundary_shift import BODY_HU, BONE_HU

BOUNDARIES = {"body": BODY_HU, "bone": BONE_HU}

LOW, HIGH = 1.0, 99.0
"""Percentiles inside the mask that become 0 and 1."""

KNOWN = {"synthetic": ("smr", "synthetic_mr", "mr"), "real": ("mr",), "ct": ("ct",), "mask": ("mask", "body", "mr_valid")}
"""Files of a patient's folder that are meant where it holds several."""


class Scaling(StrEnum):
    """How values are made comparable, MR having no unit: not at all, or each image's 1st and 99th percentile to 0 and 1."""

    NONE = "none"
    PERCENTILES = "percentiles"


@dataclass(frozen=True)
class ImagesOrder:
    """What a user asks of `rtseg evaluate-images`.

    synthetic   NIfTI file, folder with one DICOM series, or folder of NIfTI files of many patients
    real        the same of the real MR; None for the edges alone, which need ``ct``
    mask, ct    the same; files of one patient are called alike or lie in folders called alike
    data_range  MAX of PSNR and SSIM; the real image's range inside the mask if None
    """

    synthetic: Path
    real: Path | None = None
    mask: Path | None = None
    ct: Path | None = None
    output: Path | None = None
    scaling: Scaling = Scaling.NONE
    data_range: float | None = None
    resample: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class ImageScore:
    """One patient: what was measured in which mask, in the order of the table; or why it could not be."""

    patient: str
    mask: str
    figures: Mapping[str, float | None]
    error: str | None = None


@dataclass(frozen=True)
class ImageScores:
    """All patients, and who is missing on which side."""

    scores: tuple[ImageScore, ...]
    missing: Mapping[str, tuple[str, ...]]
    scaling: Scaling

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        rows = [vars(score) | {"figures": {k: _plain(v) for k, v in score.figures.items()}} for score in self.scores]
        return {"scaling": self.scaling.value, "missing": self.missing, "patients": rows}


def evaluate_images(order: ImagesOrder, heard: Callable[[str], None] = lambda _: None) -> ImageScores:
    """Measure every synthetic image; a patient that cannot be measured stops no other.

    Raises ConfigError where there is nothing to measure it by, InputError if nothing is found, OutputError if the table cannot be
    written; of a single patient any RtsegError.
    """
    if order.real is None and order.ct is None:
        raise ConfigError("name the real MR to compare with, or the CT (--ct) for the edges alone")
    sides = {
        kind: find_images(path, KNOWN[kind])
        for kind, path in (("synthetic", order.synthetic), ("real", order.real), ("ct", order.ct), ("mask", order.mask))
        if path is not None
    }
    single = len(sides["synthetic"]) == 1
    names = [name for name in sides["synthetic"] if single or all(name in side for side in sides.values())]
    missing = {kind: tuple(name for name in sides["synthetic"] if name not in side) for kind, side in sides.items() if not single}
    missing["synthetic"] = tuple(name for name in sides.get("real", {}) if name not in sides["synthetic"]) if not single else ()
    if not names:
        raise InputError(f"no image of {order.synthetic} has a partner of its name in {order.real or order.ct}")
    scores = []
    for name in names:
        heard(name)
        try:
            scores.append(_scored(name, {kind: _of(side, name) for kind, side in sides.items()}, order))
        except RtsegError as error:
            if single:
                raise
            scores.append(ImageScore(name, "", {}, str(error)))
    found = ImageScores(tuple(scores), missing, order.scaling)
    if order.output is not None:
        _write(found, order.output, overwrite=order.overwrite)
    return found


def _scored(name: str, files: Mapping[str, Path], order: ImagesOrder) -> ImageScore:
    synthetic = read_image(files["synthetic"])
    base = read_image(files["real"]) if "real" in files else _read_ct(files["ct"])
    fitted, valid = _onto(base, synthetic, str(files["synthetic"]), order)
    ct = _onto(base, _read_ct(files["ct"]), str(files["ct"]), order)[0] if "ct" in files else None
    inside, words = _inside(base, ct, files, valid, order)
    figures: dict[str, float | None] = {}
    if "real" in files:
        pair = [_scaled(image, inside, order.scaling) for image in (base, fitted)]
        figures |= image_figures(pair[0], pair[1], inside, order.data_range)
    if ct is not None:
        figures |= _edges("", ct, fitted)
        figures |= _edges("real_", ct, base) if "real" in files else {}
    return ImageScore(name, words, figures)


def _edges(whose: str, ct: Volume, image: Volume) -> dict[str, float | None]:
    """Boundary shift of skin and bone under the names of the table; ``real_``: of the real MR, the floor."""
    figures: dict[str, float | None] = {}
    for boundary, level_hu in BOUNDARIES.items():
        shift = boundary_shift(ct, image, level_hu)
        way = shift.displacement_mm or (None, None, None)
        values = {
            "n": float(shift.n),
            "not_found": float(shift.not_found),
            "signed_mm": shift.mean_signed_mm,
            "absolute_mm": shift.mean_absolute_mm,
            "p95_mm": shift.percentile_95_mm,
            **dict(zip(("left_mm", "posterior_mm", "superior_mm"), way, strict=True)),
        }
        figures |= {f"{whose}{boundary}_shift_{what}": value for what, value in values.items()}
    return figures


def _inside(
    base: Volume, ct: Volume | None, files: Mapping[str, Path], valid: np.ndarray, order: ImagesOrder
) -> tuple[Mask, str]:
    """Where images are compared, and what that is in words."""
    if "mask" in files:
        given, _ = _onto(base, read_image(files["mask"]), str(files["mask"]), replace(order, resample=False))
        inside, words = given.array > 0, f"mask {files['mask'].name}"
    elif ct is not None:
        inside, words = body_mask(ct).array, "body of the CT"
    else:
        inside, words = np.ones(base.array.shape, dtype=np.bool_), "whole image"
    if not valid.all():
        words += ", where both images reach"
    return Mask(inside & valid, base.geometry), words


def _onto(base: Volume, image: Volume, called: str, order: ImagesOrder) -> tuple[Volume, np.ndarray]:
    """The image on the grid of ``base`` and where it has values there. Raises GeometryError for another grid unless resampled."""
    everywhere = np.ones(base.array.shape, dtype=np.bool_)
    try:
        return Volume(on_grid(image, base.geometry, called), base.geometry), everywhere
    except GeometryError as error:
        if not order.resample:
            raise GeometryError(
                f"{called} lies on another grid than what it is compared with: {described(image.geometry)} against "
                f"{described(base.geometry)}. Ask for resampling (--resample), or bring both onto one grid first"
            ) from error
    moved = resample(image, base.geometry, outside=np.nan)
    valid = np.isfinite(moved.array)
    return Volume(np.where(valid, moved.array, 0), base.geometry), valid


def _scaled(image: Volume, inside: Mask, scaling: Scaling) -> Volume:
    if scaling is Scaling.NONE or not inside.array.any():
        return image
    low, high = np.percentile(image.array[inside.array], (LOW, HIGH))
    if high <= low:
        raise InputError("an image has one value inside the mask: nothing to scale it by")
    return Volume((image.array.astype(np.float64) - low) / (high - low), image.geometry)


def _read_ct(path: Path) -> Volume:
    return read_nifti(path) if is_nifti(path) else read_planning_ct(path).volume


def _of(side: Mapping[str, Path], name: str) -> Path:
    if len(side) == 1:
        return next(iter(side.values()))
    if name not in side:
        raise InputError(f"{name} is not among {', '.join(list(side)[:5])}")
    return side[name]


def _write(found: ImageScores, output: Path, *, overwrite: bool) -> None:
    names = list(dict.fromkeys(name for score in found.scores for name in score.figures))
    with whole_file(output, overwrite=overwrite) as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", "mask", "scaling", *names, "error"])
        writer.writerows(_row(score, names, found.scaling) for score in found.scores)


def _row(score: ImageScore, names: Sequence[str], scaling: Scaling) -> list[Any]:
    values = ["" if (value := score.figures.get(name)) is None else round(value, 6) for name in names]
    return [score.patient, score.mask, scaling.value, *values, score.error or ""]


def _plain(value: float | None) -> float | str | None:
    """JSON has no infinity."""
    return "inf" if value == float("inf") else value
