"""Numbers as DICOM decimal strings (VR DS): at most 16 characters, no exponent."""

from __future__ import annotations

import numpy as np

DS_CHARACTERS = 16
"""Longest decimal string (PS3.5 6.2, VR DS); longer ones are refused by treatment planning systems."""

FAR_MM = 1e7
"""No patient lies 10 km from the origin of a frame of reference; nearer coordinates keep 3 decimals within 16 characters."""


def decimal_text(value: float, decimals: int = 10) -> str:
    """``value`` rounded to ``decimals``, fewer if 16 characters are not enough: no exponent, no ``-0``, no trailing zeros.

    Raises ValueError if the number is not finite or its whole part alone is too long.
    """
    if not np.isfinite(value):
        raise ValueError(f"{value} cannot be a decimal string")
    for places in range(decimals, -1, -1):
        text = f"{value:.{places}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        if len(text) <= DS_CHARACTERS:
            return "0" if text == "-0" else text
    raise ValueError(f"{value} does not fit into the {DS_CHARACTERS} characters of a decimal string")
