"""Which patches a step sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from training.packed_phantom import BALLS, ORGANS, packed_case

from rtseg.data.pack import PackedCase
from rtseg.training import Resident, Sampling, draw, resident
from rtseg.training.sampling import MAX_CENTRES

CPU = torch.device("cpu")
CASES = [resident(packed_case((20 + 2 * n, 32, 32)), CPU) for n in range(5)]


def centres(case: Resident, how: Sampling, times: int) -> np.ndarray:
    random = np.random.default_rng(3)
    return np.array([draw([case], how, random)[0].centre for _ in range(times)])


def nearest_organ(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Index of the ball that each place lies in, or nearest to."""
    outside = [np.linalg.norm(places - np.multiply(b.centre, shape), axis=1) - b.radius * min(shape) for b in BALLS.values()]
    return np.argmin(outside, axis=0)


def without(case: PackedCase, organ: int) -> PackedCase:
    organs, contoured = case.organs.copy(), case.contoured.copy()
    organs[organ], contoured[organ] = 0, False
    return replace(case, organs=organs, contoured=contoured)


def test_seed_and_step_alone_decide() -> None:
    how = Sampling((8, 16, 16), batch=2)
    steps = [draw(CASES, how, np.random.default_rng((11, step))) for step in range(6)]

    assert draw(CASES, how, np.random.default_rng((11, 4))) == steps[4]
    assert draw(CASES, how, np.random.default_rng((12, 4))) != steps[4]
    assert len({tuple(draws) for draws in steps}) == 6


def test_a_step_sees_no_patient_twice() -> None:
    for step in range(20):
        draws = draw(CASES, Sampling((8, 16, 16), batch=5), np.random.default_rng(step))
        assert sorted(d.case for d in draws) == [0, 1, 2, 3, 4]


def test_fewer_patients_than_a_step_wants_are_drawn_again() -> None:
    assert [d.case for d in draw(CASES[:1], Sampling((8, 16, 16), batch=3), np.random.default_rng(0))] == [0, 0, 0]


def test_small_organs_are_the_centre_as_often_as_large_ones() -> None:
    case = packed_case((24, 32, 32))
    places = centres(resident(case, CPU), Sampling((2, 2, 2), batch=1, on_organ=1.0), 600)
    shares = np.bincount(nearest_organ(places, case.ct.shape), minlength=3) / 600

    # the volumes are as 3.6 : 1.9 : 1; each organ is drawn in a third of the steps, give or take four standard errors
    assert np.abs(shares - 1 / 3).max() < 4 * np.sqrt(2 / 9 / 600)


def test_an_organ_nobody_contoured_is_never_a_centre() -> None:
    case = without(packed_case((24, 32, 32)), ORGANS.index("Parotid_R"))
    places = centres(resident(case, CPU), Sampling((2, 2, 2), batch=1, on_organ=1.0), 200)

    assert set(nearest_organ(places, case.ct.shape)) == {0, 2}


def test_a_patient_without_contours_is_still_seen() -> None:
    case = packed_case((24, 32, 32))
    for organ in range(3):
        case = without(case, organ)

    assert centres(resident(case, CPU), Sampling((8, 16, 16), batch=1, on_organ=1.0), 5).shape == (5, 3)


def test_patches_stay_inside_the_scan_and_reach_its_ends() -> None:
    places = centres(CASES[0], Sampling((8, 16, 16), batch=1, on_organ=0.0), 300)

    assert (places.min(axis=0) == [4, 8, 8]).all()
    assert (places.max(axis=0) == [16, 24, 24]).all()


def test_a_patch_larger_than_the_scan_holds_it_anywhere() -> None:
    places = centres(CASES[0], Sampling((40, 16, 48), batch=1), 200)

    for axis, (low, high) in {0: (0, 20), 2: (8, 24)}.items():
        # the scan of 20 slices and 32 columns lies within the patch of 40 and 48, nearer to one side or the other
        assert places[:, axis].min() >= low
        assert places[:, axis].max() <= high
        assert places[:, axis].min() < low + 3
        assert places[:, axis].max() > high - 3
    assert places[:, 1].min() >= 8
    assert places[:, 1].max() <= 24


def test_a_large_organ_keeps_few_places_spread_over_all_of_it() -> None:
    case = resident(packed_case((48, 64, 64)), CPU)
    count, places = int((case.organs[0] >= 8).sum()), case.voxels[0]

    assert count > 2 * MAX_CENTRES
    assert MAX_CENTRES <= len(places) < 2 * MAX_CENTRES
    # the ball's diameter: 2 * 0.26 * 48 = 25 voxels
    assert (np.ptp(places, axis=0) >= 22).all()
