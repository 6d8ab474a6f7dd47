"""What `rtseg verify` does: hold a structure set against its CT, and ask dciodvfy too where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtseg.core import Finding
from rtseg.dicom.series import read_ct_grid
from rtseg.dicom.verify import verify

TOOL = "dciodvfy"
PATIENCE_S = 120.0
"""dciodvfy takes a second for most structure sets; one that takes longer is left."""


@dataclass(frozen=True)
class VerifyResult:
    """What was found. foreign: what dciodvfy was asked and said, in a word or two."""

    name: str
    defects: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    foreign: str

    @property
    def is_good(self) -> bool:
        return not self.defects

    def as_dict(self) -> dict[str, Any]:
        """For JSON: plain dicts, lists, numbers and texts."""
        return {**asdict(self), "is_good": self.is_good}


def verify_structure_set(structure_set: Path, ct: Path, series: str | None = None) -> VerifyResult:
    """Verify a structure set against the CT below a folder, of which headers alone are read.

    Raises InputError or GeometryError if either cannot be read.
    """
    found = verify(structure_set, read_ct_grid(ct, series))
    said, errors = _dciodvfy(structure_set)
    return VerifyResult(structure_set.name, (*found.defects, *errors), found.warnings, said)


def _dciodvfy(file: Path) -> tuple[str, tuple[Finding, ...]]:
    """What dciodvfy calls errors, each once, with how often it said so."""
    tool = shutil.which(TOOL) or shutil.which(TOOL, path=str(Path(sys.executable).parent))
    if tool is None:
        return f"{TOOL} is not installed: not asked", ()
    try:
        done = subprocess.run(
            [tool, "-new", str(file)], capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{TOOL} gave no answer ({type(error).__name__})", ()
    lines = [
        line.removeprefix("Error - ").strip() for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")
    ]
    counts = {line: lines.count(line) for line in dict.fromkeys(lines)}
    findings = tuple(
        Finding("verify_dciodvfy", f"{TOOL}: {line}" + (f" ({count} times)" if count > 1 else ""))
        for line, count in counts.items()
    )
    return f"{TOOL}: {len(lines)} errors", findings
