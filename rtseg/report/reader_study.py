"""The page of a reader study: real and synthetic images in random order, without a word on which is which."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Volume
from rtseg.report.planes import AXIAL, Raster, located

TEMPLATE = Path(__file__).with_name("reader_study.html")

GRADES = {
    1: "useless: anatomy cannot be told",
    2: "poor: organs can be told, their borders cannot",
    3: "good: small faults, borders can be drawn",
    4: "excellent: as a good scan",
}
"""The four levels of the grading sheet."""

PIXELS = 420
"""Samples along the longer side of every picture: real and synthetic ones have the same."""

DARK, BRIGHT = 1.0, 99.5
"""Percentiles of a picture's own values that become black and white."""


@dataclass(frozen=True)
class StudyPage:
    """The whole page. images: token -> picture as a PNG, in the order in which they are shown."""

    study: str
    title: str
    rtseg: str
    images: Mapping[str, bytes]


def render_study(page: StudyPage) -> str:
    """The page as text: one HTML file that needs nothing else and works without a network."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    items = [{"token": token, "source": _uri(png)} for token, png in page.images.items()]
    about = json.dumps({"study": page.study, "tokens": list(page.images)}).replace("<", "\\u003c")
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(page=page, items=items, grades=GRADES, about=about)


def axial_picture(image: Volume, at_mm: float, field_mm: NDArray[np.float64]) -> bytes:
    """PNG of the axial plane at ``at_mm`` (LPS z), of the field (left-right, front-back) round the middle of what is bright.

    The patient's right is on the left side. The file holds pixels and nothing else.
    """
    from PIL import Image
    from scipy.ndimage import map_coordinates

    middle, half = _middle(image), np.array([*field_mm, 0.0]) / 2
    middle[2] = at_mm
    raster = Raster.around(AXIAL, middle - half, middle + half, middle, float(field_mm.max()) / PIXELS)
    places = np.moveaxis(located(image.geometry, raster), -1, 0)
    values = map_coordinates(image.array.astype(np.float32), places, order=1, mode="constant", cval=float(image.array.min()))
    dark, bright = np.percentile(values, (DARK, BRIGHT))
    grey = np.clip((values - dark) / max(bright - dark, 1e-6), 0, 1)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(255 * grey).astype(np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def planes_worth_seeing(image: Volume) -> NDArray[np.float64]:
    """Places of axial planes (LPS z, mm) through the middle two thirds of what is bright, one for each slice spacing."""
    points = _bright(image)
    low, high = np.percentile(points[:, 2], (100 / 6, 500 / 6))
    step = max(image.geometry.pixel_spacing[0], float(np.median(np.diff(image.geometry.positions))), 1.0)
    return np.arange(low, max(high, low + step / 2), step)


def field_of(image: Volume) -> NDArray[np.float64]:
    """(2,) extent of the image from right to left and from front to back, mm."""
    corners = image.geometry.corners()
    extent: NDArray[np.float64] = np.ptp(corners, axis=0)[:2]
    return extent


def _middle(image: Volume) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = _bright(image).mean(axis=0)
    return middle


def _bright(image: Volume) -> NDArray[np.float64]:
    """(n, 3) LPS points of every third voxel that is brighter than the mean."""
    coarse = image.array[::3, ::3, ::3]
    index = np.argwhere(coarse > coarse.mean()) * 3
    if not len(index):
        index = np.array([np.array(image.array.shape) // 2])
    return image.geometry.points(index.astype(np.float64))


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
