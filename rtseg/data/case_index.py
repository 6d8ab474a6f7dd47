"""index.csv of a folder of cases: what was imported from where, and into which split. It grows case by case and names nobody."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rtseg.core import InputError
from rtseg.data.case import INDEX
from rtseg.dicom.atomic import whole_file

COLUMNS = ("patient", "split", "organs", "person", "source", "made", "pairing")


@dataclass(frozen=True)
class Entry:
    """One case of the index.

    patient  the case's name, that of its folder below its split
    organs   those contoured
    person   whose case it is, by pseudonym: cases of one person share it, and the split
    source   fingerprint of the scan it was made from
    made     fingerprint of all that decided how: another one, and it is made again
    more     further columns
    """

    patient: str
    split: str
    organs: tuple[str, ...]
    person: str = ""
    source: str = ""
    made: str = ""
    pairing: str = "none"
    more: Mapping[str, str] = field(default_factory=dict)

    def folder(self, root: Path) -> Path:
        return root / self.split / self.patient


def read_index(root: Path) -> list[Entry]:
    """The entries whose folder is there; none if there is no index. Raises InputError if its columns are others."""
    file = root / INDEX
    if not file.is_file():
        return []
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        entries = [_entry(row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is not the index of an import ({error!r}); choose another output folder") from error
    return [entry for entry in entries if entry.folder(root).is_dir()]


def write_index(root: Path, entries: Iterable[Entry]) -> Path:
    """Write the whole index, or leave the one that is there."""
    sorted_entries = sorted(entries, key=lambda entry: (entry.split, entry.patient))
    more = list(dict.fromkeys(column for entry in sorted_entries for column in entry.more))
    with whole_file(root / INDEX, overwrite=True) as file, file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, [*COLUMNS, *more], lineterminator="\n", restval="")
        writer.writeheader()
        for entry in sorted_entries:
            row = {column: getattr(entry, column) for column in COLUMNS}
            writer.writerow(row | {"organs": " ".join(entry.organs)} | dict(entry.more))
    return root / INDEX


def fingerprint(*parts: object) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of what JSON makes of the parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _entry(row: Mapping[str, str]) -> Entry:
    own = {column: row[column] for column in COLUMNS if column != "organs"}
    return Entry(**own, organs=tuple(row["organs"].split()), more={k: v for k, v in row.items() if k not in COLUMNS})
