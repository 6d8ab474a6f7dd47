"""A tree of DICOM files of many patients: its CT series, each with the structure set that counts and the MR in its place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import MRImageStorage, RTStructureSetStorage

from rtseg.core import InputError
from rtseg.dicom.find_series import SeriesFound, files_below, is_index, may_be_ct, why_left_out
from rtseg.dicom.slice_header import SliceHeader, read_header
from rtseg.dicom.structure_sets import StructureSetFile, read_structure_set_file

OWN = "rtseg"
"""Manufacturer of our own structure sets: unless somebody approved them, they teach nothing but the model's own errors."""

CT, MR, OTHER = "CT", "MR", "other"


@dataclass(frozen=True)
class DicomTree:
    """What was found. ``other``: UIDs of series that are neither; ``broken``: why files that may be a slice of a CT or a
    structure set could not be read.
    """

    ct: tuple[SeriesFound, ...]
    mr: tuple[SeriesFound, ...]
    other: frozenset[str]
    structure_sets: tuple[StructureSetFile, ...]
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Planned:
    """A CT series with the structure set that was drawn on it and the MR in its frame of reference, as far as there are any.

    notes: what was decided between several, and what was left out, in words.
    """

    ct: SeriesFound
    structure_set: StructureSetFile | None
    mr: SeriesFound | None
    notes: tuple[str, ...]

    @property
    def person(self) -> str:
        """Whose it is: the PatientID; without one every study counts as a person of its own."""
        first = self.ct.headers[0]
        return first.text("PatientID") or f"study {first.text('StudyInstanceUID')}"


def scan_tree(root: Path, progress: Callable[[int], None] = lambda _: None) -> DicomTree:
    """Read the headers of all files below ``root``, structure sets whole; ``progress`` hears the number of files read.

    A file that cannot be read stops nothing: it stands in ``broken``. Raises InputError if it is not a folder.
    """
    series: dict[str, dict[str, list[SliceHeader]]] = {CT: defaultdict(list), MR: defaultdict(list), OTHER: defaultdict(list)}
    sets: list[StructureSetFile] = []
    broken: list[str] = []
    for count, path in enumerate(files_below(root), start=1):
        progress(count)
        header = None
        try:
            header = read_header(path)
            if header is None or is_index(header):
                continue
            if _is_structure_set(header):
                sets.append(read_structure_set_file(path))
            else:
                series[_kind(header)][header.text("SeriesInstanceUID")].append(header)
        except InputError as error:
            if header is not None or may_be_ct(path):
                broken.append(str(error))
    found = {kind: _series(series[kind]) for kind in (CT, MR)}
    return DicomTree(found[CT], found[MR], frozenset(series[OTHER]), tuple(sets), tuple(broken))


def plan_cases(tree: DicomTree, mr_words: str = "") -> tuple[list[Planned], list[str]]:
    """Each CT series with its structure set and MR, in the order of the series' UIDs; and why structure sets were left out.

    A structure set belongs to the CT series it names; if it names none of the tree, to the only CT in its frame of reference.
    Of several for one CT the newest approved counts, if none is approved the newest; rejected ones and our own unapproved ones
    never. ``mr_words``: only an MR whose series description holds them, whatever their case.
    """
    owned: dict[str, list[StructureSetFile]] = defaultdict(list)
    left_out = []
    for one in tree.structure_sets:
        ct = ct_of(one, tree)
        if isinstance(ct, str):
            left_out.append(f"structure set {one.path.name} ({one.label or 'no label'}): {ct}")
        else:
            owned[ct.uid].append(one)
    planned = []
    for ct in sorted(tree.ct, key=lambda found: found.uid):
        chosen, about_sets = counting(owned[ct.uid])
        mr, about_mr = _mr_of(ct, tree.mr, mr_words) if chosen is not None else (None, [])
        planned.append(Planned(ct, chosen, mr, (*about_sets, *about_mr)))
    return planned, left_out


def frame_of(series: SeriesFound) -> str:
    """The series' frame of reference; empty if it has none."""
    return series.headers[0].text("FrameOfReferenceUID")


def _is_structure_set(header: SliceHeader) -> bool:
    return header.text("SOPClassUID") == RTStructureSetStorage or header.text("Modality") == "RTSTRUCT"


def _kind(header: SliceHeader) -> str:
    """CT for what may be a slice of a planning CT. Raises InputError if such a slice lacks what it needs."""
    if why_left_out(header) is None:
        return CT
    return MR if header.text("SOPClassUID") == MRImageStorage else OTHER


def _series(groups: dict[str, list[SliceHeader]]) -> tuple[SeriesFound, ...]:
    return tuple(SeriesFound(uid, group[0].text("Modality"), tuple(group), None) for uid, group in groups.items())


def ct_of(one: StructureSetFile, tree: DicomTree) -> SeriesFound | str:
    """The CT series it was drawn on, or why there is none."""
    named = [ct for ct in tree.ct if ct.uid in one.series]
    if len(named) == 1:
        return named[0]
    if named:
        return f"it was drawn on {len(named)} CT series at once; export one structure set for each"
    if any(mr.uid in one.series for mr in tree.mr):
        return "it was drawn on an MR series, not on the CT"
    if one.series & tree.other:
        return "it was drawn on a series that is no CT"
    near = [ct for ct in tree.ct if frame_of(ct) and frame_of(ct) in one.frames]
    if len(near) == 1:
        return near[0]
    if near:
        return (
            f"it names no series of the tree, and {len(near)} CT series lie in its frame of reference; keep the one it belongs to"
        )
    wanted = ", ".join(f"...{uid[-8:]}" for uid in sorted(one.series)) or "which it does not name"
    return f"its CT series ({wanted}) is not in the tree; add it, or remove the structure set"


def counting(sets: Sequence[StructureSetFile]) -> tuple[StructureSetFile | None, list[str]]:
    """Of several structure sets for one CT the one that counts, None if all are left out, and what is to be said of others."""
    never = [one for one in sets if one.approval == "REJECTED" or (one.manufacturer == OWN and not one.is_approved)]
    notes = [
        f"structure set {one.label or one.path.name} left out: "
        + ("it was rejected" if one.approval == "REJECTED" else "rtseg made it and nobody approved it")
        for one in never
    ]
    rest = sorted((one for one in sets if one not in never), key=lambda one: (one.is_approved, one.when, one.sop_instance_uid))
    if not rest:
        return None, notes
    chosen = rest[-1]
    if len(rest) > 1:
        which = "the newest approved" if chosen.is_approved else "the newest, none being approved,"
        others = ", ".join(one.label or one.path.name for one in rest[:-1])
        notes.append(f"{len(rest)} structure sets: {which} was taken ({chosen.label or chosen.path.name}), not {others}")
    return chosen, notes


def _mr_of(ct: SeriesFound, all_mr: Iterable[SeriesFound], words: str) -> tuple[SeriesFound | None, list[str]]:
    """The MR in the CT's frame of reference with most images, of equals the last by number; and what was left out."""
    notes, near = [], []
    for mr in all_mr:
        if words.casefold() not in mr.description.casefold():
            continue
        if frame_of(ct) and frame_of(mr) == frame_of(ct):
            near.append(mr)
        elif mr.headers[0].text("PatientID") == ct.headers[0].text("PatientID") != "":
            notes.append(
                f"MR series ...{mr.tail} left out: it lies in another frame of reference than the CT; register it to the CT in "
                "your planning system and export it in the CT's frame"
            )
    near.sort(key=lambda mr: (len(mr.headers), mr.headers[0].text("SeriesNumber").zfill(12), mr.uid))
    if not near:
        return None, notes
    if len(near) > 1:
        notes.append(
            f"{len(near)} MR series in the CT's frame of reference: the one with most images was taken ({near[-1].description!r})"
        )
    return near[-1], notes
