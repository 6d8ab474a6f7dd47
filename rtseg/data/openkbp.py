"""The OpenKBP challenge's patients: sparse CSV files become CT, organs and targets; what is blanked above and below is cropped.

Source: github.com/ababier/open-kbp, folder provided-data; the format is that of provided_code/utils.py there. Babier et al.,
Medical Physics 48:5549 (2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, InputError, Mask, Structure, StructureSet, Volume
from rtseg.data.case import Case

SIDE = 128
"""Voxels along each axis of a source array; its axes run anterior to posterior, right to left, superior to inferior."""

WATER_STORED = 1000
"""HU = stored value - 1000 (CERR's offset): fat is then at -93, cord at +37, muscle at +41 HU in the median patient."""

LARGEST_STORED = 4095
"""Larger stored values (metal, 16 bit) are cut to this, as the challenge's data-description.pdf advises."""

ORGAN_FILES = {
    "Brainstem": "Brainstem",
    "SpinalCord": "SpinalCord",
    "Mandible": "Bone_Mandible",
    "Esophagus": "Esophagus",
    "Larynx": "Larynx",
    "LeftParotid": "Parotid_L",
    "RightParotid": "Parotid_R",
}
"""Name of a source file -> TG-263; where two organs overlap (some voxels in one patient of two), the first keeps the voxel."""

TARGET_FILES = ("PTV56", "PTV63", "PTV70")

FOLDERS = {"train": "train-pats", "validation": "validation-pats", "test": "test-pats"}
"""Split -> its folder below provided-data."""

UNFIT = {
    "pt_36": "it is the same scan as test patient pt_293 (correlation 0.98 round the parotids)",
    "pt_203": "half of the face is missing in the CT",
    "pt_221": "its contours do not fit its CT",
}
"""Patients that teach or measure nothing, found by looking at all of them."""

NOT_THE_ORGAN = {
    "pt_215": ("SpinalCord",),
    "pt_216": ("SpinalCord",),
    "pt_260": ("SpinalCord",),
    "pt_283": ("SpinalCord",),
    "pt_302": ("Larynx",),
}
"""Contours that are something else (a wide posterior block, say), found by looking at all patients; they count as not drawn."""

TISSUE_HU, BONE_HU = -300.0, 200.0

TISSUE_CM2, APART_CM2, BONE_CM2 = 40.0, 5.0, 2.0
"""What a slice of a whole body shows at least: tissue, tissue apart from every contour, bone."""

APART_VOXELS = 2
"""Tissue further than this from every organ and target, in any direction, is apart from them: no island of theirs."""

JUMP = 1.5
"""Neighbouring slices of one body do not differ by this factor in area: 1.39 is the largest among 194 patients' own slices."""


@dataclass(frozen=True, eq=False)
class OpenKbpPatient:
    """One patient as the challenge gives it: CT in HU, organs contoured (TG-263 names), union of the targets.

    All on the axial grid of 128^3 voxels round (0, 0, 0), LPS mm: slices to superior, rows to posterior, columns to left.
    """

    name: str
    ct: Volume
    organs: StructureSet
    targets: Mask


@dataclass(frozen=True, eq=False)
class CroppedPatient:
    """The case, the source slices (axis 2, from superior) it was made of, first and last, and for each organ contoured the
    share of its voxels that lie in them.
    """

    case: Case
    first_slice: int
    last_slice: int
    kept: Mapping[str, float]


def read_patient(folder: Path) -> OpenKbpPatient:
    """Read a folder pt_N of CSV files; an organ without a file, or with an empty one, was not contoured.

    Raises InputError naming the file that is missing or not as the challenge writes it.
    """
    grid = _grid(folder / "voxel_dimensions.csv")
    hu = np.clip(np.rint(_array(folder / "ct.csv")), 0, LARGEST_STORED).astype(np.int16) - np.int16(WATER_STORED)
    organs = {}
    for file, organ in ORGAN_FILES.items():
        if organ in NOT_THE_ORGAN.get(folder.name, ()) or not (folder / f"{file}.csv").is_file():
            continue
        mask = _array(folder / f"{file}.csv") > 0
        if mask.any():
            organs[organ] = Structure.from_full(mask)
    targets = np.zeros(grid.shape, dtype=np.bool_)
    for file in TARGET_FILES:
        if (folder / f"{file}.csv").is_file():
            targets |= _array(folder / f"{file}.csv") > 0
    return OpenKbpPatient(folder.name, Volume(hu, grid), StructureSet(grid, organs), Mask(targets, grid))


def cropped(patient: OpenKbpPatient) -> CroppedPatient:
    """The patient's slices that show the whole body, as a case; where organs overlap, the first of ORGAN_FILES keeps the voxel.

    Raises InputError if no slice shows the whole body, or no organ is left in those that do.
    """
    contoured = np.zeros(patient.ct.geometry.shape, dtype=np.bool_)
    organs: dict[str, NDArray[np.bool_]] = {}
    for name in patient.organs:
        mask = patient.organs.mask(name).array
        organs[name] = mask & ~contoured
        contoured |= mask
    stack = whole_body_slices(patient.ct, Mask(contoured, patient.ct.geometry), patient.targets)
    if stack is None:
        raise InputError(f"{patient.name}: no slice shows the whole body; leave the patient out")
    start, end = stack.start, stack.stop
    grid = patient.ct.geometry.crop((start, 0, 0), (end - start, *patient.ct.geometry.shape[1:]))
    left = {name: Structure.from_full(mask[stack]) for name, mask in organs.items() if mask[stack].any()}
    if not left:
        raise InputError(f"{patient.name}: no organ lies in the slices that show the whole body; leave the patient out")
    kept = {name: float(mask[stack].sum() / mask.sum()) for name, mask in organs.items() if mask.any()}
    case = Case(patient.name, Volume(patient.ct.array[stack], grid), StructureSet(grid, left), tuple(left))
    return CroppedPatient(case, SIDE - end, SIDE - 1 - start, kept)


def whole_body_slices(ct: Volume, organs: Mask, targets: Mask) -> slice | None:
    """The slices to keep of a CT that is blanked to air outside the contours above and below the target; None if there are none.

    In half of the patients the body outline is itself a contour near the target only: beyond, islands shaped exactly like the
    organs (and the brain) are all that is left, and a network would read the organs off the blank. The rule, ours:

    1. Tissue is what is above TISSUE_HU, opened in its slice by a cross of 3 x 3 voxels, so that shells and skin lines go.
    2. A slice shows the whole body if it has TISSUE_CM2 of tissue, APART_CM2 of it further than APART_VOXELS from every organ
       and target, and BONE_CM2 of bone (above BONE_HU): an island of an organ has no tissue apart from it, one of the brain
       no bone.
    3. Such slices in sequence are a stack; it ends where the area jumps by JUMP, up or down, between neighbours.
    4. The stack with most organ voxels is kept, of several the longest. Islands within it do not occur: outlines have no gaps.

    The last centimetre below the vertex has less than TISSUE_CM2 and goes too; no organ lies there. ``ct``: axial, HU.
    """
    from scipy import ndimage

    cross = ndimage.generate_binary_structure(2, 1)[None]
    tissue = ndimage.binary_opening(ct.array > TISSUE_HU, cross)
    near = ndimage.binary_dilation(organs.array | targets.array, np.ones((3, 3, 3)), iterations=APART_VOXELS)
    pixel_cm2 = ct.geometry.pixel_spacing[0] * ct.geometry.pixel_spacing[1] / 100
    area, apart, bone = (part.sum(axis=(1, 2)) * pixel_cm2 for part in (tissue, tissue & ~near, tissue & (ct.array > BONE_HU)))
    whole = (area >= TISSUE_CM2) & (apart >= APART_CM2) & (bone >= BONE_CM2)
    stacks: list[slice] = []
    for k in np.flatnonzero(whole):
        goes_on = k > 0 and whole[k - 1] and 1 / JUMP < area[k] / area[k - 1] < JUMP
        start = stacks.pop().start if goes_on else int(k)
        stacks.append(slice(start, int(k) + 1))
    return max(stacks, key=lambda stack: (int(organs.array[stack].sum()), stack.stop - stack.start), default=None)


def _grid(file: Path) -> Geometry:
    lines = _lines(file)
    try:
        rows_mm, columns_mm, slices_mm = (float(line) for line in lines)
    except ValueError as error:
        raise InputError(f"{file} must hold three lines with a number of millimetres each; copy it again") from error
    spacing_mm = (slices_mm, rows_mm, columns_mm)
    return Geometry.regular((SIDE, SIDE, SIDE), spacing_mm, -(SIDE - 1) / 2 * np.array([columns_mm, rows_mm, slices_mm]))


def _array(file: Path) -> NDArray[np.float64]:
    """(slices, rows, columns), slices to superior, of a sparse file: ``index,value`` or, in a mask, ``index,``; 0 elsewhere."""
    first, *lines = _lines(file) or [""]
    if first != ",data":
        raise InputError(f"{file} begins with {first[:20]!r}, expected the line ',data' and then index,value; copy it again")
    flat = np.zeros(SIDE**3)
    try:
        cells = [line.partition(",") for line in lines]
        indices = np.array([int(index) for index, _, _ in cells], dtype=np.int64)
        values = np.array([float(value or 1) for _, _, value in cells])
    except ValueError as error:
        raise InputError(f"{file} holds a line that is not index,value ({error}); copy it again") from error
    if len(indices) and (indices.min() < 0 or indices.max() >= flat.size or len(np.unique(indices)) < len(indices)):
        raise InputError(f"{file} holds indices outside 0..{flat.size - 1}, or one twice; copy it again")
    flat[indices] = values
    return flat.reshape(SIDE, SIDE, SIDE).transpose(2, 0, 1)[::-1]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except FileNotFoundError as error:
        raise InputError(f"{file} is not there; copy the patient's folder again") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read ({error}); copy it again") from error
