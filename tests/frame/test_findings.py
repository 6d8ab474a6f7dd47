"""docs/findings.md lists every kind of finding that the code can raise, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from rtseg.dicom.ct_findings import KINDS
from rtseg.dicom.rtstruct_reader import COUNTED, MEASURED
from rtseg.dicom.verify import CHECKS

ROOT = Path(__file__).parents[2]


def test_every_kind_of_finding_is_explained() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rtseg").rglob("*.py"))
    raised = (
        set(re.findall(r'Finding\(\s*"([a-z_]+)"', sources)) | KINDS.keys() | COUNTED.keys() | MEASURED.keys() | CHECKS.keys()
    )
    rows = [line for line in (ROOT / "docs" / "findings.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    explained = {kind for row in rows for kind in re.findall(r"`([a-z_]+)`", row.split("|")[1])}

    assert explained == raised
