"""Words that any terminal, file and page takes."""

from __future__ import annotations


def printable(text: str) -> str:
    """``text`` with what UTF-8 cannot say as backslash codes: names of files from systems with another encoding."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
