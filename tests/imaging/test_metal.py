"""Metal in a scan is told where there is more than fillings have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rtseg.core import Geometry, Volume
from rtseg.data import read_nifti
from rtseg.imaging import Stretch
from rtseg.imaging.metal import metal


def scan(slices: slice) -> Volume:
    """0.8 ml of metal on each of these slices."""
    hu = np.zeros((20, 30, 30), np.int16)
    hu[slices, 10:20, 10:20] = 3071
    return Volume(hu, Geometry.regular((20, 30, 30), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0)))


def test_metal_is_told_with_its_slices_and_volume():
    (finding,) = metal(scan(slice(5, 9)), Stretch(0, 20, 20))
    assert finding.kind == "metal"
    assert finding.value == pytest.approx(3.2)
    assert "slices 6 to 9" in finding.words


def test_a_little_of_it_or_metal_in_other_slices_is_not():
    assert metal(scan(slice(5, 7)), Stretch(0, 20, 20)) == ()
    assert metal(scan(slice(5, 9)), Stretch(10, 20, 10)) == ()


def test_a_real_hip_nail_is_told_and_a_real_pelvis_without_is_not(test_data: Callable[[str], Path]) -> None:
    for name, has_metal in (("m_tsexample_whole", True), ("m_pelvicref002_whole", False)):
        ct = read_nifti(test_data("pelvis_ct") / f"{name}.nii.gz")
        assert bool(metal(ct, Stretch(0, len(ct.array), len(ct.array)))) == has_metal
