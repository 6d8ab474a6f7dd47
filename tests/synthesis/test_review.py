"""Where a synthetic MR is a guess: told slice by slice, refused where it is one everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from phantoms import axial_geometry, three_balls

from rtseg.core import InputError
from rtseg.data import read_nifti
from rtseg.imaging import Preparation, Prepared, prepare
from rtseg.synthesis.review import Region, where_trained

HEAD = Region("jaw", -20.0, (0.001, 0.08))
HOW = Preparation((2.5, 4.0, 4.0), (-1000.0, 2000.0), 8.0)


def phantom(air: bool = False) -> Prepared:
    ct = three_balls(axial_geometry()).ct
    if air:
        ct.array[:, 20:32, 20:36] = -1000
    return prepare(ct, HOW)


def test_no_region_no_doubt():
    assert where_trained(phantom(air=True), Region(), force=False) == ()


def test_without_the_landmark_it_is_refused_and_by_force_told():
    with pytest.raises(InputError, match=r"the jaw was not found in this CT\. Nothing of the model's region .* --force"):
        where_trained(phantom(), HEAD, force=False)
    (finding,) = where_trained(phantom(), HEAD, force=True)
    assert (finding.kind, finding.organ) == ("synthetic_mr_guess", None)
    assert "the whole synthetic MR is a guess" in finding.words


def test_a_limb_holds_no_air():
    limb = Region(air=(0.0, 0.01))
    assert where_trained(phantom(), limb, force=False) == ()
    with pytest.raises(
        InputError, match=r"% of the body is air within it, and 0\.0% to 1\.0% is in what the model was trained on"
    ):
        where_trained(phantom(air=True), limb, force=False)


def test_a_real_head_and_neck_is_a_guess_below_c4(test_data: Callable[[str], Path]) -> None:
    """pt_208: 55 slices of 2.5 mm; its jaw stands 50 mm above the lowest one."""
    ct = read_nifti(test_data("openkbp_head_neck") / "validation" / "pt_208" / "ct.nii.gz")
    (finding,) = where_trained(prepare(ct, HOW), HEAD, force=False)
    assert (finding.kind, finding.limit) == ("synthetic_mr_guess", 20.0)
    assert "in the lowest 12 of 55 slices" in finding.words
    assert finding.value == pytest.approx(50.0, abs=5.0)


@pytest.mark.parametrize("name", ["knee_male_sts_051", "hand_female_sts_019", "chest_female_lidc_0314"])
def test_other_sites_are_refused_by_a_head_model(name: str, test_data: Callable[[str], Path]) -> None:
    ct = read_nifti(test_data("ct_other_sites") / f"{name}.nii.gz")
    with pytest.raises(InputError, match="--force"):
        where_trained(prepare(ct, HOW), HEAD, force=False)
