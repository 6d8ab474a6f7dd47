"""What a wrong YAML file is told: the file, the key, what is allowed, what was probably meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from rtseg.core import ConfigError
from rtseg.systems.words import nearest, read_yaml, validated


@dataclass(frozen=True)
class Couch:
    height_mm: float
    material: str = "carbon"


class Room(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    couch: Couch


def room(**content: object) -> Room:
    return validated(Room, {"name": "vault", "couch": {"height_mm": 800}, **content}, "room.yaml")


def test_a_whole_file_is_read() -> None:
    assert room().couch == Couch(800.0)


def test_an_unknown_key_is_told_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match=r"^room\.yaml: unknown key nane; did you mean name\?$"):
        room(nane="x")


def test_an_unknown_key_inside_a_part_is_told_the_parts_names() -> None:
    with pytest.raises(ConfigError, match=r"^room\.yaml: unknown key couch\.hight_mm; did you mean height_mm\?$"):
        room(couch={"height_mm": 800, "hight_mm": 1})
    with pytest.raises(ConfigError, match=r"unknown key couch\.zzz; there is height_mm, material$"):
        room(couch={"height_mm": 800, "zzz": 1})


def test_a_wrong_type_is_named_with_its_file() -> None:
    with pytest.raises(ConfigError, match=r"^room\.yaml: couch\.height_mm: .*valid number"):
        room(couch={"height_mm": "high"})


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^room\.yaml: couch\.height_mm: Field required$"):
        room(couch={})


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"couch\.height_mm: .*; unknown key nane"):
        room(nane="x", couch={"height_mm": "high"})


def test_a_file_that_is_not_there_or_holds_something_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read: No such file"):
        read_yaml(tmp_path / "none.yaml")
    for content, words in (("- a\n- b\n", "found list"), ("", "found NoneType"), ("a: [1\n", "is not YAML")):
        (tmp_path / "odd.yaml").write_text(content)
        with pytest.raises(ConfigError, match=rf"odd\.yaml.*{words}"):
            read_yaml(tmp_path / "odd.yaml")


def test_a_yaml_file_makes_no_objects(tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match=r"evil\.yaml is not YAML"):
        read_yaml(tmp_path / "evil.yaml")


def test_a_name_far_from_all_is_told_all() -> None:
    assert nearest("xyz", ["prostate", "head_neck"]) == "there is head_neck, prostate"
    assert nearest("head_nek", ["prostate", "head_neck"]) == "did you mean head_neck?"
    assert nearest("head_neck", []) == "there is none"
