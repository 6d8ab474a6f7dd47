"""Who is learnt from and who chooses the weights: decided by person, never by scan."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rtseg.core import ConfigError, InputError
from rtseg.data.case import SPLITS

TEST = "test"
"""Split of persons kept for a later test: they are not imported."""


@dataclass(frozen=True)
class Splits:
    """How persons are split: by a table (person -> split), or a share of them, drawn with a seed, for validation.

    Raises ConfigError for a share that is none.
    """

    share: float = 0.2
    seed: int = 0
    table: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ConfigError(f"the share for validation is at least 0 and below 1, got {self.share:g}")


def read_splits(file: Path) -> dict[str, str]:
    """Person -> split of a CSV file with the columns person and split (train, validation or test).

    Raises InputError naming the line that is wrong, or that puts somebody into two splits.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read as CSV ({error}); expected the columns person and split") from error
    table: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        person, split = (row.get("person") or "").strip(), (row.get("split") or "").strip()
        if not person or split not in (*SPLITS, TEST):
            raise InputError(f"{file}, line {number}: expected a person and one of {', '.join((*SPLITS, TEST))} in column split")
        if table.setdefault(person, split) != split:
            raise InputError(f"{file}, line {number}: this person is in {table[person]} already; one person, one split")
    if not table:
        raise InputError(f"{file} names nobody; expected the columns person and split")
    return table


def split_persons(persons: Iterable[str], known: Mapping[str, str], how: Splits) -> dict[str, str]:
    """Person -> split of everybody. Who is ``known`` stays where they are.

    By share: the persons' order is drawn from the seed (SHA-256 of seed and person, so that it is the same on every machine and
    a new person moves nobody), and new ones fill validation up to the share of all, at least one if there are two persons.
    By table: a person that it lacks is lacking in the answer too. Raises InputError if the table contradicts what is known.
    """
    everybody = set(persons) | set(known)
    if how.table is not None:
        moved = [person for person, split in known.items() if how.table.get(person, split) != split]
        if moved:
            raise InputError(
                f"{len(moved)} persons were imported into another split than the table now says; the same person in both would "
                "make validation worthless: choose another output folder"
            )
        return {**{person: how.table[person] for person in everybody if person in how.table}, **known}
    wanted = round(how.share * len(everybody))
    if how.share > 0 and len(everybody) > 1:
        wanted = min(max(wanted, 1), len(everybody) - 1)
    missing = max(0, wanted - sum(split == "validation" for split in known.values()))
    new = sorted(everybody - set(known), key=lambda person: drawn(how.seed, person))
    return {**{person: "validation" if i < missing else "train" for i, person in enumerate(new)}, **known}


def drawn(seed: int, person: str) -> str:
    """A place in the order that the seed gives."""
    return hashlib.sha256(f"{seed}/{person}".encode()).hexdigest()
