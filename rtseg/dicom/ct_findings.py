"""What is unusual about a planning CT that is read all the same: one function for each kind of finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Finding, Geometry
from rtseg.dicom.slice_header import SliceHeader, shown, syntax_name
from rtseg.dicom.stack import HOLE_RATIO, Stack, largest_gap

KINDS = {
    "left_out": "a file or series of the folder that is not part of the CT",
    "uneven_slices": "gaps between slices differ; value: largest gap over its smaller neighbour, limit: from where it is a hole",
    "oblique": "slices turned against the patient's axes; value: degrees",
    "not_axial": "coronal or sagittal slices",
    "not_head_first_supine": "prone, feet first, on the side, or the position is not told",
    "lossy_compression": "voxels went through a compression that changes them",
    "not_hu": "values may not be Hounsfield units; value: lowest HU or None, limit: where air should be below",
    "no_file_meta": "a file without transfer syntax was read by guess",
    "odd_pixels": "pixel data keep not quite to the standard, and were read",
    "identity_unlawful": "a patient or study attribute breaks the rules of its kind and is copied as it is",
}
"""Every kind of finding that reading a CT can give; stable, so that a clinic can count them."""

AIR_HU = -800.0
"""A CT with air around or in the patient goes below this; lung and bowel gas as well."""

PADDING_BELOW_HU = -1024
"""What a scanner fills in outside its circle (-2000, -3024) lies below: it is no air that would tell of Hounsfield units."""

OBLIQUE_DEGREES = 0.1
"""Turned by more against the patient's axes, a stack is called oblique: 0.9 mm over 500 mm."""

TYPICAL_MISSING = 0.1
"""A gap within this part of a multiple of the usual gap is that many slices less one missing."""

LOSSY_SYNTAXES = frozenset(
    f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 52, 53, 54, 55, 56, 59, 60, 61, 62, 63, 64, 81, 91, 93, 203)
)
"""Transfer syntaxes that lose detail or may do so (PS3.5 A.4); JPEG 2000 (.91) and JPEG-LS (.81) can be exact by chance only."""


def header_findings(stack: Stack) -> tuple[Finding, ...]:
    """Findings that need no pixels."""
    checks = (_position(stack.headers), _lossy(stack.headers), _rescale(stack.headers), _without_meta(stack.headers))
    return (*geometry_findings(stack.geometry, stack.headers), *(finding for check in checks for finding in check))


def geometry_findings(geometry: Geometry, headers: Sequence[SliceHeader] = ()) -> tuple[Finding, ...]:
    """Uneven slices and unusual orientation of a grid; ``headers`` in the grid's order lend their file names."""
    return (*_uneven(geometry, [header.path.name for header in headers]), *_orientation(geometry))


def voxel_findings(hu: NDArray[np.int16] | NDArray[np.float32]) -> tuple[Finding, ...]:
    """``not_hu`` if nothing in the scan looks like air; the filling outside a scanner's circle is neither air nor a finding."""
    lowest_hu = float(np.min(hu, where=hu >= PADDING_BELOW_HU, initial=hu.max()))
    if lowest_hu < AIR_HU:
        return ()
    lowest = f"its lowest value, padding aside, is {lowest_hu:g} HU, below {AIR_HU:g} was expected"
    words = f"no air in the CT: {lowest}. Is it in Hounsfield units?"
    return (Finding("not_hu", words, value=lowest_hu, limit=AIR_HU),)


def missing_positions(geometry: Geometry) -> tuple[float, ...]:
    """Where slices seem to be missing, mm along the normal: gaps that are a multiple of the usual (median) gap."""
    gaps = np.diff(geometry.positions)
    if len(gaps) < 2:
        return ()
    usual = float(np.median(gaps))
    missing: list[float] = []
    for start, gap in zip(geometry.positions, gaps, strict=False):
        steps = round(float(gap) / usual)
        if steps > 1 and abs(gap - steps * usual) < TYPICAL_MISSING * usual:
            missing += [float(start + k * gap / steps) for k in range(1, steps)]
    return tuple(missing)


def _uneven(geometry: Geometry, names: Sequence[str]) -> Iterator[Finding]:
    worst = largest_gap(geometry)
    if geometry.is_regular or worst is None:
        return
    gaps = np.diff(geometry.positions)
    i, j = worst.below, worst.below + 1
    between = f" ({names[i]} and {names[j]})" if names else ""
    missing = missing_positions(geometry)
    guess = (
        f" Seem to be missing: {', '.join(f'{mm:.2f}' for mm in missing[:5])}{' ...' if len(missing) > 5 else ''}."
        if missing
        else ""
    )
    words = (
        f"slices are not evenly spaced: gaps of {gaps.min():.2f} to {gaps.max():.2f} mm, {worst.gap_mm:.2f} mm between "
        f"{geometry.positions[i]:.2f} and {geometry.positions[j]:.2f} mm{between} beside {worst.neighbour_mm:.2f} mm.{guess}"
    )
    yield Finding("uneven_slices", words, value=round(worst.ratio, 3), limit=HOLE_RATIO)


def _orientation(geometry: Geometry) -> Iterator[Finding]:
    nearest = np.abs(geometry.direction).max(axis=1).clip(max=1.0)
    degrees = float(np.degrees(np.arccos(nearest)).max())
    along = int(np.abs(geometry.direction[0]).argmax())
    plane = ("sagittal", "coronal", "axial")[along]
    if degrees > OBLIQUE_DEGREES:
        words = f"oblique slices, {degrees:.1f} degrees from the nearest patient axis ({plane}); read in their true place"
        yield Finding("oblique", words, value=round(degrees, 2), limit=OBLIQUE_DEGREES)
    elif along != 2:
        yield Finding("not_axial", f"{plane} slices; read in their true place")


def _position(headers: Iterable[SliceHeader]) -> Iterator[Finding]:
    found = sorted({shown(header.text("PatientPosition")) for header in headers})
    if found == [""]:
        yield Finding("not_head_first_supine", "PatientPosition is missing: head first supine (HFS) was expected")
    elif found != ["HFS"]:
        words = f"patient position is {', '.join(found)}, not head first supine (HFS): read in its true place"
        yield Finding("not_head_first_supine", words)


def _lossy(headers: Iterable[SliceHeader]) -> Iterator[Finding]:
    lossy = [h for h in headers if h.transfer_syntax_uid in LOSSY_SYNTAXES or h.text("LossyImageCompression") == "01"]
    if lossy:
        syntaxes = ", ".join(sorted({syntax_name(header.transfer_syntax_uid) for header in lossy}))
        words = f"{len(lossy)} slices went through lossy compression (now {syntaxes}): HU may be wrong"
        yield Finding("lossy_compression", words, value=float(len(lossy)))


def _rescale(headers: Sequence[SliceHeader]) -> Iterator[Finding]:
    unscaled = [h.path.name for h in headers if not h.text("RescaleSlope") or not h.text("RescaleIntercept")]
    if unscaled:
        words = f"RescaleSlope or RescaleIntercept is missing in {len(unscaled)} slices (first {unscaled[0]}): 1 and 0 were taken"
        yield Finding("not_hu", words)
    types = Counter(shown(h.text("RescaleType")) for h in headers)
    other = sorted(kind for kind in types if kind not in ("", "HU"))
    if other:
        yield Finding("not_hu", f"RescaleType is {', '.join(other)}, not HU: are the values Hounsfield units?")


def _without_meta(headers: Sequence[SliceHeader]) -> Iterator[Finding]:
    bare = [h.path.name for h in headers if not h.has_meta]
    if bare:
        syntax = syntax_name(headers[0].transfer_syntax_uid)
        words = f"{len(bare)} files without file meta information (first {bare[0]}) were read as {syntax}"
        yield Finding("no_file_meta", words, value=float(len(bare)))
