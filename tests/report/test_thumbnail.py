"""The small picture of a patient: two planes side by side with contours in the organs' colours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from contour_cases import balls
from phantoms import axial_geometry, sagittal_geometry
from PIL import Image

from rtseg.core import Geometry
from rtseg.core.anatomy import organ
from rtseg.report import thumbnail
from rtseg.report.thumbnail import HEIGHT_PX


@pytest.mark.parametrize("geometry", [axial_geometry(), sagittal_geometry()])
def test_both_planes_show_contours(geometry: Geometry) -> None:
    phantom = balls(geometry)
    picture = Image.open(io.BytesIO(thumbnail(phantom.ct, phantom.organs))).convert("RGB")
    assert picture.height == HEIGHT_PX
    pixels = np.asarray(picture).astype(int)
    coloured = np.ptp(pixels, axis=-1) > 60
    gap = np.flatnonzero((pixels == 0).all(axis=(0, 2)))
    middle = gap[np.abs(gap - picture.width / 2).argmin()]
    assert coloured[:, :middle].sum() > 100
    assert coloured[:, middle:].sum() > 100
    known = organ("Parotid_L")
    assert known is not None
    assert (np.abs(pixels - known.colour).max(axis=-1) < 30).any()
