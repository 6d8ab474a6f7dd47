"""What every import shares, with candidates made by hand: a failure nobody foresaw, persons, names."""

from __future__ import annotations

from pathlib import Path

import pytest
from case_folders import ball_case

from rtseg.core import OutputError
from rtseg.data import Case, find_cases
from rtseg.data.case_index import Entry, read_index, write_index
from rtseg.data.splits import Splits
from rtseg.jobs.import_cases import PLANNED, Candidate, Row, Target, import_cases


def silent(_: object) -> None:
    pass


def candidate(number: int, person: str) -> Candidate:
    def read(name: str) -> tuple[Case, tuple[str, ...]]:
        return ball_case(name), ("a note",)

    row = Row("", "", f"scan {number}", 24, "", "", (), {}, (), (), PLANNED)
    return Candidate(person, f"source {number}", "made", row, read, "somewhere")


def unforeseen(name: str) -> tuple[Case, tuple[str, ...]]:
    raise ZeroDivisionError(f"{name} was not foreseen")


def test_a_failure_nobody_foresaw_costs_one_case_and_tells_where(tmp_path: Path) -> None:
    good, bad = candidate(1, "A"), candidate(2, "B")
    bad = Candidate(bad.person, bad.source, bad.made, bad.row, unforeseen, bad.key)
    rows = import_cases([bad, good], Target(tmp_path, Splits()), silent, silent)
    assert [row.state for row in rows] == ["failed", "made"]
    assert str(rows[0].problem).startswith("unforeseen ZeroDivisionError in test_import_cases.py, line ")
    assert rows[1].notes == ("a note",)
    assert [case.name for case in find_cases(tmp_path)] == [rows[1].patient]


def test_a_disk_that_cannot_be_written_ends_it_with_what_is_there_whole(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match=r"train/p000\d cannot be written"):
        import_cases([candidate(1, "A")], Target(tmp_path, Splits()), silent, silent)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_names_go_on_where_they_ended_and_tell_nothing_of_the_order(tmp_path: Path) -> None:
    target = Target(tmp_path, Splits())
    first = import_cases([candidate(1, "A"), candidate(2, "B")], target, silent, silent)
    again = import_cases([candidate(2, "B"), candidate(3, "C"), candidate(1, "A"), candidate(4, "A")], target, silent, silent)
    assert (again[2].patient, again[0].patient) == (first[0].patient, first[1].patient)
    assert again[1].patient == "p0003"
    assert again[3].patient == f"{first[0].patient}_2"
    assert again[3].split == first[0].split


def test_the_index_is_read_as_it_was_written_and_only_what_is_there_counts(tmp_path: Path) -> None:
    entries = [
        Entry("p0002", "train", ("Larynx",), "p0002", "s2", "m2", "weak", {"cut": "Larynx 0.5"}),
        Entry("p0001", "validation", (), "p0001", "s1", "m1"),
        Entry("gone", "train", ()),
    ]
    for entry in entries[:2]:
        entry.folder(tmp_path).mkdir(parents=True)
    write_index(tmp_path, entries)
    read = {entry.patient: entry for entry in read_index(tmp_path)}
    assert read["p0002"] == entries[0]
    assert read["p0001"] == Entry("p0001", "validation", (), "p0001", "s1", "m1", "none", {"cut": ""})
    assert sorted(read) == ["p0001", "p0002"]
