"""A case: one patient's images with the organs somebody contoured, and the folders cases come from."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from rtseg.core import AXIAL, Geometry, GeometryError, InputError, Mask, Structure, StructureSet, Volume
from rtseg.core.anatomy import canonical
from rtseg.data.nifti import read_nifti, write_nifti
from rtseg.imaging import resample

Pairing = Literal["none", "weak", "registered"]

LABELS = {
    1: "Brainstem",
    2: "SpinalCord",
    3: "Parotid_L",
    4: "Parotid_R",
    5: "Bone_Mandible",
    6: "Larynx",
    7: "Esophagus",
}
"""Labels of structures.nii.gz in an indexed tree (OpenKBP, head and neck)."""

AIR_HU = -1000

SPLITS = ("train", "validation")
"""What a case can be packed for: to be learnt from, or to choose the weights."""

INDEX = "index.csv"
CASE = "case.json"
MR_VALID = "mr_valid.nii.gz"


@dataclass(frozen=True, eq=False)
class Case:
    """One patient to train on or to judge by.

    contoured: the organs somebody looked for. An organ that is not among them is unknown, not absent; one that
    is among them and empty is absent. pairing tells how ct and mr fit: none, weak, or registered. mr_valid: where the MR
    was measured, on its own grid; None if everywhere.
    """

    name: str
    ct: Volume
    structures: StructureSet
    contoured: tuple[str, ...]
    mr: Volume | None = None
    pairing: Pairing = "none"
    mr_valid: Mask | None = None


@dataclass(frozen=True)
class CaseFolder:
    """Where a case lies and which split it belongs to; ``read`` brings its voxels."""

    name: str
    split: str
    folder: Path
    contoured: tuple[str, ...]

    def read(self) -> Case:
        """Read the case. Raises InputError naming the file that is missing or does not fit."""
        if (self.folder / CASE).is_file():
            return read_case(self.folder)
        ct = read_nifti(self.folder / "ct.nii.gz")
        labels = read_nifti(self.folder / "structures.nii.gz")
        if not labels.geometry.same_as(ct.geometry):
            raise InputError(f"{self.folder}: structures.nii.gz is not on the grid of ct.nii.gz; resample it onto the CT first")
        organs = {name: Structure.from_full(labels.array == value) for value, name in LABELS.items() if name in self.contoured}
        return Case(self.name, ct, StructureSet(ct.geometry, organs), self.contoured)


def find_cases(root: Path) -> list[CaseFolder]:
    """Every case under ``root``, by name: an indexed tree (index.csv) or self-describing folders (case.json).

    Splits: the column ``split`` of the index, or the name of the folder that holds the case.
    Raises InputError if there is none.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; expected cases (folders with {CASE}, or a tree with {INDEX})")
    cases = list(_indexed(root)) if (root / INDEX).is_file() else list(_self_described(root))
    if not cases:
        raise InputError(
            f"no case under {root}: expected folders with {CASE}, or {INDEX} with the columns patient, split, organs"
        )
    return sorted(cases, key=lambda case: (case.split, _natural(case.name)))


def read_case(folder: Path) -> Case:
    """A self-describing case folder: ct.nii.gz, structures/NAME.nii.gz, mr.nii.gz and mr_valid.nii.gz by option, case.json.

    Raises InputError naming the file that is missing, unreadable, on another grid or not named by TG-263.
    """
    about = _about(folder)
    for file in sorted((folder / "structures").glob("*.nii.gz")):
        _must_be_tg263(file.name.removesuffix(".nii.gz"), str(file))
    ct = read_nifti(folder / "ct.nii.gz")
    organs = {}
    for name in about["contoured"]:
        mask = read_nifti(folder / "structures" / f"{name}.nii.gz")
        if not mask.geometry.same_as(ct.geometry):
            raise InputError(f"{folder}: structures/{name}.nii.gz is not on the grid of ct.nii.gz")
        organs[name] = Structure.from_full(mask.array > 0)
    mr = read_nifti(folder / "mr.nii.gz") if about["pairing"] != "none" or (folder / "mr.nii.gz").is_file() else None
    valid = _mr_valid(folder, mr)
    return Case(about["name"], ct, StructureSet(ct.geometry, organs), tuple(about["contoured"]), mr, about["pairing"], valid)


def write_case(case: Case, folder: Path, *, overwrite: bool = False) -> Path:
    """Write a case as a self-describing folder, whole or not at all.

    Raises InputError if the folder is there already and ``overwrite`` is false, GeometryError if slices are uneven (NIfTI
    cannot say so).
    """
    return _whole(folder, lambda unfinished: _write(case, unfinished), overwrite)


def write_labelled(case: Case, folder: Path, *, overwrite: bool = False) -> Path:
    """Write a case of an indexed tree, whole or not at all: ct.nii.gz and structures.nii.gz with LABELS; no MR.

    Where organs overlap, the first keeps the voxel. Raises as ``write_case``, and InputError for an organ without a label.
    """
    values = {name: value for value, name in LABELS.items()}
    unknown = [name for name in case.contoured if name not in values]
    if unknown:
        raise InputError(f"{case.name}: {', '.join(unknown)} has no label in structures.nii.gz; write it as a case folder")
    labels = np.zeros(case.ct.geometry.shape, dtype=np.uint8)
    for name in reversed(case.contoured):
        labels[case.structures.mask(name).array] = values[name]

    def write(unfinished: Path) -> None:
        unfinished.mkdir()
        write_nifti(case.ct, unfinished / "ct.nii.gz")
        write_nifti(Volume(labels, case.ct.geometry), unfinished / "structures.nii.gz")

    return _whole(folder, write, overwrite)


def _whole(folder: Path, write: Callable[[Path], None], overwrite: bool) -> Path:
    """Let ``write`` make a folder beside ``folder``, which then takes its place."""
    if folder.exists() and not overwrite:
        raise InputError(f"{folder} is there already; choose another place or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=folder.parent) as unfinished:
        write(Path(unfinished) / folder.name)
        if folder.exists():
            folder.rename(Path(unfinished) / "before")
        return (Path(unfinished) / folder.name).rename(folder)


def _write(case: Case, folder: Path) -> None:
    (folder / "structures").mkdir(parents=True)
    write_nifti(case.ct, folder / "ct.nii.gz")
    if case.mr is not None:
        write_nifti(case.mr, folder / "mr.nii.gz")
    if case.mr_valid is not None:
        write_nifti(case.mr_valid, folder / MR_VALID)
    for name in case.contoured:
        write_nifti(case.structures.mask(name), folder / "structures" / f"{name}.nii.gz")
    about = {"name": case.name, "contoured": list(case.contoured), "pairing": case.pairing}
    (folder / CASE).write_text(json.dumps(about, indent=2) + "\n")


def axial(case: Case) -> Case:
    """The case with its arrays turned so that slices go to superior, rows to posterior, columns to left.

    As scanners write a supine, head-first patient. Raises GeometryError if its grid is oblique.
    """
    grid = _axial_grid(case.ct.geometry)
    ct = resample(case.ct, grid, outside=0.0)
    organs = {}
    for name in case.structures:
        mask = case.structures.mask(name)
        turned = resample(Volume(mask.array.astype(np.float32), mask.geometry), grid, outside=0.0)
        organs[name] = Structure.from_full(turned.array > 0.5)
    return replace(
        case,
        ct=replace(ct, array=np.rint(ct.array).astype(np.int16)),
        structures=StructureSet(grid, organs),
        mr=None,
        mr_valid=None,
    )


def squared(case: Case) -> Case:
    """The case with air beside it, so that its images have as many rows as columns; organs keep their place in the patient.

    Some readers of DICOM, rt-utils 1.2.7 among them, mistake rows for columns where the counts differ.
    """
    grid = case.ct.geometry
    slices, rows, columns = grid.shape
    side = max(rows, columns)
    above, before = (side - rows) // 2, (side - columns) // 2
    shift = above * grid.pixel_spacing[0] * grid.direction[1] + before * grid.pixel_spacing[1] * grid.direction[2]
    square = replace(grid, shape=(slices, side, side), origin=grid.origin - shift)
    hu = np.full(square.shape, AIR_HU, dtype=case.ct.array.dtype)
    hu[:, above : above + rows, before : before + columns] = case.ct.array
    organs = {}
    for name in case.structures:
        organ = case.structures[name]
        first, top, left = organ.offset
        organs[name] = replace(organ, offset=(first, top + above, left + before))
    return replace(case, ct=Volume(hu, square), structures=StructureSet(square, organs))


def _axial_grid(grid: Geometry) -> Geometry:
    """The same voxel centres, axes along AXIAL; the grid must be parallel to the patient's axes."""
    cosines = AXIAL @ grid.direction.T
    order = np.abs(cosines).argmax(axis=1)
    if np.abs(np.abs(cosines) - np.eye(3)[order]).max() > 1e-6 or not grid.is_regular:
        raise GeometryError("only an even grid along the patient's axes can be turned without interpolation")
    spacing = np.array([grid.slice_spacing, *grid.pixel_spacing])[order]
    corners = grid.points([np.zeros(3), np.array(grid.shape) - 1])
    a, b, c = (int(grid.shape[axis]) for axis in order)
    return Geometry.regular((a, b, c), (float(spacing[0]), float(spacing[1]), float(spacing[2])), corners.min(axis=0), AXIAL)


def _indexed(root: Path) -> Iterator[CaseFolder]:
    with (root / INDEX).open(newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            missing = [column for column in ("patient", "split", "organs") if row.get(column) is None]
            if missing:
                raise InputError(f"{root / INDEX}, line {line} lacks {', '.join(missing)}")
            folder = root / row["split"] / row["patient"]
            if not folder.is_dir():
                raise InputError(f"{root / INDEX}, line {line}: {folder} is not there")
            unknown = set(row["organs"].split()) - set(LABELS.values())
            if unknown and not (folder / CASE).is_file():
                raise InputError(f"{root / INDEX}, line {line}: {', '.join(sorted(unknown))} has no label in structures.nii.gz")
            yield CaseFolder(row["patient"], row["split"], folder, tuple(row["organs"].split()))


def _self_described(root: Path) -> Iterator[CaseFolder]:
    for file in sorted(root.rglob(CASE)):
        about = _about(file.parent)
        yield CaseFolder(about["name"], file.parent.parent.name, file.parent, tuple(about["contoured"]))


def _about(folder: Path) -> dict[str, Any]:
    file = folder / CASE
    try:
        about = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    wanted = {"name", "contoured", "pairing"}
    if not isinstance(about, dict) or set(about) != wanted:
        raise InputError(f"{file} must hold exactly {', '.join(sorted(wanted))}")
    if not isinstance(about["contoured"], list) or not all(_is_file_name(n) for n in [about["name"], *about["contoured"]]):
        raise InputError(f"{file}: name and the list contoured hold names as they could stand for a file")
    if about["pairing"] not in ("none", "weak", "registered"):
        raise InputError(f"{file}: pairing is none, weak or registered, not {about['pairing']!r}")
    for name in about["contoured"]:
        _must_be_tg263(name, str(file))
    return about


def _must_be_tg263(name: str, place: str) -> None:
    """Refuse an organ under another name than its own: no task would find it, and it would count as not contoured."""
    meant = canonical(name)
    if meant is not None and meant != name:
        raise InputError(f"{place}: {name} is no TG-263 name; did you mean {meant}? The mask is then structures/{meant}.nii.gz")


def _mr_valid(folder: Path, mr: Volume | None) -> Mask | None:
    """Where the MR was measured; None if no file says so, which means everywhere."""
    if mr is None or not (folder / MR_VALID).is_file():
        return None
    valid = read_nifti(folder / MR_VALID)
    if not valid.geometry.same_as(mr.geometry):
        raise InputError(f"{folder}: {MR_VALID} is not on the grid of mr.nii.gz; make it on that grid, or remove it")
    return Mask(valid.array > 0, mr.geometry)


def _is_file_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and Path(name).name == name


def _natural(name: str) -> tuple[str, int]:
    """pt_9 before pt_10."""
    head = name.rstrip("0123456789")
    return head, int(name[len(head) :] or 0)
