"""docs/speed.md: one section for each benchmark, none of which touches another's."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
TITLE = "# Speed and memory"


def put(heading: str, text: str, page: Path = PAGE) -> str:
    """Write ``text`` as the section ``heading`` in the place of the one that is there, or as the last; returns the page."""
    old = page.read_text(encoding="utf-8") if page.is_file() else f"{TITLE}\n"
    top, *parts = re.split(r"^## ", old, flags=re.MULTILINE)
    sections = {part.split("\n", 1)[0]: part.split("\n", 1)[1].strip() for part in parts} | {heading: text.strip()}
    new = "\n\n".join([top.strip(), *(f"## {name}\n\n{body}" for name, body in sections.items())]) + "\n"
    page.write_text(new, encoding="utf-8")
    return new


def processor() -> str:
    """The processor's name as Linux tells it, and how many cores there are."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{name}, {os.cpu_count()} cores"
