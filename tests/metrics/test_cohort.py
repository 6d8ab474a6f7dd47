"""Tables of many patients: misses are never dropped, false organs counted apart, two ways compared patient by patient."""

import pytest

from rtseg.metrics import Outcome
from rtseg.metrics.cohort import Score, compared, summarised


def score(patient, dsc, hd95, outcome=Outcome.FOUND, organ="Bladder", **more):
    return Score(str(patient), organ, outcome, False, {"dsc": dsc, "hd95_mm": hd95, **more})


MISSED = score(4, 0.0, None, Outcome.MISSED)
FOUR = [score(1, 0.9, 2.0), score(2, 0.8, 4.0), score(3, 0.7, 6.0), MISSED]


def test_a_miss_counts_as_nought_in_overlap_and_as_infinite_in_the_ranks_of_a_distance():
    (bladder,) = summarised(FOUR)
    assert (bladder.n, bladder.missed, bladder.false_organs, bladder.true_absences) == (4, 1, 0, 0)
    dsc, hd95 = bladder.figures["dsc"], bladder.figures["hd95_mm"]
    assert (dsc.n, dsc.mean, dsc.median, dsc.lowest) == (4, pytest.approx(0.6), pytest.approx(0.75), 0.0)
    assert (hd95.n, hd95.mean, hd95.median, hd95.highest) == (3, 4.0, 5.0, 6.0)
    assert hd95.q1 == 3.5  # of 2, 4, 6 and infinity: a quarter of the way is three quarters from 2 to 4
    assert hd95.q3 == float("inf")  # between 6 and infinity
    assert hd95.sd == 2.0


def test_without_any_distance_the_median_is_infinite_and_there_is_no_mean():
    (bladder,) = summarised([MISSED, score(5, 0.0, None, Outcome.MISSED)])
    assert bladder.figures["hd95_mm"].median == float("inf")
    assert bladder.figures["hd95_mm"].mean is None


def test_false_organs_and_true_absences_are_counted_apart():
    absent = score(6, None, None, Outcome.TRUE_ABSENCE)
    (bladder,) = summarised([*FOUR, score(5, 0.0, None, Outcome.FALSE_ORGAN), absent])
    assert (bladder.n, bladder.false_organs, bladder.true_absences) == (4, 1, 1)
    assert bladder.figures["dsc"].mean == pytest.approx(0.6)


def test_an_organ_drawn_only_beyond_its_reference_is_missed_there():
    cord = [score(1, 0.5, 9.0, hd95_in_reference_range_mm=3.0), score(2, 0.4, 9.0, hd95_in_reference_range_mm=None)]
    (summary,) = summarised(cord)
    assert summary.figures["hd95_in_reference_range_mm"].n == 1
    assert summary.figures["hd95_in_reference_range_mm"].median == float("inf")


def test_organs_come_in_the_order_they_came_in():
    assert [s.organ for s in summarised([score(1, 1.0, 0.0, organ="Rectum"), *FOUR])] == ["Rectum", "Bladder"]


def test_two_ways_are_compared_on_the_patients_that_both_have():
    """Six of seven patients are better by 0.01 to 0.06: all ranks speak for the other way, 2 of 2^6 signs are as extreme."""
    one = [score(n, 0.8, 5.0) for n in range(6)] + [score(9, 0.5, 5.0)]
    other = [score(n, 0.8 + 0.01 * (n + 1), 5.0) for n in range(5, -1, -1)]
    (dsc,) = compared(one, other, ["dsc"])
    assert (dsc.differences.n, dsc.left_out, dsc.differences.effect) == (6, 0, 1.0)
    assert dsc.differences.mean == pytest.approx(0.035)
    assert dsc.differences.p == pytest.approx(2 / 2**6)
    assert dsc.p_holm == dsc.differences.p  # one organ: nothing to correct for


def test_a_patient_missed_in_one_way_has_no_distance_to_compare_and_is_told():
    (found,) = compared(FOUR, [score(n, 0.9, 3.0) for n in range(1, 5)], ["hd95_mm"])
    assert (found.differences.n, found.left_out) == (3, 1)
    assert found.differences.mean == pytest.approx(-1.0)  # 3 - 2, 3 - 4, 3 - 6


def test_correction_is_over_the_organs_of_a_figure():
    """Five of one sign have p = 2/32; of two organs with one p both get twice that."""
    steps = range(1, 6)
    one = [score(n, 0.5, 5.0, organ=organ) for organ in ("Bladder", "Rectum") for n in steps]
    other = [score(n, 0.5 + n / 100, 5.0, organ=organ) for organ in ("Bladder", "Rectum") for n in steps]
    assert [c.p_holm for c in compared(one, other, ["dsc"])] == pytest.approx([4 / 32, 4 / 32])
