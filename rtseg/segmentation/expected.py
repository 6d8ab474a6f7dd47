"""How large organs are and where they lie to each other, as training saw them; what differs is a finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Finding, StructureSet
from rtseg.core.anatomy import mirrored, organ

Range = tuple[float, float]
Box = tuple[Range, Range, Range]

TOP_MM = 10.0
"""An open-ended organ is placed by its uppermost part of this length: its lower end is a habit."""

OUTLIERS = 1.0
"""Percent at each end of what training saw that does not count for a range."""

VOLUME_FACTOR = 1.25
"""A range of volumes is widened by this factor at each end, because another clinic draws differently."""

OFFSET_MM = 15.0
"""A range of places is widened by this at each end, for other poses and sizes."""

FEWEST = 10
"""Patients from whom a range may be taken; with fewer there is none."""

REGION = 0.5
"""From this share of the model's organs missing, of odd volume or out of place on, the scan may be of another region."""


@dataclass(frozen=True)
class Expected:
    """Ranges that training saw.

    volumes_ml   organ -> lowest and highest volume of organs that the scan does not cut
    offsets_mm   organ -> other organ -> ranges of (left, posterior, superior) from the other's place to its own, LPS
    open_ended   organs placed by their upper end
    """

    volumes_ml: Mapping[str, Range] = field(default_factory=dict)
    offsets_mm: Mapping[str, Mapping[str, Box]] = field(default_factory=dict)
    open_ended: tuple[str, ...] = ()


def expected_of(patients: Iterable[StructureSet], organs: Sequence[str], open_ended: tuple[str, ...]) -> Expected:
    """The ranges over patients; an organ or a pair met in fewer than FEWEST of them has none."""
    measured = [
        {name: _measured(patient, name, name in open_ended) for name in organs if name in patient} for patient in patients
    ]
    volumes = {name: _volume_range([m[name][0] for m in measured if name in m]) for name in organs}
    offsets: dict[str, dict[str, Box]] = {}
    for name in organs:
        for other in organs:
            both = [(m[name][1], m[other][1]) for m in measured if name in m and other in m]
            steps = np.array([a - b for a, b in both if a is not None and b is not None])
            if name != other and len(steps) >= FEWEST:
                low, high = np.percentile(steps, (OUTLIERS, 100 - OUTLIERS), axis=0)
                sides = zip(np.round(low - OFFSET_MM, 1), np.round(high + OFFSET_MM, 1), strict=True)
                x, y, z = ((float(a), float(b)) for a, b in sides)
                offsets.setdefault(name, {})[other] = (x, y, z)
    return Expected({name: found for name, found in volumes.items() if found is not None}, offsets, open_ended)


def unexpected(organs: StructureSet, names: Sequence[str], expected: Expected) -> list[Finding]:
    """Findings of kind ``volume``, ``position``, ``sides`` and ``wrong_region`` about the organs named."""
    found = [name for name in names if not organs[name].is_empty]
    measured = {name: _measured(organs, name, name in expected.open_ended) for name in found}
    places = {name: place for name, (_, place) in measured.items() if place is not None}
    findings = [*_volumes({name: volume for name, (volume, _) in measured.items()}, expected), *_positions(places, expected)]
    odd = {finding.organ for finding in findings} | (set(names) - set(found))
    return [*findings, *_sides(places), *_region(odd, names, expected)]


def _measured(organs: StructureSet, name: str, is_open_ended: bool) -> tuple[float | None, NDArray[np.float64] | None]:
    """Volume in ml and place (LPS, mm) of an organ; None for what the scan's edge or a habit makes unreliable."""
    structure, grid = organs[name], organs.geometry
    if structure.is_empty:
        return None, None
    points = grid.points(np.argwhere(structure.mask) + structure.offset)
    cut = any(side.start == 0 or side.stop == n for side, n in zip(structure.box, grid.shape, strict=True))
    if is_open_ended:
        top, end = points[:, 2].max(), grid.corners()[:, 2].max()
        is_cut_above = end - top < TOP_MM / 2
        return None, None if is_cut_above else points[points[:, 2] > top - TOP_MM].mean(axis=0)
    return (None, None) if cut else (organs.volume_ml(name), points.mean(axis=0))


def _volume_range(volumes: Sequence[float | None]) -> Range | None:
    known = [volume for volume in volumes if volume is not None]
    if len(known) < FEWEST:
        return None
    low, high = np.percentile(known, (OUTLIERS, 100 - OUTLIERS))
    return round(float(low) / VOLUME_FACTOR, 2), round(float(high) * VOLUME_FACTOR, 2)


def _volumes(volumes: Mapping[str, float | None], expected: Expected) -> list[Finding]:
    findings = []
    for name, volume in volumes.items():
        low, high = expected.volumes_ml.get(name, (0.0, np.inf))
        if volume is not None and not low <= volume <= high:
            words = f"{name} has {volume:.1f} ml; training saw {low:.1f} to {high:.1f} ml."
            findings.append(Finding("volume", words, name, volume, low if volume < low else high))
    return findings


def _positions(places: Mapping[str, NDArray[np.float64]], expected: Expected) -> list[Finding]:
    """An organ is out of place if it is so as seen from most of the organs that it can be seen from."""
    findings = []
    for name, place in places.items():
        boxes = {other: box for other, box in expected.offsets_mm.get(name, {}).items() if other in places}
        beyond = {other: _beyond_mm(place - places[other], box) for other, box in boxes.items()}
        odd = {other: mm for other, mm in beyond.items() if mm > 0}
        if odd and 2 * len(odd) > len(beyond):
            furthest = max(odd, key=lambda other: odd[other])
            words = f"{name} lies where training saw none: {odd[furthest]:.0f} mm beyond its range as seen from {furthest}."
            findings.append(Finding("position", words, name, odd[furthest], 0.0))
    return findings


def _beyond_mm(offset: NDArray[np.float64], box: Box) -> float:
    """Largest distance in mm by which an offset leaves its ranges; 0 inside."""
    low, high = np.array(box).T
    return float(max(0.0, (low - offset).max(), (offset - high).max()))


def _sides(places: Mapping[str, NDArray[np.float64]]) -> list[Finding]:
    """The left organ of a pair must lie further to the left (LPS x) than the right one."""
    findings = []
    for name, place in places.items():
        known = organ(name)
        other = mirrored(name)
        if known is not None and known.laterality == "left" and other in places and place[0] <= places[other][0]:
            words = f"{name} lies to the right of {other}: sides may be swapped in the contours or in the scan."
            findings.append(Finding("sides", words, name, float(place[0] - places[other][0]), 0.0))
    return findings


def _region(odd: set[str | None], names: Sequence[str], expected: Expected) -> list[Finding]:
    if not expected.offsets_mm or len(odd) < REGION * len(names):
        return []
    words = (
        f"{len(odd)} of {len(names)} organs are missing, of odd volume or out of place: is this the region that the model knows?"
    )
    return [Finding("wrong_region", words, None, float(len(odd)), REGION * len(names))]
