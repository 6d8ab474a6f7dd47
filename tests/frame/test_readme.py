"""What the documents show exists: commands with their options, and whatever they point to in the checkout."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "data" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def command_lines(program: str) -> list[list[str]]:
    """The words after ``program`` of each of its command lines in the documents' code blocks, up to a pipe or redirection."""
    text = "\n".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        match = re.match(rf"(?:\$ )?(?:\.venv/bin/)?{program}\s+(.*)", line.strip())
        if match:
            words = shlex.split(match[1], comments=True)
            end = next((i for i, word in enumerate(words) if word in {"|", ">", ">>", "&&", "||", ";", "&"}), len(words))
            found.append(words[:end])
    return found


@cache
def help_of(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """What ``rtseg COMMAND --help`` answers, wide enough that no option is cut."""
    return subprocess.run(
        [sys.executable, "-c", "from rtseg.cli import main; main()", *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"},
    )


def test_commands_exist_with_their_options() -> None:
    lines = command_lines("rtseg")
    wrong = []
    for words in lines:
        first_option = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
        answer = help_of(tuple(words[:first_option]))
        options = [word.split("=")[0] for word in words[first_option:] if re.match(r"--?[a-z]", word)]
        unknown = [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", answer.stdout)]
        if answer.returncode != 0 or unknown:
            wrong.append((" ".join(words), unknown, answer.stderr[-500:]))

    assert lines, "no document shows an rtseg command"
    assert wrong == []


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert [words for words in command_lines("make") if words[0] not in targets] == []


def relative_targets(document: Path) -> list[str]:
    """Where a document's links and pictures point within the checkout, without anchors; code blocks aside."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    found = [
        *re.findall(r"\]\(<?([^)\s>]+)", text),
        *re.findall(r"^\[[^\]]+\]:\s+(\S+)", text, flags=re.MULTILINE),
        *re.findall(r"<(?:img|a)\b[^>]*?(?:src|href)=[\"']([^\"']+)", text),
    ]
    return [target.partition("#")[0] for target in found if not re.match(r"[a-z]+:|//|#", target)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_and_pictures_are_there(document: Path) -> None:
    missing = [target for target in relative_targets(document) if not (document.parent / target).exists()]

    assert missing == []


def test_links_are_found_in_every_way_to_write_them(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(
        "[a](one.md#part) ![b](two.png \"title\") <img width=3 src='three.png'>\n[c]: four.md\n"
        "[d](https://example.org/x) [e](#here) [f](mailto:x@example.org) `[g](code.md)`\n```\n[h](code.md)\n```\n"
    )
    assert relative_targets(tmp_path / "page.md") == ["one.md", "two.png", "four.md", "three.png"]
