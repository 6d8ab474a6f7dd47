"""What every import shares: who is who and in which split, what is there already, case by case into place, and the table.

Case folders name nobody: persons are numbered (p0001). Who they are is written nowhere but in a key file, if one is asked for.
"""

from __future__ import annotations

import csv
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rtseg.core import InputError, OutputError, RtsegError
from rtseg.data import Case, write_case
from rtseg.data.case_index import Entry, read_index, write_index
from rtseg.data.splits import TEST, Splits, drawn, split_persons
from rtseg.dicom.atomic import whole_file

MADE, THERE, PLANNED, LEFT_OUT, FAILED = "made", "there already", "would be made", "left out", "failed"
"""How an import ends for one case."""

KEY_COLUMNS = ("patient", "person", "person_in_source", "found_in")


@dataclass(frozen=True)
class Row:
    """One scan of the source, as the table tells it.

    patient  the case's name, empty if it gets none; found: where it lies, safe for logs; labels: organ -> what it is called
    there; problem: why it failed or was left out, None if neither.
    """

    patient: str
    split: str
    found: str
    slices: int
    structures: str
    mr: str
    organs: tuple[str, ...]
    labels: Mapping[str, str]
    unmatched: tuple[str, ...]
    notes: tuple[str, ...]
    state: str
    problem: str | None = None

    @property
    def is_left_out(self) -> bool:
        return self.state == LEFT_OUT


@dataclass(frozen=True, eq=False)
class Candidate:
    """A scan that may become a case.

    person  whose it is, in the source's own words: never printed, never written but into the key file
    source  fingerprint of the scan; made: fingerprint of all that decides how the case will be
    read    makes the case of a given name, with notes; None if it is left out or failed, as ``row`` tells
    key     where it was found, in full: for the key file alone
    """

    person: str
    source: str
    made: str
    row: Row
    read: Callable[[str], tuple[Case, tuple[str, ...]]] | None
    key: str


@dataclass(frozen=True)
class Target:
    """Where an import goes to: the folder of cases, the splits, and the key file, None for none.

    Raises OutputError for a key file inside the folder of cases: they are given away, it is not.
    """

    output: Path
    splits: Splits
    key: Path | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.key is not None and self.key.resolve().is_relative_to(self.output.resolve()):
            raise OutputError(f"{self.key} tells who the patients are: keep it apart from the cases, outside {self.output}")


@dataclass(frozen=True)
class Imported:
    """The rows, and in words what was left out or broken beside them. ``hints``: what the user may want to mend."""

    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        return sum(row.state == FAILED for row in self.rows) + len(self.broken)

    @property
    def counts(self) -> dict[str, int]:
        """How an import ended -> for how many scans."""
        counts = Counter(row.state for row in self.rows)
        return {state: counts[state] for state in (MADE, THERE, PLANNED, LEFT_OUT, FAILED) if counts[state]}

    @property
    def labels(self) -> dict[str, dict[str, int]]:
        """Organ -> what it is called -> in how many scans: to be read before anything is learnt from it."""
        found: dict[str, Counter[str]] = {}
        for row in self.rows:
            for organ in row.organs:
                found.setdefault(organ, Counter())[row.labels.get(organ, organ)] += 1
        return {organ: dict(found[organ].most_common()) for organ in sorted(found)}

    @property
    def unmatched(self) -> dict[str, int]:
        """Label that means no organ known -> in how many scans, the commonest first."""
        return dict(Counter(label for row in self.rows for label in row.unmatched).most_common())

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"labels": self.labels, "unmatched": self.unmatched, "failed": self.failed}


def import_cases(
    candidates: Sequence[Candidate], target: Target, started: Callable[[int], None], progress: Callable[[str], None]
) -> list[Row]:
    """Make every candidate a case folder ``output/SPLIT/pNNNN`` and enter it into index.csv; the rows in the candidates' order.

    What is there already, made in the same way, is passed over. A case that fails stops no other. ``started`` hears how many
    there are, ``progress`` each case when it is done. Raises InputError if it cannot be told who the persons already there are.
    """
    entries = {entry.source: entry for entry in read_index(target.output)}
    persons = _known_persons(entries, candidates, target.key)
    splits = split_persons(
        {one.person for one in candidates if one.read is not None},
        {person: entry.split for person, entry in _one_each(persons, entries).items()},
        target.splits,
    )
    names = _names(candidates, entries, persons, target.splits.seed)
    started(sum(one.read is not None for one in candidates))
    rows = []
    for one in candidates:
        if one.read is None:
            rows.append(one.row)
            continue
        row = _placed(one, names[one.source], splits.get(one.person))
        if row.state == PLANNED and not target.dry_run:
            row = _made(one, row, entries, persons[one.person], target)
        elif row.state == PLANNED and _is_there(one, entries):
            row = replace(row, state=THERE)
        progress(row.patient or row.found)
        rows.append(row)
    if target.key is not None and not target.dry_run:
        _write_key(target.key, candidates, rows, persons)
    return rows


def _placed(one: Candidate, name: str, split: str | None) -> Row:
    """The row with name and split; left out if the person is kept for a test, failed if the table of splits lacks the person."""
    if split is None:
        return replace(one.row, state=FAILED, problem="the table of splits does not name this person; add a line for it")
    if split == TEST:
        return replace(one.row, state=LEFT_OUT, problem="kept for a later test, as the table of splits says")
    return replace(one.row, patient=name, split=split, state=PLANNED)


def _made(one: Candidate, row: Row, entries: dict[str, Entry], person: str, target: Target) -> Row:
    """The row after the case came into place, or after it failed."""
    assert one.read is not None
    if _is_there(one, entries):
        return replace(row, state=THERE)
    entry = Entry(row.patient, row.split, (), person, one.source, one.made)
    try:
        case, notes = one.read(row.patient)
        _written(case, entry.folder(target.output))
    except OutputError:
        raise
    except RtsegError as error:
        return replace(row, state=FAILED, problem=str(error))
    except Exception as error:  # noqa: BLE001  # one patient's file that nobody foresaw must not end a night's work
        at = traceback.extract_tb(error.__traceback__)[-1]
        words = f"unforeseen {type(error).__name__} in {Path(at.filename).name}, line {at.lineno}: {error}; please report it"
        return replace(row, state=FAILED, problem=words)
    entries[one.source] = replace(entry, organs=case.contoured, pairing=case.pairing)
    write_index(target.output, entries.values())
    return replace(row, organs=case.contoured, notes=(*row.notes, *notes), state=MADE, mr=row.mr if case.mr is not None else "")


def _written(case: Case, folder: Path) -> None:
    """The case in its folder. Raises OutputError if it cannot be written: then no other can either."""
    try:
        write_case(case, folder, overwrite=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error


def _is_there(one: Candidate, entries: Mapping[str, Entry]) -> bool:
    return one.source in entries and entries[one.source].made == one.made


def _known_persons(entries: Mapping[str, Entry], candidates: Sequence[Candidate], key: Path | None) -> dict[str, str]:
    """Person in the source -> pseudonym, of those imported before: from their scans, which are in the source still, or the key.

    Raises InputError if somebody's cannot be told: the same person could come into both splits.
    """
    known = _read_key(key) if key is not None and key.is_file() else {}
    known |= {one.person: entries[one.source].person for one in candidates if one.source in entries}
    unknown = {entry.person for entry in entries.values()} - set(known.values())
    if unknown:
        raise InputError(
            f"the output holds cases of persons ({', '.join(sorted(unknown)[:5])}) whose scans are not in this source: nobody "
            "can tell whether they are in it under another scan. Give the key file of that import (--key), keep all in "
            "one source, or choose another output folder"
        )
    return known


def _one_each(persons: Mapping[str, str], entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Person in the source -> one of their entries."""
    by_pseudonym = {entry.person: entry for entry in entries.values()}
    return {person: by_pseudonym[pseudonym] for person, pseudonym in persons.items() if pseudonym in by_pseudonym}


def _names(candidates: Sequence[Candidate], entries: Mapping[str, Entry], persons: dict[str, str], seed: int) -> dict[str, str]:
    """Source -> the case's name. New persons are numbered on, in an order that tells nothing of them, and enter ``persons``."""
    last = max((int(pseudonym.removeprefix("p")) for pseudonym in persons.values()), default=0)
    new = {one.person for one in candidates if one.read is not None} - set(persons)
    for number, person in enumerate(sorted(new, key=lambda person: drawn(seed + 1, person)), start=last + 1):
        persons[person] = f"p{number:04d}"
    names = {source: entry.patient for source, entry in entries.items()}
    taken = set(names.values())
    for one in candidates:
        if one.read is None or one.source in names:
            continue
        name = persons[one.person]
        number = 1
        while name in taken:
            number += 1
            name = f"{persons[one.person]}_{number}"
        names[one.source] = name
        taken.add(name)
    return names


def _read_key(file: Path) -> dict[str, str]:
    """Person in the source -> pseudonym. Raises InputError if it is no key file."""
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            return {row["person_in_source"]: row["person"] for row in csv.DictReader(lines)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise InputError(f"{file} is not the key file of an import ({error!r}); name another file") from error


def _write_key(file: Path, candidates: Sequence[Candidate], rows: Sequence[Row], persons: Mapping[str, str]) -> None:
    """Add who the cases are, readable by its owner alone; what an earlier import wrote stays."""
    lines: dict[str, dict[str, str]] = {}
    if file.is_file():
        with file.open(newline="", encoding="utf-8") as before:
            lines = {row["patient"]: row for row in csv.DictReader(before)}
    for one, row in zip(candidates, rows, strict=True):
        if row.state in (MADE, THERE):
            cells = (row.patient, persons[one.person], one.person, one.key)
            lines[row.patient] = dict(zip(KEY_COLUMNS, cells, strict=True))
    with whole_file(file, overwrite=True) as unfinished:
        unfinished.chmod(0o600)
        with unfinished.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, KEY_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(line for _, line in sorted(lines.items()))
