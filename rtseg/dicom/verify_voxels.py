"""Checks 9 and 10 of a structure set: the voxels that a reader finds in it, and whether they can be true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Finding, Geometry, InputError, Structure, StructureSet
from rtseg.core.anatomy import organ
from rtseg.dicom.verify_terms import Expected, Look, Noticed

SPARSE_PART = 0.02
"""Part of an organ that may lie outside the body before it is worth a word: both are drawn by hand, or by networks."""

NOT_IN_THE_BODY = ("SUPPORT", "FIXATION", "BOLUS", "MARKER")
"""Interpreted types of what may well lie outside the body."""

MIDDLE_MM = 5.0
"""An organ of one side may reach over the middle of the body's outline by so much: patients do not lie straight."""

VOLUMES_ML = {
    "Brain": (800, 1900),
    "Brainstem": (12, 50),
    "SpinalCord": (2, 120),
    "Parotid_L": (5, 80),
    "Parotid_R": (5, 80),
    "Bone_Mandible": (25, 150),
    "Larynx": (5, 90),
    "Esophagus": (1, 80),
    "Eye_L": (4, 12),
    "Eye_R": (4, 12),
    "Lens_L": (0.05, 0.5),
    "Lens_R": (0.05, 0.5),
    "Bladder": (20, 1200),
    "Prostate": (8, 250),
    "Rectum": (15, 400),
    "Lung_L": (400, 4500),
    "Lung_R": (400, 5000),
    "Heart": (250, 1500),
    "Liver": (600, 3500),
}
"""Volumes of adults that are not worth a word, ml: ours, wide on purpose (about half the least and twice the most of the
planning CTs we know; anatomy textbooks lie well within). Not a limit of health."""


def voxel_defects(look: Look) -> Iterator[Noticed]:
    """Check 9: the masks come back as they were meant, all of them and no others; without a word on what was meant, they can be
    read."""
    try:
        contents = look.contents
    except InputError as error:
        yield Noticed("verify_masks", str(error))
        return
    for finding in contents.findings:
        if look.expected is None and finding.kind != "rtstruct_other_patient":
            yield Noticed("verify_masks", finding.words, finding.organ, is_defect=False)
    if look.expected is not None:
        yield from _compared(contents.structures, look.expected)


def _compared(found: StructureSet, expected: Expected) -> Iterator[Noticed]:
    for name in expected.structures:
        if name not in found:
            yield Noticed("verify_masks", f"{name} is not in the structure set", name)
            continue
        meant, read = _on_one_crop(expected.structures[name], found[name])
        allowed_mm = expected.tolerance_mm if name in expected.inexact else None
        differing = _unexplained(meant, read, expected.structures.geometry, allowed_mm)
        if differing:
            yield Noticed("verify_masks", f"{name} reads back with {differing} other voxels", name)
    if lost := expected.beside - set(found):
        yield Noticed("verify_masks", f"{', '.join(sorted(lost))}: was there before and is no more")
    if more := set(found) - set(expected.structures) - expected.beside:
        yield Noticed("verify_masks", f"{', '.join(sorted(more))}: nobody asked for it")


def _on_one_crop(one: Structure, other: Structure) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The masks of two structures over the smallest crop that holds both."""
    there = [each for each in (one, other) if each.mask.size]
    if not there:
        return one.mask, other.mask
    low = np.min([each.offset for each in there], axis=0)
    high = np.max([np.add(each.offset, each.mask.shape) for each in there], axis=0)
    masks = [np.zeros(high - low, dtype=np.bool_) for _ in range(2)]
    for mask, each in zip(masks, (one, other), strict=True):
        if each.mask.size:
            start = np.array(each.offset) - low
            mask[tuple(slice(s, s + n) for s, n in zip(start, each.mask.shape, strict=True))] = each.mask
    return masks[0], masks[1]


def _unexplained(meant: NDArray[np.bool_], read: NDArray[np.bool_], grid: Geometry, allowed_mm: float | None) -> int:
    """Voxels that differ, save those within ``allowed_mm`` of the border: nearer to it than that and a pixel's diagonal."""
    differing = np.argwhere(meant != read)
    if allowed_mm is None or len(differing) == 0:
        return len(differing)
    spacing = np.array(grid.pixel_spacing)
    reach = (allowed_mm + float(np.hypot(*spacing))) / spacing
    unexplained = 0
    for index, row, column in differing:
        top, left = np.maximum(0, np.ceil(np.subtract((row, column), reach))).astype(int)
        bottom, right = np.floor(np.add((row, column), reach)).astype(int) + 1
        near = meant[index, top:bottom, left:right]
        touches_edge = row - reach[0] < 0 or column - reach[1] < 0 or bottom > meant.shape[1] or right > meant.shape[2]
        unexplained += not (touches_edge or (near != meant[index, row, column]).any())
    return unexplained


def plausibility(look: Look) -> Iterator[Noticed]:
    """Check 10: left and right on their sides, organs within the body, volumes that adults have. Warnings all."""
    try:
        contents = look.contents
    except InputError:
        return
    structures = contents.structures
    here = StructureSet(
        structures.geometry, {n: structures[n] for n in structures if look.is_judged(n) and not structures[n].is_empty}
    )
    types = {roi.name: roi.interpreted_type for roi in contents.rois}
    bodies = [name for name in here if types.get(name) == "EXTERNAL"]
    for finding in (*_sides(here, bodies), *_outside(here, bodies, types), *_volumes(here)):
        yield Noticed("verify_plausible", finding.words, finding.organ, is_defect=False)


def _sides(structures: StructureSet, bodies: list[str]) -> Iterator[Finding]:
    """Left is the patient's left: greater LPS x. Pairs are held against each other; an organ alone against the body, if drawn."""
    x = {name: _centre_x(structures, name) for name in structures}
    for name in structures:
        known = organ(name)
        if known is None or known.laterality is None:
            continue
        sign = 1 if known.laterality == "left" else -1
        partner = f"{name[:-2]}{'_R' if sign > 0 else '_L'}"
        if partner in x:
            if sign > 0 and x[name] <= x[partner]:
                words = f"{name} lies on the right of {partner}, by {x[partner] - x[name]:.0f} mm: sides may be swapped"
                yield Finding("verify_plausible", words, name)
        elif bodies and sign * (x[name] - x[bodies[0]]) < -MIDDLE_MM:
            yield Finding("verify_plausible", f"{name} lies on the other side of the middle of {bodies[0]}", name)


def _centre_x(structures: StructureSet, name: str) -> float:
    each = structures[name]
    middle = np.array([axis.mean() for axis in np.nonzero(each.mask)]) + each.offset
    return float(structures.geometry.points(middle[None])[0, 0])


def _outside(structures: StructureSet, bodies: list[str], types: Mapping[str, str | None]) -> Iterator[Finding]:
    for name in structures if bodies else ():
        if name in bodies or types.get(name) in NOT_IN_THE_BODY:
            continue
        inner, body = _on_one_crop(structures[name], structures[bodies[0]])
        part = float((inner & ~body).sum() / inner.sum())
        if part > SPARSE_PART:
            yield Finding("verify_plausible", f"{name}: {100 * part:.0f} % of it lies outside {bodies[0]}", name)


def _volumes(structures: StructureSet) -> Iterator[Finding]:
    for name in structures:
        if name in VOLUMES_ML:
            low, high = VOLUMES_ML[name]
            ml = structures.volume_ml(name)
            if not low <= ml <= high:
                words = f"{name} has {ml:.1f} ml; adults have {low} to {high} ml"
                yield Finding("verify_plausible", words, name)
