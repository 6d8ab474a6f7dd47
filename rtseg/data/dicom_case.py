"""From a CT series with its structure set, and its MR if there is one, to a case: what it will hold, and then the voxels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rtseg.core import Geometry, GeometryError, InputError, Mask, RtsegError, StructureSet, Volume
from rtseg.data.case import Case
from rtseg.data.dicom_tree import Planned, frame_of
from rtseg.data.organ_names import OrganNames
from rtseg.dicom.find_series import FolderScan, SeriesFound
from rtseg.dicom.identity import must_agree
from rtseg.dicom.pixels import read_hu
from rtseg.dicom.rtstruct_reader import read_rtstruct
from rtseg.dicom.series import planning_ct_of
from rtseg.dicom.stack import stack_slices
from rtseg.dicom.structure_sets import StructureSetFile
from rtseg.imaging import resample

WHOLE_FROM = 255.0
"""An MR that reaches this is kept in whole numbers: a step is then no more than 0.4 % of its range, below its noise."""

INT16 = np.iinfo(np.int16)


@dataclass(frozen=True)
class Examined:
    """What a case would hold, from headers alone: organ -> number of its ROI; ROIs that mean no organ known; notes; why it
    cannot be made, None if it can.
    """

    organs: Mapping[str, int]
    unmatched: tuple[str, ...]
    notes: tuple[str, ...]
    problem: str | None


def examine(planned: Planned, names: OrganNames) -> Examined:
    """What the case would hold and what stands against it. No pixel is read."""
    structure_set = planned.structure_set
    assert structure_set is not None
    organs, unmatched, notes = matched(structure_set, frame_of(planned.ct), names)
    return Examined(organs, unmatched, (*planned.notes, *notes), _problem(planned, structure_set, organs))


def matched(structure_set: StructureSetFile, frame: str, names: OrganNames) -> tuple[dict[str, int], tuple[str, ...], list[str]]:
    """Organ -> number of the ROI it is, labels that mean no organ known, and notes; of the ROIs in the CT's frame of reference.

    An ROI without a closed contour was not drawn: its organ is unknown, not absent. Two ROIs drawn for one organ contradict
    each other: the organ is left out.
    """
    drawn: dict[str, list[int]] = defaultdict(list)
    label = {roi.number: roi.name for roi in structure_set.rois}
    near = [roi for roi in structure_set.rois if roi.frame_of_reference_uid in (None, "", frame)]
    unmatched = []
    for roi in near:
        organ = names.organ(roi.name)
        if organ is not None and roi.contours:
            drawn[organ].append(roi.number)
        elif roi.contours and not names.knows(roi.name):
            unmatched.append(roi.name)
    notes = [
        f"{organ} left out: {' and '.join(repr(label[number]) for number in numbers)} both mean it; "
        "name the wrong one null in the file of names"
        for organ, numbers in drawn.items()
        if len(numbers) > 1
    ]
    if near and len(near) < len(structure_set.rois):
        notes.append(f"{len(structure_set.rois) - len(near)} ROIs left out: they lie in another frame of reference than the CT")
    organs = {organ: numbers[0] for organ, numbers in sorted(drawn.items()) if len(numbers) == 1}
    return organs, tuple(dict.fromkeys(unmatched)), notes


def read_dicom_case(planned: Planned, organs: Mapping[str, int], name: str) -> tuple[Case, tuple[str, ...]]:
    """The case of that name, and what was noticed in words. ``organs``: organ -> number of its ROI.

    The MR is resampled onto the CT's grid through their common frame of reference, with where it was measured; its pairing is
    weak: one frame of reference tells where the scanner saw it, not that the patient lay still.
    Raises an RtsegError if CT or structure set cannot be read or no organ has a voxel; an MR that cannot be read is left out.
    """
    assert planned.structure_set is not None
    ct = planning_ct_of(FolderScan(planned.ct.headers[0].path.parent, (planned.ct,)))
    assert ct.identity is not None
    contents = read_rtstruct(planned.structure_set.path, ct)
    key = {roi.number: roi.name for roi in contents.rois}
    found = {organ: contents.structures[key[number]] for organ, number in organs.items() if number in key}
    present = {organ: structure for organ, structure in found.items() if not structure.is_empty}
    taken = {key[number] for number in organs.values() if number in key}
    notes = [finding.words for finding in ct.findings if finding.kind != "identity_unlawful"]
    notes += [finding.words for finding in contents.findings if finding.organ is None or finding.organ in taken]
    notes += [f"{organ} left out: its contours enclose no voxel of the CT" for organ in organs if organ not in present]
    if not present:
        raise InputError(f"{planned.structure_set.path}: no contour of an organ encloses a voxel of the CT")
    case = Case(name, ct.volume, StructureSet(ct.volume.geometry, present), tuple(present))
    if planned.mr is None:
        return case, tuple(notes)
    try:
        mr, valid = mr_on_grid(read_mr(planned.mr), ct.volume.geometry)
    except RtsegError as error:
        return case, (*notes, f"MR series ...{planned.mr.tail} left out: {error}")
    if not valid.array.any():
        return case, (*notes, f"MR series ...{planned.mr.tail} left out: it does not reach the CT")
    return Case(case.name, case.ct, case.structures, case.contoured, mr, "weak", valid), tuple(notes)


def read_mr(series: SeriesFound) -> Volume:
    """An MR series on its own grid, any orientation; values rescaled as the files say.

    Raises InputError or GeometryError if its slices do not make one stack: several echoes or b-values in one series, say.
    """
    must_agree(series.headers)
    stack = stack_slices(series.headers)
    return Volume(read_hu(stack.headers)[0], stack.geometry)


def mr_on_grid(mr: Volume, grid: Geometry) -> tuple[Volume, Mask]:
    """The MR on another grid in the same patient coordinates, 0 where it was not measured, and where it was."""
    resampled = resample(mr, grid, outside=np.nan).array
    valid = np.isfinite(resampled)
    values = np.where(valid, resampled, 0)
    whole = values.max() >= WHOLE_FROM and values.min() >= INT16.min and values.max() <= INT16.max
    return Volume(np.rint(values).astype(np.int16) if whole else values, grid), Mask(valid, grid)


def _problem(planned: Planned, structure_set: StructureSetFile, organs: Mapping[str, int]) -> str | None:
    try:
        must_agree(planned.ct.headers)
        geometry = stack_slices(planned.ct.headers).geometry
        if not geometry.is_regular:
            raise GeometryError(
                "slices are not evenly spaced, which a case's files cannot say: export the series again with all its slices"
            )
    except RtsegError as error:
        return str(error)
    if structure_set.frames and frame_of(planned.ct) not in structure_set.frames:
        return "the structure set lies in another frame of reference than the CT it names: export both again"
    if not organs:
        return "none of its ROIs with contours means an organ that rtseg knows: name them in a file of names (--map)"
    return None
