"""Real structure sets of another maker against each other and against masks, where the truth is known from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from evaluations import evaluated

from rtseg.core import InputError
from rtseg.data.organ_names import OrganNames

GTV = OrganNames({"GTV_Mass_CT": "GTV", "GTV_Mass_MR_T1": "GTV"})


@pytest.fixture
def sarcomas(test_data: Callable[[str], Path]) -> Path:
    return test_data("sts_ct_mr")


def test_contours_drawn_on_ct_and_mr_of_an_aligned_patient_are_the_same(sarcomas, tmp_path):
    folder = sarcomas / "dicom" / "STS_042"
    result = evaluated(folder / "RS_MR_T1.dcm", folder / "RS_CT.dcm", tmp_path / "out", ct=folder / "CT", names=GTV)
    (score,) = result.scores["auto"]
    assert score.figures["dsc"] > 0.999


def test_contours_of_a_patient_who_moved_differ_as_the_data_sets_makers_say(sarcomas, tmp_path):
    """STS_019: Dice 0.65 and 6.6 mm along the patient's axis, says the README of the data."""
    folder = sarcomas / "dicom" / "STS_019"
    result = evaluated(folder / "RS_MR_T1.dcm", folder / "RS_CT.dcm", tmp_path / "out", ct=folder / "CT", names=GTV)
    (score,) = result.scores["auto"]
    assert score.figures["dsc"] == pytest.approx(0.65, abs=0.02)
    assert abs(score.figures["centroid_superior_mm"]) == pytest.approx(6.6, abs=0.5)


def test_masks_on_a_coarser_grid_that_covers_less_are_refused_then_resampled(sarcomas, tmp_path):
    folder, masks = sarcomas / "dicom" / "STS_042", tmp_path / "masks"
    masks.mkdir()
    shutil.copy(sarcomas / "cases" / "STS_042" / "mask.nii.gz", masks / "GTV.nii.gz")
    with pytest.raises(InputError, match=r"49 x 162 x 134 voxels .*48 x 57 x 35 voxels"):
        evaluated(folder / "RS_CT.dcm", masks, tmp_path / "out", ct=folder / "CT", names=GTV)
    result = evaluated(folder / "RS_CT.dcm", masks, tmp_path / "out", ct=folder / "CT", names=GTV, resample=True)
    (score,) = result.scores["auto"]
    assert score.figures["dsc"] > 0.97
    assert score.figures["volume_ratio"] == pytest.approx(1.0, abs=0.03)
