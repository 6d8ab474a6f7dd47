"""Who is in which split: by share and seed, by table, and never in two."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtseg.core import ConfigError, InputError
from rtseg.data.splits import Splits, read_splits, split_persons

PERSONS = [f"person {i}" for i in range(20)]

people = st.sets(st.text(min_size=1, max_size=4), max_size=12)


def count(splits: dict[str, str]) -> tuple[int, int]:
    values = list(splits.values())
    return values.count("train"), values.count("validation")


@pytest.mark.parametrize(
    ("n", "share", "expected"), [(20, 0.2, (16, 4)), (2, 0.2, (1, 1)), (3, 0.9, (1, 2)), (1, 0.5, (1, 0)), (5, 0, (5, 0))]
)
def test_the_share_is_kept_to_the_person(n: int, share: float, expected: tuple[int, int]) -> None:
    assert count(split_persons(PERSONS[:n], {}, Splits(share))) == expected


def test_the_seed_decides_and_nothing_else() -> None:
    first = split_persons(PERSONS, {}, Splits(0.3, seed=1))
    assert split_persons(reversed(PERSONS), {}, Splits(0.3, seed=1)) == first
    assert any(split_persons(PERSONS, {}, Splits(0.3, seed=seed)) != first for seed in (2, 3))


@given(known=people, new=people, share=st.floats(0, 0.99))
def test_who_is_known_stays_and_everybody_is_somewhere(known: set[str], new: set[str], share: float) -> None:
    before = split_persons(known, {}, Splits(0.5))
    after = split_persons(new, before, Splits(share))
    assert set(after) == known | new
    assert all(after[person] == split for person, split in before.items())


def test_a_table_decides_and_must_not_contradict_what_is_known() -> None:
    how = Splits(table={"a": "validation", "b": "train", "c": "test"})
    assert split_persons(["a", "b", "c", "d"], {}, how) == {"a": "validation", "b": "train", "c": "test"}
    with pytest.raises(InputError, match="1 persons were imported into another split"):
        split_persons(["a"], {"b": "validation"}, how)


def test_a_table_is_read_from_csv(tmp_path: Path) -> None:
    file = tmp_path / "splits.csv"
    file.write_text("\ufeffperson,split,age\n 17 ,train,60\n18,validation,61\n17,train,62\n", encoding="utf-8")
    assert read_splits(file) == {"17": "train", "18": "validation"}


BAD = {
    "person,split\n1,train\n1,validation\n": "line 3: this person is in train already; one person, one split",
    "person,split\n1,valid\n": "line 2: expected a person and one of train, validation, test",
    "person,split\n,train\n": "line 2: expected a person",
    "patient;split\n1;train\n": "line 2: expected a person",
    "person,split\n": "names nobody",
}


@pytest.mark.parametrize("text", BAD)
def test_a_table_that_cannot_be_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "splits.csv").write_text(text)
    with pytest.raises(InputError, match=BAD[text]):
        read_splits(tmp_path / "splits.csv")


def test_no_table_and_no_share_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as CSV"):
        read_splits(tmp_path / "nowhere.csv")
    with pytest.raises(ConfigError, match="at least 0 and below 1, got 1"):
        Splits(1.0)
