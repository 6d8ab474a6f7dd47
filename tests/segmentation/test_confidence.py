"""Soft Dice, what it was worth, and what is promised of a new contour."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtseg.core import EMPTY, Confidence, Geometry, Structure, StructureSet
from rtseg.imaging import Probabilities
from rtseg.segmentation.confidence import (
    FEWEST,
    POOLED,
    REDRAW_BELOW,
    Calibration,
    Row,
    calibrated,
    confidence,
    left_out,
    soft_dice,
    sorting_auc,
)

LINE = Calibration((0.8, 0.9), (0.5, 0.9), error=0.05, margin=0.1, limit=0.6, patients=25)


def rows(organ: str, figures: list[tuple[float, float]], first: int = 0) -> list[Row]:
    """One row per patient: p0, p1 ... from soft Dice and DSC."""
    return [Row(f"p{first + number}", organ, soft, dsc) for number, (soft, dsc) in enumerate(figures)]


def rising(count: int) -> list[tuple[float, float]]:
    return [(0.5 + 0.01 * number, 0.4 + 0.01 * number) for number in range(count)]


def test_soft_dice_by_hand() -> None:
    # inside 0.8 and 0.6, outside 0.3 and 0.1: 2 * 1.4 / (1.8 + 2)
    probability = np.array([[[0.8, 0.6, 0.3, 0.1]]], dtype=np.float32)

    assert soft_dice(probability, probability > 0.5) == pytest.approx(2.8 / 3.8)


def test_soft_dice_of_certainty_is_one_and_of_nothing_is_zero() -> None:
    certain = np.array([[[1.0, 1.0, 0.0]]])

    assert soft_dice(certain, certain > 0.5) == 1
    assert soft_dice(np.zeros((1, 1, 3)), np.zeros((1, 1, 3), dtype=bool)) == 0


def test_only_organs_that_were_found_have_a_confidence_and_only_calibrated_ones_a_prediction() -> None:
    grid = Geometry.regular((1, 1, 4), (1.0, 1.0, 1.0))
    array = np.array([[[[0.9, 0.1, 0, 0]]], [[[0.9, 0.1, 0, 0]]], [[[0.4, 0, 0, 0]]]], dtype=np.float32)
    seen = Probabilities(("Larynx", "Brainstem", "Esophagus"), array, grid)
    found = Structure.from_full(array[0] > 0.5)
    organs = StructureSet(grid, {"Larynx": found, "Brainstem": found, "Esophagus": EMPTY})
    sure = confidence(organs, seen, {"Larynx": LINE, "Esophagus": LINE})

    # 2 * 0.9 / (1 + 1) = 0.9, the upper knot
    assert list(sure) == ["Larynx", "Brainstem"]
    assert sure["Larynx"] == Confidence(*(pytest.approx(figure) for figure in (0.9, 0.9, 0.8)))
    assert sure["Brainstem"] == Confidence(pytest.approx(0.9), None, None)


def test_between_knots_the_line_is_straight_above_it_is_level_below_it_goes_to_zero() -> None:
    assert LINE.expected_dsc(0.85) == pytest.approx(0.7)
    assert LINE.expected_dsc(0.99) == 0.9
    assert LINE.expected_dsc(0.4) == pytest.approx(0.25)
    assert LINE.lowest_dsc(0.85) == pytest.approx(0.6)
    assert LINE.lowest_dsc(0.79) == 0


def test_isotonic_fit_by_hand() -> None:
    # 0.3 and 0.2 are out of order: both become their mean; soft Dice 0.7 was met twice, with 0.4 and 0.6
    figures = [(0.5, 0.3), (0.6, 0.2), (0.7, 0.4), (0.7, 0.6), (0.8, 0.9)]
    figures += [(0.8, 0.9)] * FEWEST
    fit = calibrated(rows("Larynx", figures), {})["Larynx"]

    assert fit.soft_dice == (0.5, 0.6, 0.7, 0.8)
    assert fit.dsc == pytest.approx((0.25, 0.25, 0.5, 0.9))
    assert fit.patients == FEWEST + 5


@given(st.lists(st.tuples(st.floats(0.5, 1), st.floats(0, 1)), min_size=FEWEST, max_size=40))
def test_a_surer_model_never_has_a_lower_prediction(figures: list[tuple[float, float]]) -> None:
    fit = calibrated(rows("Larynx", figures), {})["Larynx"]
    places = np.linspace(0, 1, 101)

    for told in (fit.expected_dsc, fit.lowest_dsc):
        dsc = np.array([told(place) for place in places])
        assert (np.diff(dsc) >= -1e-12).all()
        assert ((dsc >= 0) & (dsc <= 1)).all()


def test_error_and_margin_are_those_of_patients_left_out() -> None:
    # a level line: without a patient of 0.8 the others' mean is 0.8 - 0.4 / 19, without the one of 0.4 it is 0.8
    figures = [(0.9, 0.8)] * 19 + [(0.9, 0.4)]
    fit = calibrated(rows("Larynx", figures), {})["Larynx"]
    usual = 0.4 / 19

    assert fit.expected_dsc(0.9) == pytest.approx(0.78)
    assert fit.error == pytest.approx((19 * usual + 0.4) / 20)
    # of 20 the ceil(0.9 * 21) = 19th shortfall: -usual, so that there is no margin; with two of 0.4 it is theirs
    assert fit.margin == 0
    two = calibrated(rows("Larynx", [(0.9, 0.8)] * 18 + [(0.9, 0.4)] * 2), {})["Larynx"]
    assert two.margin == pytest.approx((18 * 0.8 + 0.4) / 19 - 0.4)


def test_a_patient_left_out_is_left_out_with_all_rows() -> None:
    # in each organ one patient alone has a low DSC; the two organs share a fit, and this patient
    alike = [(0.9, 0.8)] * (FEWEST - 1)
    both = [*rows("Larynx", alike), *rows("Esophagus", alike), Row("odd", "Larynx", 0.9, 0.1), Row("odd", "Esophagus", 0.9, 0.1)]

    assert left_out(both)[-2:] == pytest.approx([0.8, 0.8])


def test_nothing_of_a_patient_reaches_its_own_prediction() -> None:
    figures = rising(POOLED)
    before = left_out(rows("Larynx", figures))
    for number in (0, 7, POOLED - 1):
        changed = list(figures)
        changed[number] = (figures[number][0], 0.05)
        assert left_out(rows("Larynx", changed))[number] == before[number]


def test_organs_of_few_patients_share_a_fit_of_their_own_rows() -> None:
    few = [*rows("Larynx", [(0.9, 0.6)] * 8), *rows("Esophagus", [(0.9, 0.4)] * 8, first=4)]
    fits = calibrated([*rows("Brainstem", [(0.9, 0.9)] * POOLED), *few], {"Esophagus": 0.4})

    assert (fits["Brainstem"].pooled, fits["Brainstem"].patients) == (False, POOLED)
    assert (fits["Larynx"].pooled, fits["Larynx"].patients) == (True, 12)
    # 0.5 is the mean of theirs; the brainstem's 0.9 has no part in it
    assert fits["Larynx"].expected_dsc(0.9) == fits["Esophagus"].expected_dsc(0.9) == pytest.approx(0.5)
    assert (fits["Larynx"].limit, fits["Esophagus"].limit) == (REDRAW_BELOW, 0.4)


def test_too_few_patients_give_no_calibration() -> None:
    few = rows("Larynx", rising(FEWEST - 1))

    assert calibrated(few, {}) == {}
    assert left_out(few) == [None] * (FEWEST - 1)
    assert calibrated([], {}) == {}


def test_nine_of_ten_new_patients_reach_the_lower_bound() -> None:
    draw = np.random.default_rng(3)

    def patients(count: int) -> list[tuple[float, float]]:
        soft = draw.uniform(0.7, 1, count)
        return list(zip(soft.tolist(), np.clip(soft - 0.1 + draw.normal(0, 0.08, count), 0, 1).tolist(), strict=True))

    reached = []
    for _ in range(40):
        fit = calibrated(rows("Larynx", patients(30)), {})["Larynx"]
        reached += [dsc >= fit.lowest_dsc(soft) for soft, dsc in patients(50)]
    assert 0.87 < np.mean(reached) < 0.96


def test_how_well_a_prediction_sorts() -> None:
    dsc = [0.2, 0.5, 0.7, 0.9]

    assert sorting_auc([0.1, 0.2, 0.3, 0.4], dsc) == 1
    assert sorting_auc([0.4, 0.3, 0.2, 0.1], dsc) == 0
    assert sorting_auc([0.5, 0.5, 0.5, 0.5], dsc) == 0.5
    # of four pairs two are right, one is wrong, one is a tie
    assert sorting_auc([0.1, 0.3, 0.2, 0.3], dsc) == pytest.approx(2.5 / 4)
    assert sorting_auc([0.1, 0.3, 0.2, 0.3], dsc, below=0.1) is None
    assert sorting_auc([0.1, 0.3, 0.2, 0.3], dsc, below=1.0) is None
