"""Metal in a CT, whose streaks make what lies beside it doubtful."""

from __future__ import annotations

import numpy as np

from rtseg.core import Finding, Volume
from rtseg.imaging.continuity import Stretch

METAL_HU = 2500.0
"""Above all bone and enamel; gold, steel and titanium reach the scanner's highest value, 3071 or more."""

METAL_ML = 2.0
"""Some fillings or markers hold less; a nail through the hip has 12 ml, a prosthesis 50 and more."""


def metal(ct: Volume, stretch: Stretch) -> tuple[Finding, ...]:
    """The finding ``metal``, if these slices hold more than METAL_ML of it."""
    geometry = ct.geometry
    thick = np.gradient(geometry.positions) if len(geometry.positions) > 1 else np.diff(geometry.slice_faces)
    area_ml = float(np.prod(geometry.pixel_spacing)) / 1000
    counts = (ct.array[stretch.first : stretch.end] > METAL_HU).sum(axis=(1, 2))
    found_ml = float((counts * thick[stretch.first : stretch.end]).sum() * area_ml)
    if found_ml <= METAL_ML:
        return ()
    place = np.flatnonzero(counts) + stretch.first + 1
    slices = f"slices {place[0]} to {place[-1]}"
    words = f"{found_ml:.0f} ml of metal (above {METAL_HU:.0f} HU) in {slices}: contours in its streaks are doubtful."
    return (Finding("metal", words, None, found_ml, METAL_ML),)
