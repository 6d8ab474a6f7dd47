"""A man in a scan: volumes as drawn, organs apart and on their sides, fat around them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from rtseg.core import Geometry, InputError
from rtseg.simulate import anatomy as module
from rtseg.simulate.anatomy import anatomy
from rtseg.simulate.man import Lying, lie
from rtseg.simulate.population import Population, draw
from rtseg.simulate.scanners import ct, mr
from rtseg.systems.population import read_population

GRID = Geometry.regular((80, 168, 168), (3.0, 3.0, 3.0), (-250.5, -250.5, -110.0))
WISHES = {
    "bladder_ml": 250.0,
    "prostate_ml": 50.0,
    "rectum_ml": 90.0,
    "vesicles_ml": 12.0,
    "lateral_mm": 400.0,
    "rectal_gas": 0.5,
    "beam_hardening_hu": 5.0,
}
APART = (
    "Bladder",
    "Prostate",
    "SeminalVes",
    "Rectum",
    "PenileBulb",
    "Femur_L",
    "Femur_R",
    "Bone_Pelvic",
    "Sacrum",
    "Bowel_Large",
)


@pytest.fixture(scope="module")
def men() -> Population:
    return read_population("male_pelvis")


@pytest.fixture(scope="module")
def patient(men: Population) -> Lying:
    return lie(draw(men, "one", 5, WISHES), anatomy(), GRID, tuple(men.tissues))


def middle(patient: Lying, organ: str) -> np.ndarray:
    """Centre of gravity, x, y, z."""
    return patient.geometry.points(np.argwhere(patient.structures.mask(organ).array)).mean(axis=0)


def test_organs_have_the_volumes_that_were_drawn(patient):
    for organ, number in (
        ("Bladder", "bladder_ml"),
        ("Prostate", "prostate_ml"),
        ("Rectum", "rectum_ml"),
        ("SeminalVes", "vesicles_ml"),
    ):
        assert patient.structures.volume_ml(organ) == pytest.approx(patient.man.numbers[number], rel=0.12), organ


def test_organs_are_apart_and_in_the_body(patient):
    masks = {name: patient.structures.mask(name).array for name in APART}
    for one, two in combinations(APART, 2):
        assert not (masks[one] & masks[two]).any(), (one, two)
    body = patient.structures.mask("External").array
    for name, mask in masks.items():
        assert (mask & ~body).sum() <= 0.001 * mask.sum(), name


def test_left_is_the_patients_left_and_the_bladder_lies_before_the_rectum(patient):
    left, right = middle(patient, "Femur_Head_L"), middle(patient, "Femur_Head_R")
    assert left[0] - right[0] == pytest.approx(patient.man.numbers["heads_apart_mm"], abs=4)
    assert middle(patient, "Bladder")[1] < middle(patient, "Rectum")[1] - 20
    assert middle(patient, "Bladder")[2] > middle(patient, "Prostate")[2] + 10
    assert middle(patient, "PenileBulb")[2] < middle(patient, "Prostate")[2]
    assert middle(patient, "Prostate")[1] < middle(patient, "Sacrum")[1]


def test_the_body_is_as_wide_as_drawn(patient):
    slice_of_heads = round((middle(patient, "Femur_Head_L")[2] - GRID.origin[2]) / 3)
    body = patient.structures.mask("External").array[slice_of_heads]
    assert np.ptp(np.flatnonzero(body.any(axis=0))) * 3 == pytest.approx(400, abs=20)


def test_ct_numbers_are_those_of_the_tissues(patient, men):
    image = ct(patient, men.tissues).array
    for tissue, tolerance in (("fat", 6), ("muscle", 8), ("urine", 8)):
        inside = patient.tissues == patient.names.index(tissue)
        core = inside & np.roll(inside, 1, 1) & np.roll(inside, -1, 1) & np.roll(inside, 1, 2) & np.roll(inside, -1, 2)
        assert np.median(image[core]) == pytest.approx(patient.man.hu[tissue], abs=tolerance), tissue
    assert image.dtype == np.int16
    assert np.median(image[:, :20, :]) == -1000
    gas = image[patient.structures.mask("Rectum").array] < -700
    assert 0.15 < gas.mean() < 0.6


def test_the_couch_is_under_the_man(patient, men):
    image = ct(patient, men.tissues).array
    row = round((patient.couch_mm - GRID.origin[1]) / 3)
    assert -800 < image[40, row - 2 : row + 3, 20].max() < -250
    assert not patient.structures.mask("External").array[:, row + 1 :].any()


def test_in_the_mr_urine_is_brighter_than_muscle_and_the_peripheral_zone_than_the_transition_zone(patient, men):
    image = mr(patient, men.tissues).array
    level = {
        name: np.median(image[patient.tissues == patient.names.index(name)])
        for name in ("urine", "muscle", "cortex", "peripheral_zone", "transition_zone")
    }
    assert level["cortex"] < level["muscle"] < level["transition_zone"] < level["peripheral_zone"] < level["urine"]


def test_the_same_man_twice_is_the_same_to_the_bit(patient, men):
    again = lie(draw(men, "one", 5, WISHES), anatomy(), GRID, tuple(men.tissues))
    np.testing.assert_array_equal(again.tissues, patient.tissues)
    np.testing.assert_array_equal(ct(again, men.tissues).array, ct(patient, men.tissues).array)
    np.testing.assert_array_equal(mr(again, men.tissues).array, mr(patient, men.tissues).array)


def test_another_anatomy_than_the_one_that_ships_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "anatomy.npz"
    other.write_bytes(module.ANATOMY.read_bytes() + b"0")
    monkeypatch.setattr(module, "ANATOMY", other)
    anatomy.cache_clear()
    with pytest.raises(InputError, match=r"anatomy\.npz has SHA-256 .*, expected .*: install rtseg again"):
        anatomy()
    anatomy.cache_clear()
