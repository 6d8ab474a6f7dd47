"""Checks 5, 7 and 8 of a structure set for each contour: its image and plane, its shape, the spelling of its numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtseg.contours import crosses_itself
from rtseg.dicom.rtstruct_file import ContourItem, RoiItems
from rtseg.dicom.verify_terms import Look, Noticed

ON_PLANE_MM = 0.002
"""A contour lies on its image if no point is further from its plane: two roundings to 3 decimals of a millimetre."""

NUMBER = rb"-?\d+(?:\.\d{1,3})?"
SHORT = re.compile(NUMBER + rb"(?:\\" + NUMBER + rb")* ?")
"""Numbers with 3 decimals at most and without exponent; their length is looked at apart."""

NUMBER_CHARACTERS = 16
"""Longest decimal string (VR DS, PS3.5 6.2)."""

BORDER_PIXELS = 0.51
"""Contours may reach half a pixel beyond the outermost centres, with a hundredth for rounding."""

SNAP = 9
"""Decimals of pixel coordinates that are kept, so that a channel is the same on its way there and back."""

Place = dict[str, tuple[int, str]]
"""Image -> (slice, SOP class)."""


def contour_defects(look: Look) -> Iterator[Noticed]:
    """Checks 5 (image and plane of each contour), 7 and 8: one line for each ROI and sort of fault, with how many contours."""
    places = {image.sop_instance_uid: index for index, image in enumerate(look.ct.identity.slices)}
    for roi in look.file.rois:
        if not look.is_judged(roi.name):
            continue
        faults: Counter[tuple[str, str, bool]] = Counter()
        for contour in roi.contours:
            faults.update(_faults(contour, look, places))
        for (kind, words, is_defect), count in faults.items():
            many = f"{count} contours" if count > 1 else "a contour"
            yield Noticed(kind, f"{roi.name}: {many} {words}", roi.name, is_defect)
        yield from _twice(roi, look)


def _faults(contour: ContourItem, look: Look, places: dict[str, int]) -> Iterator[tuple[str, str, bool]]:
    if not contour.is_closed:
        yield "verify_contours", f"of the type {contour.kind}, which encloses nothing", look.is_ours
        return
    points = contour.points()
    if points is None:
        yield "verify_contours", "with coordinates that are no whole triples of finite numbers", True
        return
    yield from _spelling(contour, look)
    if contour.count != len(points):
        yield "verify_contours", "with another number of points than it says", True
    if len(points) < 3:
        yield "verify_contours", "of fewer than 3 points", True
        return
    index = look.ct.geometry.indices(points)
    yield from _plane(contour, index[:, 0], look, places)
    yield from _shape(np.round(index[:, 1:], SNAP), look)


def _spelling(contour: ContourItem, look: Look) -> Iterator[tuple[str, str, bool]]:
    """Check 8; more than 3 decimals are lawful, but more than a position is worth."""
    text = contour.data.rstrip(b"\0")
    longest = max(map(len, text.rstrip().split(b"\\")), default=0)
    if longest > NUMBER_CHARACTERS:
        yield "verify_numbers", f"with numbers of more than {NUMBER_CHARACTERS} characters", True
    elif not SHORT.fullmatch(text):
        yield "verify_numbers", "with more than 3 decimals, exponents, plus signs or blanks within", look.is_ours


def _plane(
    contour: ContourItem, along: NDArray[np.float64], look: Look, places: dict[str, int]
) -> Iterator[tuple[str, str, bool]]:
    """Check 5: one image, which it lies on."""
    named = [places[image] for image in contour.images if image in places]
    if len(contour.images) != 1:
        yield "verify_references", f"with {len(contour.images)} images named, one was expected", look.is_ours
    elif not named:
        yield "verify_references", "with an image named that is not in the CT", look.is_ours
    nearest = int(np.clip(np.rint(np.median(along)), 0, look.ct.geometry.shape[0] - 1))
    if named and named[0] != nearest:
        yield "verify_references", "on another slice than the image it names", True
        return
    off = _off_plane_mm(along, nearest, look.ct.geometry.positions)
    if off > ON_PLANE_MM:
        yield "verify_references", "off the plane of its slice", look.is_ours or off > 100 * ON_PLANE_MM


def _off_plane_mm(along: NDArray[np.float64], nearest: int, positions: NDArray[np.float64]) -> float:
    """Largest distance of points, given as fractional slice indices, from a slice's plane, mm."""
    gaps = np.diff(positions)
    if len(gaps) == 0:
        return float(np.abs(along - nearest).max())
    below, above = gaps[max(nearest - 1, 0)], gaps[min(nearest, len(gaps) - 1)]
    return float(np.where(along < nearest, (nearest - along) * below, (along - nearest) * above).max())


def _shape(loop: NDArray[np.float64], look: Look) -> Iterator[tuple[str, str, bool]]:
    """Check 7: no point twice in a row, an area, within the image, not crossing itself."""
    following = np.roll(loop, -1, axis=0)
    if (loop == following).all(axis=1).any():
        yield "verify_contours", "with a point twice in a row", look.is_ours
        loop = loop[~(loop == following).all(axis=1)]
        following = np.roll(loop, -1, axis=0)
    if len(loop) < 3 or abs((loop[:, 0] * following[:, 1] - loop[:, 1] * following[:, 0]).sum()) < 1e-6:
        yield "verify_contours", "without an area", True
        return
    outer = np.array(look.ct.geometry.shape[1:]) - 1 + BORDER_PIXELS
    if (loop < -BORDER_PIXELS).any() or (loop > outer).any():
        yield "verify_contours", "beyond the border of the image", True
    if crosses_itself(loop):
        yield "verify_contours", "that crosses itself", look.is_ours


def _twice(roi: RoiItems, look: Look) -> Iterator[Noticed]:
    """Contours that stand there twice: XOR would erase them, filling would not."""
    several = sum(count > 1 for count in Counter(contour.data for contour in roi.contours if contour.data).values())
    if several:
        yield Noticed("verify_contours", f"{roi.name}: {several} contours stand there more than once", roi.name, look.is_ours)
