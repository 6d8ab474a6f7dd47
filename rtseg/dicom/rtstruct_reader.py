"""RTSTRUCT in: contours of any maker onto the grid of a CT, with a note for everything that is not as it should be.

It raises only where nothing can be read (InputError); all else is noted. It shares no code with the writer, so that reading
back proves something.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rtseg.contours import Loop, rasterise
from rtseg.core import EMPTY, Finding, Geometry, InputError, Structure, StructureSet, bounding_box
from rtseg.dicom.data_set import Source, name_of
from rtseg.dicom.planning_ct import CtGrid, PlanningCT, SeriesIdentity, grid_of
from rtseg.dicom.raw_items import decoded_text
from rtseg.dicom.rtstruct_file import ContourItem, RoiItems, RtstructFile, load_rtstruct

OFF_PLANE_MM = 0.01
"""A contour further from its slice's plane is noted: beyond the rounding of written positions (RTSTRUCT.md 3)."""

SAME_PLANE_MM = 0.1
"""Contours of a slice further apart along the normal lie on planes of their own; only the nearest plane is taken."""

FLAT_MM, FLAT_PART = 0.1, 0.01
"""A contour whose points spread more along the normal, in mm and as a part of the slice spacing, is noted as not flat."""

SINGLE_SLICE_MM = 1.0
"""Reach of a stack of one slice to either side, mm: its thickness is not known here."""

SNAP = 6
"""Decimals of pixel coordinates that are kept: coordinates have at most 3 decimals of a mm, the rest is arithmetic noise."""

BORDER_PIXELS = 0.51
"""Contours may reach half a pixel beyond the outermost centres, with a hundredth for rounding."""


@dataclass(frozen=True)
class Roi:
    """One line of the ROI table. ``name`` is the key in the structure set; the file's own name, or that with a suffix."""

    number: int
    name: str
    interpreted_type: str | None
    colour: tuple[int, int, int] | None


@dataclass(frozen=True, eq=False)
class RtstructContents:
    """What was read: structures on the CT's grid (an ROI without a voxel is there and empty), the ROI table, the notes."""

    structures: StructureSet
    rois: tuple[Roi, ...]
    findings: tuple[Finding, ...]


@dataclass
class _Notes:
    """What was met in the contours of one ROI: kind -> count, kind -> largest value in mm, volume shared by crossing loops."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    largest_mm: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    crossing_ml: float = 0.0

    def far(self, kind: str, mm: float) -> None:
        self.largest_mm[kind] = max(self.largest_mm[kind], mm)

    def findings(self, organ: str) -> list[Finding]:
        counts = {kind: count for kind, count in self.counts.items() if count}
        counted = [Finding(kind, f"{organ}: {count} {COUNTED[kind]}", organ, float(count)) for kind, count in counts.items()]
        measured = [
            Finding(kind, f"{organ}: {MEASURED[kind][0]}, by up to {mm:.3f} mm", organ, mm, MEASURED[kind][1])
            for kind, mm in self.largest_mm.items()
        ]
        words = f"{organ}: contours cross each other; what two of them share, {self.crossing_ml:.2f} ml, was taken as outside"
        crossing = [Finding("contour_crossing", words, organ, self.crossing_ml, 0.0)] if self.crossing_ml else []
        return counted + measured + crossing


COUNTED = {
    "contour_open": "points or open contours were skipped: they enclose nothing",
    "contour_too_small": "closed contours of one or two points were skipped",
    "contour_unreadable": "contours were skipped: their coordinates are not whole triples of lawful numbers, or too many",
    "contour_count_wrong": "contours have another number of points than they say; the points were taken",
    "contour_repeated": "contours stand there twice; they were taken once",
    "contour_outside_stack": "contours were skipped: no slice of the CT lies there",
    "contour_between_slices": "contours were skipped: other contours lie nearer to the same slice",
    "contour_outside_image": "contours reach outside the image and were cut off there",
    "contour_other_image": "contours name an image they do not lie on, or one that is not in the series; the position was taken",
    "slice_without_contour": "slices between contoured ones have no contour; nothing was interpolated",
    "contour_tilted": "contours were skipped: their points spread over more than half a slice",
}
"""Kinds of finding about an ROI's contours that are counted, with their words."""

MEASURED = {
    "contour_off_plane": ("contours lie beside their slice's plane", OFF_PLANE_MM),
    "contour_not_flat": ("the points of a contour do not lie on one plane", FLAT_MM),
}
"""Kinds of finding that are measured, with their words and limit in mm."""


def read_rtstruct(source: Source, ct: PlanningCT | CtGrid) -> RtstructContents:
    """The ROIs of a structure set, a file or a binary file object, as masks on the grid of ``ct``.

    Contours belong to the nearest slice along the normal, within half of the spacing there, whatever image they name.
    Filling is even-odd at pixel centres, half open; loops of one slice are combined by XOR, so that keyholes, nested
    loops and CLOSEDPLANAR_XOR (PS3.3 C.8.8.6) all come out right. Nothing is interpolated. An ROI name that comes twice
    gets its ROI number as a suffix from the second on.

    Raises InputError if the file is not an RTSTRUCT or has no ROI, or lies in another frame of reference.
    """
    return contents_of(load_rtstruct(source), grid_of(ct), name_of(source))


def contents_of(file: RtstructFile, ct: CtGrid, called: str) -> RtstructContents:
    """As ``read_rtstruct``, of a file that has been loaded; called: what a message calls it."""
    ct_grid, identity = ct
    findings = _file_findings(file, identity)
    names = _unique_names(file.rois)
    images = [image.sop_instance_uid for image in identity.slices]
    structures: dict[str, Structure] = {}
    table = []
    for roi in file.rois:
        name, notes = names[roi.number], _Notes()
        if roi.frame_of_reference_uid not in (None, "", identity.frame_of_reference_uid):
            words = f"{name} lies in another frame of reference than the CT and was skipped"
            findings.append(Finding("roi_other_frame_of_reference", words, name))
            continue
        structures[name] = _structure(roi, ct_grid, images, notes)
        findings += [*_roi_findings(roi, name), *notes.findings(name)]
        table.append(Roi(roi.number, name, roi.interpreted_type, roi.colour))
    if not table:
        other = str(file.rois[0].frame_of_reference_uid)[-8:]
        raise InputError(
            f"{called} lies in another frame of reference (...{other}) than the CT (...{identity.frame_of_reference_uid[-8:]}):"
            " name the CT it was drawn on"
        )
    return RtstructContents(StructureSet(ct_grid, structures), tuple(table), tuple(findings))


def _file_findings(file: RtstructFile, identity: SeriesIdentity) -> list[Finding]:
    findings = []
    if file.patient_id != decoded_text(identity.header, "PatientID"):
        findings.append(Finding("rtstruct_other_patient", "the structure set names another patient ID than the CT"))
    if file.series and identity.series_instance_uid not in file.series:
        words = "the structure set refers to another series than the CT; frame of reference and positions were taken"
        findings.append(Finding("rtstruct_other_series", words))
    return findings


def _roi_findings(roi: RoiItems, name: str) -> list[Finding]:
    findings = []
    if name != roi.name:
        words = f"{roi.name} is the name of several ROIs; number {roi.number} is called {name} here"
        findings.append(Finding("roi_same_name", words, name, float(roi.number)))
    if not roi.contours:
        findings.append(Finding("roi_without_contours", f"{name} has no contour in the structure set", name))
    return findings


def _unique_names(rois: tuple[RoiItems, ...]) -> dict[int, str]:
    names: dict[int, str] = {}
    taken = {roi.name for roi in rois}
    seen: set[str] = set()
    for roi in rois:
        name = roi.name
        while name in seen or (name != roi.name and name in taken):
            name = f"{name} ({roi.number})"
        seen.add(name)
        names[roi.number] = name
    return names


def _structure(roi: RoiItems, grid: Geometry, images: list[str], notes: _Notes) -> Structure:
    """The ROI's mask: the crop around its contours is the only volume that is made."""
    planes = _planes(_closed_loops(roi.contours, notes), grid, images, notes)
    if not planes:
        return EMPTY
    points = np.concatenate([loop for loops in planes.values() for loop in loops])
    size = np.array(grid.shape[1:])
    low = np.clip(np.floor(points.min(axis=0)).astype(int), 0, size)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + 1, low, size)
    first, last = min(planes), max(planes)
    notes.counts["slice_without_contour"] += last + 1 - first - len(planes)
    crop = np.zeros((last + 1 - first, *(high - low)), dtype=np.bool_)
    for index, loops in planes.items():
        near = [loop - low for loop in loops]
        crop[index - first] = rasterise(near, crop.shape[1:])
        notes.crossing_ml += _crossing(near, crop[index - first]) * float(grid.voxel_ml[index])
    box = bounding_box(crop)
    if box is None:
        return EMPTY
    offset = (first + box[0].start, int(low[0]) + box[1].start, int(low[1]) + box[2].start)
    return Structure(crop[box], offset)


def _crossing(loops: list[Loop], combined: NDArray[np.bool_]) -> int:
    """Pixels shared by two loops of which neither lies in the other; ``combined`` is what XOR made of all loops."""
    if len(loops) == 1 or sum(int(rasterise([loop], combined.shape).sum()) for loop in loops) == combined.sum():
        return 0  # nothing is shared at all
    shared = 0
    for one, other in combinations([rasterise([loop], combined.shape) for loop in loops], 2):
        both = int((one & other).sum())
        shared += both if both not in (one.sum(), other.sum()) else 0
    return shared


def _closed_loops(contours: tuple[ContourItem, ...], notes: _Notes) -> list[tuple[ContourItem, NDArray[np.float64]]]:
    """The contours that enclose something, with their LPS points (n, 3) in mm."""
    loops = []
    for contour in contours:
        points = contour.points() if contour.is_closed else None
        if not contour.is_closed:
            notes.counts["contour_open"] += 1
        elif points is None:
            notes.counts["contour_unreadable"] += 1
        elif len(points) < 3:
            notes.counts["contour_too_small"] += 1
        else:
            notes.counts["contour_count_wrong"] += contour.count not in (None, len(points))
            loops.append((contour, points))
    return loops


def _planes(
    contours: list[tuple[ContourItem, NDArray[np.float64]]], grid: Geometry, images: list[str], notes: _Notes
) -> dict[int, list[Loop]]:
    """slice -> its loops in pixels (row, column): for each slice those on the nearest plane, each once."""
    found: dict[int, list[tuple[float, Loop]]] = defaultdict(list)
    for contour, points in contours:
        index = grid.indices(points)
        place = _place(index[:, 0], grid, notes)
        if place is None:
            continue
        slice_index, offset_mm = place
        loop = np.round(index[:, 1:], SNAP)
        outside = (loop < -BORDER_PIXELS) | (loop > np.array(grid.shape[1:]) - 1 + BORDER_PIXELS)
        notes.counts["contour_outside_image"] += bool(outside.any())
        notes.counts["contour_other_image"] += bool(contour.images) and images[slice_index] not in contour.images
        found[slice_index].append((offset_mm, loop))
    return {slice_index: _nearest_once(placed, notes) for slice_index, placed in found.items()}


def _place(along: NDArray[np.float64], grid: Geometry, notes: _Notes) -> tuple[int, float] | None:
    """(slice, offset from its plane in mm) for the fractional slice indices of a contour's points; None if no slice is near."""
    middle = float(np.median(along))
    index = int(np.clip(np.rint(middle), 0, grid.shape[0] - 1))
    gaps = np.diff(grid.positions)
    beside = gaps[max(index - 1, 0) : index + 1] if len(gaps) else np.array([2 * SINGLE_SLICE_MM])
    to_mm = 1.0 if len(gaps) == 0 else float(gaps[np.clip(index if middle > index else index - 1, 0, len(gaps) - 1)])
    offset_mm, spacing_mm = (middle - index) * to_mm, float(beside.min())
    if abs(offset_mm) > spacing_mm / 2 + OFF_PLANE_MM:
        notes.counts["contour_outside_stack"] += 1
        return None
    spread_mm = float(np.ptp(along)) * to_mm
    if spread_mm > spacing_mm / 2:
        notes.counts["contour_tilted"] += 1
        return None
    if spread_mm > max(FLAT_MM, FLAT_PART * spacing_mm):
        notes.far("contour_not_flat", spread_mm)
    if abs(offset_mm) > OFF_PLANE_MM:
        notes.far("contour_off_plane", abs(offset_mm))
    return index, offset_mm


def _nearest_once(placed: list[tuple[float, Loop]], notes: _Notes) -> list[Loop]:
    """The loops on the plane nearest to the slice; a loop that stands there twice, from any point and either way, once."""
    if len(placed) == 1:
        return [placed[0][1]]
    nearest = min((offset for offset, _ in placed), key=abs)
    near = [loop for offset, loop in placed if abs(offset - nearest) <= SAME_PLANE_MM]
    notes.counts["contour_between_slices"] += len(placed) - len(near)
    once = {np.unique(loop, axis=0).tobytes(): loop for loop in near}
    notes.counts["contour_repeated"] += len(near) - len(once)
    return list(once.values())
