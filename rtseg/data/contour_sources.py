"""Contours as people keep them, found: structure sets, folders of NIfTI masks, cases, and trees of these."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from rtseg.core import InputError
from rtseg.data.case import CASE, INDEX, CaseFolder, find_cases
from rtseg.data.dicom_tree import DicomTree, counting, ct_of, scan_tree
from rtseg.data.mask_folder import is_mask
from rtseg.dicom.find_series import SeriesFound
from rtseg.dicom.structure_sets import StructureSetFile, read_structure_set_file

INNER = ("masks", "structures")
"""Folders of masks within a patient's folder: the patient is called as the outer one."""

NO_DICOM = DicomTree((), (), frozenset(), (), ())


class Form(StrEnum):
    """How contours are kept."""

    RTSTRUCT = "RTSTRUCT"
    MASKS = "folder of masks"
    CASE = "case"


@dataclass(frozen=True)
class ContourSource:
    """Contours of one patient.

    name  place below the tree it was found in, empty for one that was named itself
    path  of the file or folder; ct: the series an RTSTRUCT was drawn on; case: of Form.CASE
    """

    name: str
    form: Form
    path: Path
    ct: SeriesFound | None = None
    case: CaseFolder | None = None

    @property
    def series_uid(self) -> str | None:
        return None if self.ct is None else self.ct.uid


@dataclass(frozen=True)
class Found:
    """What a user named: sources that need no CT, DICOM that has still to be put onto one; broken: what could not be read."""

    root: Path
    sources: tuple[ContourSource, ...] = ()
    dicom: DicomTree = NO_DICOM
    is_single: bool = False

    @property
    def broken(self) -> tuple[str, ...]:
        return self.dicom.broken


@dataclass(frozen=True)
class Matched:
    """Sources of two sides that belong to one patient, and those that found no partner."""

    pairs: tuple[tuple[ContourSource, ContourSource], ...]
    only_first: tuple[ContourSource, ...]
    only_second: tuple[ContourSource, ...]


def find_contours(root: Path) -> Found:
    """What lies at ``root``: an RTSTRUCT, a folder of masks, a case, or a tree of one of these.

    Raises InputError if it is not there or holds no contours.
    """
    if not root.exists():
        raise InputError(f"{root} does not exist: name an RTSTRUCT, a folder of NIfTI masks, a case folder, or a tree of these")
    if root.is_file():
        return _file(root)
    if (root / CASE).is_file():
        return Found(root, _cases(root), is_single=True)
    if (root / INDEX).is_file() or next(root.rglob(CASE), None) is not None:
        return Found(root, _cases(root))
    if any(is_mask(path) for path in root.iterdir()):
        return Found(root, (ContourSource("", Form.MASKS, root),), is_single=True)
    folders = sorted({path.parent for path in root.rglob("*.nii*") if is_mask(path)})
    if folders:
        return Found(root, tuple(ContourSource(_patient(folder, root), Form.MASKS, folder) for folder in folders))
    tree = scan_tree(root)
    if not tree.structure_sets and not tree.broken:
        raise InputError(f"{root} holds no contours: neither an RTSTRUCT, nor NIfTI masks, nor a case ({CASE} or {INDEX})")
    return Found(root, dicom=tree)


def sources_of(found: Found, ct: Sequence[SeriesFound], *, newest: bool) -> tuple[list[ContourSource], list[str]]:
    """The contours found, each RTSTRUCT with the CT of ``ct`` that it was drawn on; and what was left out, in words.

    newest: of several structure sets for one CT the newest approved counts, as for training; otherwise they contradict each
    other and all are left out.
    """
    if not found.dicom.structure_sets:
        return list(found.sources), list(found.broken)
    chosen, left_out = _one_each(replace(found.dicom, ct=tuple(ct)), newest=newest)
    names = _names([one for one, _ in chosen], found)
    sources = [ContourSource(names[one.path], Form.RTSTRUCT, one.path, series) for one, series in chosen]
    return sorted(sources, key=lambda source: source.name), [*found.broken, *left_out]


def matched(first: Iterable[ContourSource], second: Iterable[ContourSource]) -> Matched:
    """Partners: by the CT series they were drawn on, else by name, by the last part of it, by the first.

    Each way only where it is unique on both sides.
    """
    ways: tuple[Callable[[ContourSource], Hashable], ...] = (
        lambda source: source.series_uid,
        lambda source: source.name,
        lambda source: Path(source.name).name,
        lambda source: Path(source.name).parts[:1],
    )
    left, right = list(first), list(second)
    pairs: list[tuple[ContourSource, ContourSource]] = []
    for key in ways:
        ours, theirs = (_unique(side, key) for side in (left, right))
        new = [(ours[one], theirs[one]) for one in ours if one in theirs]
        pairs += new
        left = [source for source in left if all(source is not pair[0] for pair in new)]
        right = [source for source in right if all(source is not pair[1] for pair in new)]
    return Matched(tuple(sorted(pairs, key=lambda pair: pair[1].name)), tuple(left), tuple(right))


def _file(path: Path) -> Found:
    if path.name.endswith((".nii", ".nii.gz")):
        raise InputError(f"{path} is a single NIfTI file; expected the folder that holds one mask for each organ")
    dicom = replace(NO_DICOM, structure_sets=(read_structure_set_file(path),))
    return Found(path, dicom=dicom, is_single=True)


def _cases(root: Path) -> tuple[ContourSource, ...]:
    return tuple(ContourSource(case.name, Form.CASE, case.folder, case=case) for case in find_cases(root))


def _one_each(tree: DicomTree, *, newest: bool) -> tuple[list[tuple[StructureSetFile, SeriesFound]], list[str]]:
    """Structure sets with their CT, one for each CT, and what was left out."""
    owned: dict[str, list[tuple[StructureSetFile, SeriesFound]]] = defaultdict(list)
    notes = []
    for one in tree.structure_sets:
        ct = ct_of(one, tree)
        if isinstance(ct, str):
            notes.append(f"structure set {one.path.name} ({one.label or 'no label'}): {ct}")
        else:
            owned[ct.uid].append((one, ct))
    chosen = []
    for several in owned.values():
        if len(several) == 1:
            chosen += several
        elif newest:
            taken, said = counting([one for one, _ in several])
            chosen += [pair for pair in several if pair[0] is taken]
            notes += said
        else:
            notes.append(_which(several))
    return chosen, notes


def _which(several: Sequence[tuple[StructureSetFile, SeriesFound]]) -> str:
    files = ", ".join(sorted(str(one.path) for one, _ in several))
    return f"{len(several)} structure sets for one CT ({files}): which is meant? Keep one of them in the tree"


def _names(sets: Sequence[StructureSetFile], found: Found) -> dict[Path, str]:
    """Name of each structure set: its folder below the root, with the file's own where a folder holds several."""
    if found.is_single:
        return {one.path: "" for one in sets}
    folders = Counter(one.path.parent for one in sets)
    names = {}
    for one in sets:
        place = one.path.relative_to(found.root)
        alone = folders[one.path.parent] == 1 and place.parent != Path()
        names[one.path] = str(place.parent if alone else place.with_suffix(""))
    counts = Counter(names.values())
    return {path: name if counts[name] == 1 else str(path.relative_to(found.root)) for path, name in names.items()}


def _patient(folder: Path, root: Path) -> str:
    place = folder.relative_to(root)
    return str(place.parent if place.name.casefold() in INNER and place.parent != Path() else place)


def _unique(side: Sequence[ContourSource], key: Callable[[ContourSource], Hashable]) -> dict[Hashable, ContourSource]:
    """Those that have a key which no other of their side has."""
    counts = Counter(key(source) for source in side)
    return {key(source): source for source in side if key(source) and counts[key(source)] == 1}
