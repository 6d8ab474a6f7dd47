"""With the model that ships, a scan that it should not be trusted on raises more findings than the same patient's clean scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rtseg.core import Finding, Volume
from rtseg.data import axial, find_cases
from rtseg.dicom import PlanningCT
from rtseg.jobs.contour import contour
from rtseg.jobs.nifti_ct import read_nifti_ct
from rtseg.systems import Bundle, bundle_folder, load_bundle, shipped_bundles
from rtseg.training import Compute

pytestmark = pytest.mark.skipif("head_neck" not in shipped_bundles(), reason="the model head_neck is not there")

PATIENT = "pt_232"
"""A validation patient scanned from the skull to the chest, on few voxels."""


@pytest.fixture(scope="module")
def model() -> Bundle:
    return load_bundle(bundle_folder("head_neck"), Compute(torch.device("cpu"), torch.float32))


@pytest.fixture(scope="module")
def clean(test_data: Callable[[str], Path]) -> Volume:
    (found,) = [case for case in find_cases(test_data("openkbp_head_neck")) if case.name == PATIENT]
    return axial(found.read()).ct


@pytest.fixture(scope="module")
def findings_of_clean(clean: Volume, model: Bundle) -> tuple[Finding, ...]:
    return findings(clean, model)


def findings(ct: Volume, model: Bundle) -> tuple[Finding, ...]:
    return tuple(contour(PlanningCT(ct, None, (), "scan"), model).findings)


def noisy(ct: Volume) -> Volume:
    """Noise of 1000 HU, twenty times that of a poor planning CT."""
    noise = np.random.default_rng(0).normal(0, 1000, ct.array.shape)
    return replace(ct, array=(ct.array + noise).astype(np.float32))


def shifted(ct: Volume, hu: int) -> Volume:
    return replace(ct, array=ct.array.astype(np.float32) + hu)


def half(ct: Volume, first: int) -> Volume:
    count = ct.array.shape[0] // 2
    return Volume(ct.array[first : first + count], ct.geometry.crop((first, 0, 0), (count, *ct.array.shape[1:])))


DEGRADED: dict[str, Callable[[Volume], Volume]] = {
    "noise": noisy,
    "lower half of the slices": lambda ct: half(ct, 0),
    "upper half of the slices": lambda ct: half(ct, ct.array.shape[0] // 2),
    "300 HU too many": lambda ct: shifted(ct, 300),
    "300 HU too few": lambda ct: shifted(ct, -300),
}


@pytest.mark.parametrize("name", DEGRADED)
def test_a_degraded_scan_raises_more_findings(
    name: str, clean: Volume, findings_of_clean: tuple[Finding, ...], model: Bundle
) -> None:
    assert len(findings(DEGRADED[name](clean), model)) > len(findings_of_clean)


@pytest.mark.parametrize("site", ["knee_male_sts_051", "shoulder_chestwall_male_sts_037"])
def test_another_site_raises_more_findings(
    site: str, findings_of_clean: tuple[Finding, ...], model: Bundle, test_data: Callable[[str], Path]
) -> None:
    found = contour(read_nifti_ct(test_data(f"ct_other_sites/{site}.nii.gz")), model).findings

    assert len(found) > len(findings_of_clean)
    assert "wrong_region" in {finding.kind for finding in found}


def test_the_clean_scan_is_of_the_right_region(findings_of_clean: tuple[Finding, ...]) -> None:
    assert not {"wrong_region", "sides", "missing"} & {finding.kind for finding in findings_of_clean}
