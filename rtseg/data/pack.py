"""Training data packed once: working grid, cropped to the body, small enough to hold in memory and to send.

Read with numpy alone, so that training runs where nothing else is installed. MRs are packed too: beside the CT of their patient,
or those of other people, for training that needs no pairs.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, GeometryError, InputError, OutputError, Structure, StructureSet, Volume
from rtseg.data.case import SPLITS, Case, CaseFolder, Pairing
from rtseg.data.mr_files import MRFile
from rtseg.imaging import AIR_HU, Preparation, Prepared, prepare, to_working_grid
from rtseg.imaging.landmarks import Landmark, heights_of_ct
from rtseg.imaging.prepare_mr import beside_ct, prepare_mr

INDEX = "index.json"
SHARES = 16
"""Steps between empty and full in which an organ's share of a voxel is stored."""

BYTES = 255
"""Grey levels of a packed MR."""

HU_STEPS = ((-200.0, 16.0), (400.0, 4.0), (np.inf, 32.0))
"""Below each HU the step to which it is rounded before packing: a third of the size, an error below CT noise."""


@dataclass(frozen=True, eq=False)
class PackedCase:
    """One patient as training reads it, all on the working grid.

    ct         (slices, rows, columns) int16 HU
    organs     (organs, slices, rows, columns) uint8, share of the voxel in SHARES steps, 0 if not contoured
    contoured  (organs,) bool: somebody looked for this organ
    known      (organs, 2) first and last+1 slice between which the organ's absence means absence; slices go upwards
    body       (slices, rows, columns) bool; None for everywhere
    heights_mm (slices,) above the task's landmark, NaN where it was not found; None for a task without one
    mr         (slices, rows, columns) uint8, the same patient's MR, 0 to 255 of its scale; None for none
    mr_valid   where the MR was measured; None for everywhere
    mr_range   the MR's values that became 0 and 255
    """

    name: str
    split: str
    ct: NDArray[np.int16]
    organs: NDArray[np.uint8]
    contoured: NDArray[np.bool_]
    known: NDArray[np.int64]
    body: NDArray[np.bool_] | None = None
    heights_mm: NDArray[np.float64] | None = None
    mr: NDArray[np.uint8] | None = None
    mr_valid: NDArray[np.bool_] | None = None
    mr_range: NDArray[np.float64] | None = None
    pairing: Pairing = "none"


@dataclass(frozen=True, eq=False)
class PackedMR:
    """The MR of somebody without CT: (slices, rows, columns) uint8, 0 to 255 of its scale, 0 outside of the body.

    heights_mm and mr_range as in ``PackedCase``.
    """

    name: str
    split: str
    mr: NDArray[np.uint8]
    mr_range: NDArray[np.float64]
    heights_mm: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Packed:
    """A packed folder: what it was packed for, its cases, its MRs of other people, and its fingerprint (SHA-256 of the index)."""

    plan: PackPlan
    cases: Sequence[PackedCase]
    mrs: Sequence[PackedMR]
    fingerprint: str


@dataclass(frozen=True)
class PackPlan:
    """What is packed: the organs in order, those whose contours end below by convention, and the preparation.

    landmark: what heights of slices count from, in CT and MR; None for none.
    """

    organs: tuple[str, ...]
    open_ended: tuple[str, ...]
    preparation: Preparation
    landmark: Landmark | None = None


def pack(
    cases: Sequence[CaseFolder], plan: PackPlan, folder: Path, progress: Callable[[str], None], mrs: Sequence[MRFile] = ()
) -> Path:
    """Pack cases, and MRs of other people, into ``folder``; ``progress`` hears each name when it is done.

    Raises OutputError if the folder holds something, InputError naming a case that cannot be read or is of no split that
    training knows, or two of one name.
    """
    _must_be_split(cases)
    names = [case.name for case in cases] + [mr.name for mr in mrs]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise InputError(f"more than one case or MR is named {', '.join(twice)}; give each patient a name of its own")
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty; choose another folder for the packed data")
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for case in cases:
        packed = pack_case(case.read(), case.split, plan)
        entries.append(_written(packed, folder) | {"pairing": packed.pairing})
        progress(packed.name)
    others = []
    for mr in mrs:
        others.append(_written(pack_mr(mr, plan), folder))
        progress(mr.name)
    index = {"plan": json.loads(json.dumps(asdict(plan))), "cases": entries, "mrs": others}
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n")
    return folder


def pack_case(case: Case, split: str, plan: PackPlan) -> PackedCase:
    """One case on the working grid, prepared as inference prepares it."""
    ready = prepare(case.ct, plan.preparation)
    contoured = np.array([organ in case.contoured for organ in plan.organs])
    there = [organ for organ in plan.organs if organ in case.contoured]
    shares = to_working_grid(case.structures, ready, there)
    organs = np.zeros((len(plan.organs), *ready.volume.geometry.shape), dtype=np.uint8)
    for index, organ in enumerate(plan.organs):
        if organ in shares:
            organs[index] = np.rint(shares[organ] * SHARES)
    slices = [_known(organs[i], organ in plan.open_ended) for i, organ in enumerate(plan.organs)]
    known = np.stack(slices) if slices else np.zeros((0, 2), dtype=np.int64)
    heights = None if plan.landmark is None else heights_of_ct(plan.landmark, ready.volume, ready.body, case.structures)
    about_ct = PackedCase(
        case.name, split, _rounded(ready.volume.array), organs, contoured, known, ready.body.array, heights, pairing=case.pairing
    )
    return about_ct if case.mr is None else _with_mr(about_ct, case, ready)


def pack_mr(file: MRFile, plan: PackPlan) -> PackedMR:
    """The MR of somebody without CT, on an axial grid of the plan's spacing. Raises InputError naming the file."""
    try:
        ready = prepare_mr(file.read(), plan.preparation.spacing_mm, plan.landmark)
    except GeometryError as error:
        raise InputError(f"{file.file}: {error}") from error
    return PackedMR(file.name, file.split, _in_bytes(ready.image), np.array(ready.scale.values), ready.heights_mm)


def read_pack(folder: Path) -> Packed:
    """Raises InputError if the folder is not a packed one, or if a file is not the one that was packed."""
    file = folder / INDEX
    if not file.is_file():
        raise InputError(f"{folder} holds no packed data ({INDEX} is missing); make it with: rtseg data pack")
    try:
        index = json.loads(file.read_text())
        plan, entries, others = _plan(index["plan"]), index["cases"], index["mrs"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is not whole ({error!r}); pack the data again") from error
    cases = [PackedCase(entry["name"], entry["split"], **_read(folder, entry), pairing=entry["pairing"]) for entry in entries]
    mrs = [PackedMR(entry["name"], entry["split"], **_read(folder, entry)) for entry in others]
    return Packed(plan, cases, mrs, _sha256(file))


def structures_of(case: PackedCase, plan: PackPlan) -> StructureSet:
    """The contoured organs of a packed case, where they fill half of a voxel or more; the place of its grid is not kept."""
    a, b, c = case.ct.shape
    there = [index for index, asked in enumerate(case.contoured) if asked]
    organs = {plan.organs[index]: Structure.from_full(case.organs[index] >= SHARES / 2) for index in there}
    return StructureSet(Geometry.regular((a, b, c), plan.preparation.spacing_mm), organs)


def _must_be_split(cases: Sequence[CaseFolder]) -> None:
    """A case of another split would be packed, and neither learnt from nor judged by."""
    lost = [case for case in cases if case.split not in SPLITS]
    if lost:
        named = ", ".join(f"{case.name} ({case.split})" for case in lost[:5]) + (" ..." if len(lost) > 5 else "")
        raise InputError(
            f"{len(lost)} cases are of a split that training does not know: {named}; there is {', '.join(SPLITS)}. "
            "The folder that holds a case names its split; keep cases for a later test outside the folder that is packed"
        )


def _with_mr(packed: PackedCase, case: Case, ready: Prepared) -> PackedCase:
    assert case.mr is not None
    try:
        mr, valid, scale = beside_ct(case.mr, case.mr_valid, ready)
    except (GeometryError, InputError) as error:
        raise InputError(f"{case.name}: {error}") from error
    return replace(packed, mr=_in_bytes(mr), mr_valid=valid.array, mr_range=np.array(scale.values))


def _in_bytes(scaled: Volume) -> NDArray[np.uint8]:
    """-1..1 as 0..255."""
    return np.rint((scaled.array + 1) * (BYTES / 2)).astype(np.uint8)


def _written(packed: PackedCase | PackedMR, folder: Path) -> dict[str, str]:
    """Write the arrays that are there; returns the entry of the index."""
    file = folder / f"{packed.name}.npz"
    values = {field.name: getattr(packed, field.name) for field in fields(packed)}
    arrays: dict[str, Any] = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    np.savez_compressed(file, **arrays)
    return {"name": packed.name, "split": packed.split, "sha256": _sha256(file)}


def _read(folder: Path, entry: Mapping[str, str]) -> dict[str, Any]:
    """The arrays of an entry of the index."""
    file = folder / f"{entry['name']}.npz"
    if not file.is_file() or _sha256(file) != entry["sha256"]:
        raise InputError(f"{file} is missing or not the file that was packed; pack the data again")
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _plan(stored: dict[str, Any]) -> PackPlan:
    how = stored["preparation"]
    preparation = Preparation(tuple(how["spacing_mm"]), tuple(how["window_hu"]), how["margin_mm"])
    return PackPlan(tuple(stored["organs"]), tuple(stored["open_ended"]), preparation, stored["landmark"])


def _known(organ: NDArray[np.uint8], open_ended: bool) -> NDArray[np.int64]:
    """Slices in which the organ's absence is known: all, or for an open-ended organ from one below its lower end on.

    Its upper end is anatomy: cord begins where brainstem ends, oesophagus where larynx ends; only the lower end is a habit.
    """
    there = np.flatnonzero(organ.any(axis=(1, 2)))
    first = max(0, there[0] - 1) if open_ended and there.size else 0
    return np.array([first, organ.shape[0]])


def _rounded(hu: NDArray[np.float32]) -> NDArray[np.int16]:
    """HU in HU_STEPS, counted from air, which stays what it is."""
    result, low = np.empty_like(hu), -np.inf
    for high, step in HU_STEPS:
        part = (hu >= low) & (hu < high)
        result[part] = np.rint((hu[part] - AIR_HU) / step) * step + AIR_HU
        low = high
    return result.astype(np.int16)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
