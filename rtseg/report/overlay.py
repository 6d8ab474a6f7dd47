"""Pictures of one organ where several contours of it agree least."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.core import StructureSet, Volume
from rtseg.report.figures import Outline, png
from rtseg.report.planes import AIR_HU, VIEWS, Raster, View, image_at, located, mask_at, nearest_voxels

PALETTE = ("#e8a33d", "#4cc3e0", "#e2679a", "#8fd06a", "#b49be8", "#f2e35a")
"""Colours of predictions, in their order, told apart with any eyes; the reference is white and dashed."""

REFERENCE_COLOUR = (1.0, 1.0, 1.0)

MARGIN_MM, FIELD_MM = 25.0, 90.0
"""What is shown around an organ, and the smallest side of a picture."""

PIXELS = 240
"""Samples along a side."""


@dataclass(frozen=True)
class Overlay:
    """Three pictures as data URIs, with what each shows; note: why the CT is not on them, empty if it is."""

    sources: tuple[str, ...]
    captions: tuple[str, ...]
    note: str = ""


def overlay(ct: Volume | None, reference: StructureSet, predicted: Mapping[str, StructureSet], name: str) -> Overlay:
    """Axial, coronal and sagittal picture of an organ, where the first prediction is furthest from the reference.

    All structures lie on one grid; an organ that a prediction lacks is not drawn. Without a CT the ground is black.
    """
    masks = {label: structures.mask(name).array for label, structures in predicted.items() if name in structures}
    manual = reference.mask(name).array
    first = next(iter(masks.values()), np.zeros_like(manual))
    grid = reference.geometry
    at = grid.points(_worst_voxel(manual, first)[None].astype(np.float64))[0]
    anywhere = np.argwhere(np.logical_or.reduce([manual, *masks.values()]))
    points = grid.points(anywhere.astype(np.float64)) if len(anywhere) else at[None]
    sources, captions = [], []
    for view in VIEWS:
        raster = _around(points, at, view)
        sources.append(
            "data:image/png;base64," + base64.b64encode(_picture(ct, reference, predicted, name, raster)).decode("ascii")
        )
        captions.append(f"{view.name}, {'xyz'[view.normal]} {at[view.normal]:.1f} mm".replace("-", "\N{MINUS SIGN}"))
    return Overlay(tuple(sources), tuple(captions))


def colour(number: int) -> str:
    """Of the prediction of this number, from 0."""
    return PALETTE[number % len(PALETTE)]


def _picture(
    ct: Volume | None, reference: StructureSet, predicted: Mapping[str, StructureSet], name: str, raster: Raster
) -> bytes:
    voxels = nearest_voxels(located(reference.geometry, raster))
    outlines = [
        Outline(mask_at(structures[name], voxels), _rgb(colour(number)))
        for number, structures in enumerate(predicted.values())
        if name in structures
    ]
    outlines.append(Outline(mask_at(reference[name], voxels), REFERENCE_COLOUR, manual=True))
    shade = np.full(raster.shape, AIR_HU) if ct is None else image_at(ct, located(ct.geometry, raster))
    return png(raster, shade, outlines)


def _worst_voxel(manual: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """In the slice where most voxels differ, the one nearest to their middle; the middle of the organ if none differs."""
    differing = manual ^ predicted
    if not differing.any():
        differing = manual | predicted
    if not differing.any():
        return np.array(manual.shape) // 2
    worst = int(differing.sum(axis=(1, 2)).argmax())
    places = np.argwhere(differing[worst])
    nearest = places[((places - places.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return np.array([worst, *nearest])


def _around(points: NDArray[np.float64], at: NDArray[np.float64], view: View) -> Raster:
    """The square picture around an organ, on the plane through ``at``."""
    low, high = points.min(axis=0), points.max(axis=0)
    shown = [axis for axis in range(3) if axis != view.normal]
    side_mm = max(float((high - low)[shown].max()) + 2 * MARGIN_MM, FIELD_MM)
    middle = (low + high) / 2
    return Raster.around(view, middle - side_mm / 2, middle + side_mm / 2, at, side_mm / PIXELS)


def _rgb(code: str) -> tuple[float, float, float]:
    red, green, blue = bytes.fromhex(code.removeprefix("#"))
    return red / 255, green / 255, blue / 255
