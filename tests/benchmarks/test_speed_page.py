"""docs/speed.md: a benchmark writes its own section and leaves the others."""

from __future__ import annotations

from pathlib import Path

from speed_page import PAGE, put


def test_a_section_takes_the_place_of_its_own_alone(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    put("One", "| a |\n|---|\n| 1 |", page)
    put("Two", "second", page)
    put("One", "| a |\n|---|\n| 2 |", page)
    assert page.read_text() == "# Speed and memory\n\n## One\n\n| a |\n|---|\n| 2 |\n\n## Two\n\nsecond\n"


def test_the_page_that_is_there_keeps_its_form(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    put("Another", "words", page)
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8") + "\n## Another\n\nwords\n"
