"""Whether a scan shows what a translator was trained on: findings, and a refusal where nothing of it is in view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtseg.core import Finding, InputError
from rtseg.imaging import Prepared
from rtseg.imaging.landmarks import Landmark, heights_of_ct

AIR_WITHIN_HU = -400.0
"""Voxels of the body below this are air within it: airways, sinuses, lungs, bowel gas."""


@dataclass(frozen=True)
class Region:
    """What the MRs that a translator learnt from show of the body.

    landmark, from_mm  nothing lower than this above the landmark; None: wherever
    most_air           no more air than this share of the body: a limb has none within; None: however much
    """

    landmark: Landmark | None = None
    from_mm: float = 0.0
    most_air: float | None = None


def where_trained(ready: Prepared, region: Region, *, force: bool) -> tuple[Finding, ...]:
    """``synthetic_mr_guess`` where a synthetic MR is a guess.

    Raises InputError if it is one everywhere, unless ``force``.
    """
    nowhere, findings = _air(ready, region)
    if region.landmark is not None:
        lost, more = _heights(ready, region.landmark, region.from_mm)
        nowhere, findings = nowhere or lost, findings + more
    if nowhere and not force:
        raise InputError(f"{nowhere}. Nothing of the model's region seems to be in view; make one all the same with --force")
    if nowhere:
        findings = (Finding("synthetic_mr_guess", f"{nowhere}: the whole synthetic MR is a guess."),)
    return findings


def _heights(ready: Prepared, landmark: Landmark, from_mm: float) -> tuple[str, tuple[Finding, ...]]:
    heights = heights_of_ct(landmark, ready.volume, ready.body)
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


def _air(ready: Prepared, region: Region) -> tuple[str, tuple[Finding, ...]]:
    if region.most_air is None:
        return "", ()
    share = float((ready.volume.array[ready.body.array] < AIR_WITHIN_HU).mean())
    if share <= region.most_air:
        return "", ()
    return f"{share:.1%} of the body is air, and at most {region.most_air:.1%} of what the model was trained on is", ()
