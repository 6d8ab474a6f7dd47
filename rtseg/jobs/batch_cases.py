"""Finds what a batch has to contour: every CT series and every NIfTI CT below a folder, and why the rest is none."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtseg.core import InputError
from rtseg.core.anatomy import organ
from rtseg.dicom.find_series import NAMES_SHOWN, UID_TAIL, files_below, is_index, may_be_ct, why_left_out
from rtseg.dicom.slice_header import read_header
from rtseg.jobs.nifti_ct import NIFTI, is_nifti

CASE_CT = "ct.nii.gz"
"""The CT of a case folder: no other NIfTI file beside or below it is one."""

TOLD_EVERY = 1000
"""Files between two words of progress."""


@dataclass(frozen=True)
class BatchCase:
    """One CT to contour.

    place       where its output goes, below the output folder; it mirrors the input and names the patient in tables
    source      the folder that holds all of its files, or the NIfTI file
    files       the CT's own files; files that cannot be read and may be slices of it among them, so that it is refused
    series_uid  empty for a NIfTI file, and where no file could be read
    """

    place: Path
    source: Path
    files: tuple[Path, ...]
    series_uid: str

    @property
    def tail(self) -> str:
        """What tells it from other cases of the same folder, safe for logs."""
        if self.is_nifti:
            return self.source.name
        return self.series_uid[-UID_TAIL:] or "unreadable"

    @property
    def name(self) -> str:
        """In tables: its place, or the folder's name if it is all that the input holds."""
        return str(self.place) if self.place.parts else self.source.name

    @property
    def is_nifti(self) -> bool:
        return self.source.name.endswith(NIFTI) and self.files == (self.source,)

    def fingerprint(self) -> str:
        """Stands for the input: series UID, names and sizes of the files; of a NIfTI file, which has no UID, its date too."""
        there = [(str(path.relative_to(self.source)), *_size_and_date(path)) for path in self.files]
        kept = there if self.is_nifti else [(name, size) for name, size, _ in there]
        return hashlib.sha256(json.dumps([self.series_uid, kept]).encode()).hexdigest()


@dataclass(frozen=True)
class LeftOut:
    """Files of one folder and sort that are no CT to contour, and why."""

    folder: Path
    what: str
    files: int
    reason: str
    examples: str


@dataclass(frozen=True)
class Found:
    """Everything below a folder: what a batch contours, and what it leaves out."""

    cases: tuple[BatchCase, ...]
    left_out: tuple[LeftOut, ...]


def find_cases(source: Path, heard: Callable[[str], None] = lambda _: None) -> Found:
    """Every CT below ``source``, and everything else with the reason why it is none. Hidden files are passed over.

    A series whose files lie in several folders of one sub-folder of ``source`` is one case, unless an image is in two of them:
    then they are copies, a case each. Slices of one series in two sub-folders are two cases. A file that cannot be read and
    may be a CT slice goes with the only CT series of its folder, else it is a case that will be refused, as a folder that may
    not be entered is. Raises InputError if ``source`` is no folder, may not be entered, or holds no file.
    """
    folders: dict[Path, _Folder] = defaultdict(_Folder)

    def unreachable(path: Path, refusal: InputError) -> None:
        if path == source:
            raise refusal
        folders[path if path.is_dir() else path.parent].broken.append(path)

    files = files_below(source, unreachable)
    if not files and not folders:
        raise InputError(f"{source} holds no file: a folder with planning CTs was expected, one sub-folder or series a patient")
    for number, path in enumerate(files):
        if number % TOLD_EVERY == 0:
            heard(f"{number} of {len(files)} files looked at")
        _look_at(path, folders[path.parent])
    cases = [*_series(folders, source), *_unreadable(folders), *_nifti(folders)]
    return Found(_placed(cases, source), tuple(_left_out(folders)))


@dataclass
class _Folder:
    """What lies in one folder: slices by series as (path, SOP instance), what has a reason to be left out, what is broken."""

    slices: dict[str, list[tuple[Path, str]]] = field(default_factory=lambda: defaultdict(list))
    others: dict[tuple[str, str], list[Path]] = field(default_factory=lambda: defaultdict(list))
    broken: list[Path] = field(default_factory=list)
    nifti: list[Path] = field(default_factory=list)


def _size_and_date(path: Path) -> tuple[int, int]:
    """Of a file; of one that is gone since it was found, what no file has."""
    try:
        about = path.stat()
    except OSError:
        return -1, -1
    return about.st_size, about.st_mtime_ns


def _look_at(path: Path, folder: _Folder) -> None:
    if is_nifti(path):
        folder.nifti.append(path)
        return
    try:
        header = read_header(path)
        if header is None:
            folder.others["file", "not DICOM"].append(path)
        elif not is_index(header):
            reason, uid = why_left_out(header), header.text("SeriesInstanceUID")
            if reason is None:
                folder.slices[uid].append((path, header.text("SOPInstanceUID")))
            else:
                folder.others[f"{header.text('Modality') or 'no modality'}, series ...{uid[-UID_TAIL:]}", reason].append(path)
    except InputError:
        if may_be_ct(path):
            folder.broken.append(path)
        else:
            folder.others["broken file", "a DICOM file of another kind than CT that cannot be read"].append(path)


def _series(folders: dict[Path, _Folder], root: Path) -> list[BatchCase]:
    parts: dict[tuple[str, tuple[str, ...]], dict[Path, list[tuple[Path, str]]]] = defaultdict(dict)
    for folder, there in folders.items():
        for uid, slices in there.slices.items():
            parts[uid, folder.relative_to(root).parts[:1]][folder] = slices
    cases = []
    for (uid, _), by_folder in parts.items():
        instances = Counter(instance for slices in by_folder.values() for instance in {instance for _, instance in slices})
        copies = any(count > 1 for count in instances.values())
        for group in [[folder] for folder in by_folder] if copies else [list(by_folder)]:
            paths = [path for folder in group for path, _ in by_folder[folder]]
            paths += [path for folder in group if len(folders[folder].slices) == 1 for path in folders[folder].broken]
            source = Path(os.path.commonpath(group))
            cases.append(BatchCase(source, source, tuple(sorted(paths)), uid))
    return cases


def _unreadable(folders: dict[Path, _Folder]) -> list[BatchCase]:
    """Files that may be slices of a CT, nobody knows of which."""
    alone = [(folder, there) for folder, there in folders.items() if there.broken and len(there.slices) != 1]
    return [BatchCase(folder, folder, tuple(there.broken), "") for folder, there in alone]


def _nifti(folders: dict[Path, _Folder]) -> list[BatchCase]:
    """NIfTI files that are neither organs nor beside or below the CT of a case folder; those are put with the others."""
    with_ct = [folder for folder, there in folders.items() if any(path.name == CASE_CT for path in there.nifti)]
    cases = []
    for folder, there in folders.items():
        for path in there.nifti:
            name = path.name.split(".nii")[0]
            if path.name != CASE_CT and any(folder.is_relative_to(case) for case in with_ct):
                there.others["NIfTI file", f"belongs to the case of {CASE_CT}"].append(path)
            elif organ(name) is not None:
                there.others["NIfTI file", "named like an organ: a mask, not a CT"].append(path)
            else:
                place = folder if path.name == CASE_CT else folder / name
                cases.append(BatchCase(place, path, (path,), ""))
    return cases


def _placed(cases: Iterable[BatchCase], root: Path) -> tuple[BatchCase, ...]:
    """Each case with a place of its own: the folder's, one below it for each case where the folder has several."""
    by_place: dict[Path, list[BatchCase]] = defaultdict(list)
    for case in cases:
        by_place[case.place.relative_to(root)].append(case)
    placed = []
    for place, there in by_place.items():
        tails = Counter(case.tail for case in there)
        for case in there:
            name = case.tail if tails[case.tail] == 1 else case.series_uid
            placed.append(BatchCase(place / name if len(there) > 1 else place, case.source, case.files, case.series_uid))
    return tuple(sorted(placed, key=lambda case: str(case.place)))


def _left_out(folders: dict[Path, _Folder]) -> Iterable[LeftOut]:
    for folder, there in sorted(folders.items()):
        for (what, reason), paths in there.others.items():
            yield LeftOut(folder, what, len(paths), reason, _examples(paths))


def _examples(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - NAMES_SHOWN} more" if len(paths) > NAMES_SHOWN else ""
    return ", ".join(path.name for path in paths[:NAMES_SHOWN]) + more
