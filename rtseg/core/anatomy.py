"""Organs by their TG-263 names: colour, code, side, and the labels under which clinics and data sets keep them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from rtseg.core.organ_table import ORGAN_ROWS

Side = Literal["left", "right"]

SIDE_WORDS: dict[str, tuple[str, ...]] = {
    "left": ("l", "lt", "lft", "left", "li", "lks", "links", "linke", "linker", "linkes", "sin", "sinister", "sinistra"),
    "right": (
        "r",
        "rt",
        "rgt",
        "right",
        "re",
        "rts",
        "rechts",
        "rechte",
        "rechter",
        "rechtes",
        "dex",
        "dext",
        "dexter",
        "dextra",
    ),
    "gauche": ("g", "gauche"),
    "droite": ("d", "droit", "droite"),
}
"""How a side is written: English, German, Dutch, Latin; French apart, since G and D alone mean a side in French only."""

FRENCH: dict[Side, str] = {"left": "gauche", "right": "droite"}

IGNORED = re.compile(r"[\s_\-.,()]+")
"""What does not tell labels apart. Plus, tilde, slash and the like do: ``Cord+5`` and ``~Parotid_L`` are not the organ."""

WORDS = re.compile(r"[\s_\-.,()]+|(?<=[^\W\d_])(?=\d)|(?<=[a-zà-ÿ])(?=[A-Z])")
"""Where one word of a label ends: at what is ignored, before a digit, and before a capital inside a word."""

TWO_LETTERS = {ord(letter): pair for letter, pair in {"ä": "ae", "ö": "oe", "ü": "ue", "œ": "oe", "æ": "ae"}.items()}
"""Letters that are also typed as two; other accents are dropped."""


@dataclass(frozen=True)
class Code:
    """A coded concept, as DICOM writes it: value, coding scheme, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Organ:
    """What is known of an organ without looking at a patient.

    name              TG-263 primary name
    interpreted_type  DICOM RT ROI Interpreted Type: ORGAN, EXTERNAL or SUPPORT
    colour            red, green, blue, 0-255; fixed per name, no two alike
    code              SNOMED CT concept without side, None if pydicom's dictionary has none
    laterality        side of the patient, None for an organ that is not one of a pair
    synonyms          labels under which it is met, in any spelling that ``canonical`` ignores
    """

    name: str
    interpreted_type: str
    colour: tuple[int, int, int]
    code: Code | None
    laterality: Side | None
    synonyms: tuple[str, ...]


def organ(name: str) -> Organ | None:
    """The organ of this exact TG-263 name, None if it is not in the table."""
    return _BY_NAME.get(name)


def organ_names() -> list[str]:
    """TG-263 names of all organs in the table."""
    return list(_BY_NAME)


def canonical(label: str) -> str | None:
    """TG-263 name of a label met in the wild, None if it is unknown or could mean another thing.

    Case, accents, blanks, underscores, hyphens, dots, commas and brackets are ignored; a side may stand anywhere
    (``Lt Parotid``, ``PAROTID_LT``, ``Parotis li``, ``LeftParotid``, ``fem head l``), as may an ``OAR`` in front.
    Both sides together, margins and targets (``Parotids``, ``PRV cord``, ``CTV larynx``) are never an organ.
    """
    index = _index()
    found = {index[reading] for reading in _readings(label) if reading in index}
    return found.pop() if len(found) == 1 else None


def mirrored(name: str) -> str:
    """The other side's name of one of a pair; any other name as it is."""
    return _OTHER_SIDE.get(name, name)


def normalised(label: str) -> str:
    """The label in lower case without accents, blanks, underscores, hyphens, dots, commas and brackets.

    German umlauts become two letters (``ö`` -> ``oe``), so that both ways to type them meet.
    """
    text = unicodedata.normalize("NFC", label).casefold()
    text = text.translate(TWO_LETTERS)
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return IGNORED.sub("", plain)


def _readings(label: str) -> Iterator[str]:
    """Normalised ways to read a label: as it is, and with its side put last in one spelling."""
    words = [w for w in (normalised(part) for part in WORDS.split(label.strip())) if w]
    if len(words) > 1 and words[0] == "oar":
        words = words[1:]
    whole = "".join(words)
    yield whole
    for side, spellings in SIDE_WORDS.items():
        for spelling in spellings:
            yield from ("".join(words[:i] + words[i + 1 :]) + side for i, word in enumerate(words) if word == spelling)
            if whole.startswith(spelling):
                yield whole.removeprefix(spelling) + side
            if whole.endswith(spelling):
                yield whole.removesuffix(spelling) + side


@cache
def _index() -> dict[str, str]:
    """Normalised name or synonym -> TG-263 name."""
    return {normalised(label): known.name for known in ORGANS for label in (known.name, *known.synonyms)}


def _organs() -> Iterator[Organ]:
    """The table's rows as organs, one for each side of a pair."""
    for name, kind, colours, code, labels in ORGAN_ROWS:
        stems = labels.split("; ")
        value, _, meaning = code.partition(" ")
        concept = Code(value, "SCT", meaning) if code else None
        if "{}" not in name:
            yield Organ(name, kind, _rgb(colours), concept, None, tuple(stems))
            continue
        for side, letter, colour in zip(_SIDES, "LR", colours.split(), strict=True):
            synonyms = (word for stem in stems for word in _sided(stem, side))
            yield Organ(name.format(letter), kind, _rgb(colour), concept, side, tuple(synonyms))


def _sided(stem: str, side: Side) -> Iterator[str]:
    french = stem.startswith("fr:")
    stem = stem.removeprefix("fr:")
    yield f"{stem} {side}"
    if french:
        yield f"{stem} {FRENCH[side]}"


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


_SIDES: tuple[Side, Side] = ("left", "right")

ORGANS: tuple[Organ, ...] = tuple(_organs())
"""Every organ of the table: head and neck, male pelvis, what lies between, the outline of the body and the couch."""

_BY_NAME = {known.name: known for known in ORGANS}
_PAIRS = [(row[0].format("L"), row[0].format("R")) for row in ORGAN_ROWS if "{}" in row[0]]
_OTHER_SIDE = dict(_PAIRS) | {right: left for left, right in _PAIRS}
