"""A simulated man as DICOM against our own ten checks and dciodvfy."""

from __future__ import annotations

from pathlib import Path

import pytest
from dciodvfy import errors, wants_dciodvfy

from rtseg.dicom import read_ct_grid, verify
from rtseg.jobs.simulate import SimulateOrder, simulate

pytestmark = pytest.mark.conformance


@wants_dciodvfy
def test_every_kind_of_file_is_lawful_and_the_contours_are_the_masks(tmp_path: Path) -> None:
    (folder,) = simulate(SimulateOrder("male_pelvis", tmp_path, seed=4, format="dicom"), lambda _: None, lambda _: None)
    for file in (next((folder / "CT").iterdir()), next((folder / "MR").iterdir()), folder / "RS.dcm"):
        assert errors(file) == [], file
    found = verify(folder / "RS.dcm", read_ct_grid(folder / "CT"))
    assert found.defects == ()
