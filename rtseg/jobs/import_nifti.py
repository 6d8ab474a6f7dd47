"""Folders with a NIfTI CT and one mask per organ, as people keep them, become case folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from rtseg.core import InputError, RtsegError, Structure, StructureSet
from rtseg.data import Case, read_nifti
from rtseg.data.case_index import fingerprint
from rtseg.data.dicom_case import mr_on_grid
from rtseg.data.organ_names import OrganNames
from rtseg.jobs.import_cases import FAILED, PLANNED, Candidate, Imported, Row, Target, import_cases
from rtseg.jobs.import_dicom import read_names

SUFFIXES = (".nii.gz", ".nii")

CT, MR = "ct", "mr"
"""Files of a scan beside its masks, in any case; a mask is called as its organ."""

MASK_FOLDERS = ("structures", "masks", "segmentations")


@dataclass(frozen=True)
class NiftiOrder:
    """What a user asks of `rtseg data nifti`: the folder of folders, where to, and the file of names."""

    source: Path
    target: Target
    names: Path | None = None


def import_nifti(order: NiftiOrder, started: Callable[[int], None], progress: Callable[[str], None]) -> Imported:
    """Make a case of every folder below the source that holds ct.nii.gz (or ct.nii) with masks beside it or in a sub-folder.

    The name of the folder says whose it is. Raises InputError if there is none, an RtsegError if names, splits or output
    cannot be.
    """
    names = read_names(order.names)
    if not order.source.is_dir():
        raise InputError(f"{order.source} is not a folder; expected folders with ct.nii.gz and one mask per organ")
    scans = [path for path in sorted(order.source.rglob("*")) if _stem(path).lower() == CT and path.is_file()]
    if not scans:
        raise InputError(f"no ct.nii.gz below {order.source}: expected one folder for each patient, with ct.nii.gz and its masks")
    candidates = [_candidate(ct, order.source, names) for ct in scans]
    rows = import_cases(candidates, order.target, started, progress)
    labels = {_stem(mask) for ct in scans for mask in _masks(ct)}
    hints = tuple(f"the file of names has {label!r}, which no mask is called" for label in names.own if label not in labels)
    return Imported(tuple(rows), hints=hints)


def read_nifti_case(ct_file: Path, masks: Mapping[str, Path], mr_file: Path | None, name: str) -> tuple[Case, tuple[str, ...]]:
    """The case of that name; organ -> its mask, above 0 is inside. An empty mask is an organ that is absent.

    An MR is resampled onto the CT's grid and weakly paired. Raises InputError for a mask on another grid, and as ``read_nifti``.
    """
    ct = read_nifti(ct_file)
    if not ct.geometry.is_regular:
        raise InputError(f"{ct_file} holds a single slice: a case needs the whole CT in one file")
    organs = {}
    for organ, file in masks.items():
        mask = read_nifti(file)
        if not mask.geometry.same_as(ct.geometry):
            raise InputError(
                f"{file} is not on the grid of {ct_file.name}: {mask.geometry.shape} voxels (slices, rows, columns) against "
                f"{ct.geometry.shape}, or another place or orientation; resample it onto the CT first"
            )
        if len(np.unique(mask.array)) > 2:
            raise InputError(f"{file} holds several labels, expected one organ; write each label into a file of its own")
        organs[organ] = Structure.from_full(mask.array > 0)
    case = Case(name, ct, StructureSet(ct.geometry, organs), tuple(organs))
    if mr_file is None:
        return case, ()
    mr, valid = mr_on_grid(read_nifti(mr_file), ct.geometry)
    return Case(name, ct, case.structures, case.contoured, mr, "weak", valid), ()


def _candidate(ct: Path, root: Path, names: OrganNames) -> Candidate:
    masks, unmatched, problem = _organs(ct, names)
    mr = next((path for path in sorted(ct.parent.iterdir()) if _stem(path).lower() == MR), None)
    used = [ct, *masks.values(), *([mr] if mr is not None else [])]
    made = fingerprint([(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in used], sorted(masks))
    found = str(ct.parent.relative_to(root))
    slices = 0
    try:
        slices = read_nifti(ct).geometry.shape[0]
    except RtsegError as error:
        problem = str(error)
    state = PLANNED if problem is None else FAILED
    row = Row(
        patient="",
        split="",
        found=found,
        slices=slices,
        structures=f"{len(masks)} masks",
        mr=mr.name if mr is not None else "",
        organs=tuple(masks),
        labels={organ: _stem(mask) for organ, mask in masks.items()},
        unmatched=unmatched,
        notes=(),
        state=state,
        problem=problem,
    )
    read = partial(read_nifti_case, ct, masks, mr) if problem is None else None
    return Candidate(ct.parent.resolve().name, fingerprint(found), made, row, read, str(ct.parent))


def _organs(ct: Path, names: OrganNames) -> tuple[dict[str, Path], tuple[str, ...], str | None]:
    """Organ -> its mask, names that mean no organ, and what stands against the case."""
    masks: dict[str, Path] = {}
    unmatched = []
    for file in _masks(ct):
        label = _stem(file)
        organ = names.organ(label)
        if organ is not None and organ in masks:
            return (
                {},
                (),
                f"{masks[organ].name} and {file.name} both mean {organ}; remove one, or name it null in the file of names",
            )
        if organ is not None:
            masks[organ] = file
        elif not names.knows(label):
            unmatched.append(label)
    problem = None if masks else "no mask is called as an organ that rtseg knows; name them in a file of names (--map)"
    return masks, tuple(unmatched), problem


def _masks(ct: Path) -> list[Path]:
    folders = [ct.parent, *(ct.parent / name for name in MASK_FOLDERS)]
    files = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path for path in files if _stem(path) and _stem(path).lower() not in (CT, MR)]


def _stem(path: Path) -> str:
    """The name of a NIfTI file without its suffix; empty for any other file."""
    return next((path.name.removesuffix(suffix) for suffix in SUFFIXES if path.name.endswith(suffix)), "")
