"""Training data packed once: working grid, cropped to the body, small enough to hold in memory and to send.

Read with numpy alone, so that training runs where nothing else is installed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, InputError, OutputError, Structure, StructureSet
from rtseg.data.case import SPLITS, Case, CaseFolder
from rtseg.imaging import AIR_HU, Preparation, prepare, to_working_grid

INDEX = "index.json"
SHARES = 16
"""Steps between empty and full in which an organ's share of a voxel is stored."""

HU_STEPS = ((-200.0, 16.0), (400.0, 4.0), (np.inf, 32.0))
"""Below each HU the step to which it is rounded before packing: a third of the size, an error below CT noise."""


@dataclass(frozen=True, eq=False)
class PackedCase:
    """One patient as training reads it, all on the working grid.

    ct         (slices, rows, columns) int16 HU
    organs     (organs, slices, rows, columns) uint8, share of the voxel in SHARES steps, 0 if not contoured
    contoured  (organs,) bool: somebody looked for this organ
    known      (organs, 2) first and last+1 slice between which the organ's absence means absence; slices go upwards
    """

    name: str
    split: str
    ct: NDArray[np.int16]
    organs: NDArray[np.uint8]
    contoured: NDArray[np.bool_]
    known: NDArray[np.int64]


@dataclass(frozen=True)
class PackPlan:
    """What is packed: the organs in order, those whose contours end below by convention, and the preparation."""

    organs: tuple[str, ...]
    open_ended: tuple[str, ...]
    preparation: Preparation


def pack(cases: Sequence[CaseFolder], plan: PackPlan, folder: Path, progress: Callable[[str], None]) -> Path:
    """Pack cases into ``folder``; ``progress`` hears each name when it is done.

    Raises OutputError if the folder holds something, InputError naming a case that cannot be read or is of no split that
    training knows, or two of one name.
    """
    _must_be_split(cases)
    twice = sorted(name for name, times in Counter(case.name for case in cases).items() if times > 1)
    if twice:
        raise InputError(f"more than one case is named {', '.join(twice)}; give each patient a name of its own")
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty; choose another folder for the packed data")
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for case in cases:
        packed = pack_case(case.read(), case.split, plan)
        file = folder / f"{packed.name}.npz"
        np.savez_compressed(file, ct=packed.ct, organs=packed.organs, contoured=packed.contoured, known=packed.known)
        entries.append({"name": packed.name, "split": packed.split, "sha256": _sha256(file)})
        progress(packed.name)
    index = {"plan": json.loads(json.dumps(asdict(plan))), "cases": entries}
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
    known = np.stack([_known(organs[i], organ in plan.open_ended) for i, organ in enumerate(plan.organs)])
    return PackedCase(case.name, split, _rounded(ready.volume.array), organs, contoured, known)


def read_pack(folder: Path) -> tuple[PackPlan, list[PackedCase], str]:
    """The plan, the cases and the fingerprint (SHA-256 of the index) of a packed folder.

    Raises InputError if it is not one, or if a file is not the one that was packed.
    """
    file = folder / INDEX
    if not file.is_file():
        raise InputError(f"{folder} holds no packed data ({INDEX} is missing); make it with: rtseg data pack")
    try:
        index = json.loads(file.read_text())
        plan, entries = _plan(index["plan"]), index["cases"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is not whole ({error!r}); pack the data again") from error
    return plan, [_read(folder, entry) for entry in entries], _sha256(file)


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


def _read(folder: Path, entry: Mapping[str, str]) -> PackedCase:
    file = folder / f"{entry['name']}.npz"
    if not file.is_file() or _sha256(file) != entry["sha256"]:
        raise InputError(f"{file} is missing or not the file that was packed; pack the data again")
    with np.load(file, allow_pickle=False) as arrays:
        return PackedCase(entry["name"], entry["split"], arrays["ct"], arrays["organs"], arrays["contoured"], arrays["known"])


def _plan(stored: dict[str, Any]) -> PackPlan:
    how = stored["preparation"]
    preparation = Preparation(tuple(how["spacing_mm"]), tuple(how["window_hu"]), how["margin_mm"])
    return PackPlan(tuple(stored["organs"]), tuple(stored["open_ended"]), preparation)


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
