"""What `pip install rtseg` brings: no GPL, LGPL only by name, everything in THIRD_PARTY.md."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

THIRD_PARTY = (Path(__file__).parents[2] / "THIRD_PARTY.md").read_text(encoding="utf-8")


def runtime_distributions() -> dict[str, metadata.Distribution]:
    """Every installed distribution that rtseg needs to run here, directly or through others, by its canonical name."""
    found: dict[str, metadata.Distribution] = {}
    ahead = [("rtseg", frozenset[str]())]
    seen = set(ahead)
    while ahead:
        name, extras = ahead.pop()
        found[name] = metadata.distribution(name)
        for text in found[name].requires or []:
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                step = (canonicalize_name(need.name), frozenset(need.extras))
                if step not in seen:
                    seen.add(step)
                    ahead.append(step)
    return found


def licence(of: metadata.PackageMetadata) -> str:
    """The licence in few words: the metadata's SPDX expression, else the classifiers, else the first line of the text."""
    classifiers = [line for line in of.get_all("Classifier") or [] if line.startswith("License ::")]
    text = next((line.strip() for line in (of.get("License") or "").splitlines() if line.strip()), "")
    return of.get("License-Expression") or "; ".join(classifiers) or text


def is_gpl(words: str) -> bool:
    """Whether some part joined by AND leaves no choice but the GPL or AGPL; with an exception it is not meant."""
    gpl = r"\bA?GPL|(?<!Lesser )General Public License"
    without_exceptions = re.sub(r"\S+ WITH \S+", "", words)
    parts = re.split(r"\s+AND\s+(?![^(]*\))", without_exceptions)
    return any(all(re.search(gpl, way) for way in re.split(r"\s+OR\s+", part)) for part in parts)


def is_lgpl(words: str) -> bool:
    return bool(re.search(r"\bLGPL|Lesser General Public License", words))


def section(heading_start: str) -> str:
    """One section of THIRD_PARTY.md."""
    return next(part for part in THIRD_PARTY.split("\n## ") if part.startswith(heading_start))


def names_in(text: str) -> list[str]:
    """The first column of the tables of a text: canonical names, `*` for any ending."""
    rows = re.findall(r"^\| ([^|]+) \|", text, flags=re.MULTILINE)
    return [canonicalize_name(name.replace("\\", "").strip()) for row in rows for name in row.split(",")]


@pytest.mark.parametrize(
    ("words", "gpl", "lgpl"),
    [
        ("GPL-3.0-or-later", True, False),
        ("AGPL-3.0-only", True, False),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True, False),
        ("GNU Affero General Public License v3", True, False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False, True),
        ("LGPL-2.1-or-later", False, True),
        ("MIT OR GPL-2.0-only", False, False),
        ("MIT AND GPL-2.0-only", True, False),
        ("GPL-2.0-only AND (MIT OR BSD-3-Clause)", True, False),
        ("(MIT OR GPL-2.0-only) AND Apache-2.0 WITH LLVM-exception", False, False),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", False, False),
        ("BSD-3-Clause", False, False),
    ],
)
def test_the_reader_of_licences_itself(words: str, gpl: bool, lgpl: bool) -> None:
    assert (is_gpl(words), is_lgpl(words)) == (gpl, lgpl)


def test_nothing_that_rtseg_needs_is_gpl() -> None:
    licences = {name: licence(found.metadata) for name, found in runtime_distributions().items()}

    assert len(licences) > 40, "the walk over the requirements ended too early"
    assert [name for name, words in licences.items() if not words] == []
    assert {name: words for name, words in licences.items() if is_gpl(words)} == {}


def test_lgpl_is_named_in_its_own_section() -> None:
    lgpl = {name for name, found in runtime_distributions().items() if is_lgpl(licence(found.metadata))}

    assert lgpl <= set(names_in(section("LGPL")))


def test_everything_is_named_in_third_party() -> None:
    named = names_in(THIRD_PARTY)
    unnamed = [name for name in runtime_distributions() if not any(fnmatch(name, pattern) for pattern in named)]

    assert unnamed == ["rtseg"]
