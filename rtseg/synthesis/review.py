"""Whether a scan shows what a translator was trained on: findings, and a refusal where nothing of it is in view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Finding, InputError
from rtseg.imaging import Prepared
from rtseg.imaging.landmarks import Landmark, heights_of_ct

AIR_WITHIN_HU = -400.0
"""Voxels of the body below this are air within it: airways, sinuses, lungs, bowel gas."""


@dataclass(frozen=True)
class Region:
    """What the MRs that a translator learnt from show of the body.

    landmark, from_mm  nothing lower than this above the landmark; None: wherever
    air                least and most share of the body that is air within it, above ``from_mm`` where there is a landmark: a
                       head has airways, a limb has none; None: however much
    """

    landmark: Landmark | None = None
    from_mm: float = 0.0
    air: tuple[float, float] | None = None


def where_trained(ready: Prepared, region: Region, *, force: bool) -> tuple[Finding, ...]:
    """``synthetic_mr_guess`` where a synthetic MR is a guess.

    Raises InputError if it is one everywhere, unless ``force``.
    """
    inside = ready.body.array
    nowhere = ""
    findings: tuple[Finding, ...] = ()
    if region.landmark is not None:
        heights = heights_of_ct(region.landmark, ready.volume, ready.body)
        nowhere, findings = _heights(heights, region.landmark, region.from_mm)
        inside = inside & (heights >= region.from_mm)[:, None, None]
    if region.air is not None and not nowhere:
        nowhere = _air(ready.volume.array[inside], region.air)
    if nowhere and not force:
        raise InputError(f"{nowhere}. Nothing of the model's region seems to be in view; make one all the same with --force")
    if nowhere:
        findings = (Finding("synthetic_mr_guess", f"{nowhere}: the whole synthetic MR is a guess."),)
    return findings


def _heights(heights: NDArray[np.float64], landmark: Landmark, from_mm: float) -> tuple[str, tuple[Finding, ...]]:
    if np.isnan(heights).all():
        return f"the {landmark} was not found in this CT", ()
    if heights.max() < from_mm:
        return f"this CT ends {-heights.max():.0f} mm below the {landmark}, and the MRs of the training show nothing there", ()
    below = int((heights < from_mm).sum())
    if not below:
        return "", ()
    words = (
        f"The synthetic MR is a guess in the lowest {below} of {len(heights)} slices of the model's grid, more than "
        f"{-from_mm:.0f} mm below the {landmark}: the MRs of the training end there."
    )
    return "", (Finding("synthetic_mr_guess", words, None, float(-heights.min()), -from_mm),)


def _air(hu: NDArray[np.float32], limits: tuple[float, float]) -> str:
    share, (least, most) = float((hu < AIR_WITHIN_HU).mean()), limits
    if least <= share <= most:
        return ""
    return f"{share:.2%} of the body is air within it, and {least:.1%} to {most:.1%} is in what the model was trained on"
