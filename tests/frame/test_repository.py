"""What lies in the repository: no large file, nothing of one machine, no promise to do it later, one version everywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import rtseg

ROOT = Path(__file__).parents[2]
LARGEST_MB = 15
"""A clone stays small; a model bundle fits."""


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Every file that git keeps or would keep. Skips where there is no git, or no clone."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, or git is not installed")
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def lines_like(pattern: str, files: list[Path]) -> Iterator[str]:
    """file:line of every line of a text file that holds the pattern."""
    for path in files:
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
            if re.search(pattern, line):
                yield f"{path.relative_to(ROOT)}:{number}"


def test_no_file_is_too_large(files: list[Path]) -> None:
    assert [path for path in files if path.stat().st_size > LARGEST_MB * 1_000_000] == []


def test_no_path_of_one_machine_is_written_down(files: list[Path]) -> None:
    assert list(lines_like(r"(?<![\w.~-])/(?:work|root|Users/\w+|home/\w+|opt/(?:wheels|pypi))/", files)) == []


def test_nothing_is_left_to_do_later(files: list[Path]) -> None:
    assert list(lines_like(r"#\s*(?:TODO|FIXME|XXX)\b", [path for path in files if path.suffix != ".md"])) == []


def test_every_place_names_the_same_version() -> None:
    assert f"\nversion: {rtseg.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{rtseg.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_version_says_whether_contours_can_change() -> None:
    versions = re.split(r"^## \[(?=\d)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]

    assert versions
    assert [text.splitlines()[0] for text in versions if not text.splitlines()[2].startswith("**Contours: ")] == []


def test_the_long_tests_are_marked_so_that_the_fast_ones_stay_fast() -> None:
    long = sorted((ROOT / "tests" / "conformance").glob("test_*.py"))
    assert long
    assert [file.name for file in long if "pytest.mark.conformance" not in file.read_text(encoding="utf-8")] == []
