"""Paired comparison: truths by hand, zeros and ties, too few patients, Holm's steps."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.metrics.paired import bootstrap_interval, hodges_lehmann, holm, paired, rank_biserial, wilcoxon_p


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_five_patients_that_all_gain() -> None:
    # all of 2^5 signs as extreme as this: all plus, all minus
    assert wilcoxon_p(array(0.1, 0.2, 0.3, 0.4, 0.5)) == pytest.approx(2 / 32)


def test_zeros_are_permuted_exactly() -> None:
    # eleven of thirteen gain, two stay: only the signs of eleven matter, and all plus or all minus is as extreme
    assert wilcoxon_p(np.concatenate([np.zeros(2), np.arange(1, 12) / 100])) == pytest.approx(2 / 2**11)


def test_ties_are_permuted_exactly() -> None:
    # sizes 1, 1, 1, 1: the sum is as extreme as +4 for all plus or all minus of 2^4
    assert wilcoxon_p(array(0.5, 0.5, 0.5, 0.5)) == pytest.approx(2 / 16)


def test_many_patients_with_ties_give_the_same_p_again() -> None:
    differences = np.random.default_rng(1).integers(-3, 6, 31) / 100
    assert wilcoxon_p(differences) == wilcoxon_p(differences) < 0.2


def test_no_difference_at_all() -> None:
    same = paired(np.zeros(8))
    assert (same.n, same.mean, same.median, same.effect, same.p) == (8, 0, 0, 0, 1)
    assert same.mean_interval == same.median_interval == (0, 0)


def test_median_of_walsh_averages() -> None:
    # of 1, 2, 6: 1, 1.5, 3.5, 2, 4, 6; the middle two are 2 and 3.5
    assert hodges_lehmann(array(1, 2, 6)) == (2.75, None)


def test_its_interval_for_six_patients_is_their_range() -> None:
    # P(W = 0) = 1/64 < 2.5 %, P(W <= 1) = 2/64 > 2.5 %: the first and the last of the Walsh averages
    median, interval = hodges_lehmann(array(1, 2, 3, 5, 8, 13))
    assert interval == (1, 13)
    assert 1 < median < 13
    assert hodges_lehmann(array(1, 2, 3, 5, 8))[1] is None  # P(W = 0) = 1/32 > 2.5 %


def test_its_interval_for_ten_patients() -> None:
    # tables of the signed-rank test: W <= 8 is significant at 5 % two-sided for n = 10, W <= 9 is not; the 9th Walsh average
    d = np.sort(np.random.default_rng(0).normal(1, 2, 10))
    walsh = sorted((d[i] + d[j]) / 2 for i in range(10) for j in range(i, 10))
    assert hodges_lehmann(d)[1] == pytest.approx((walsh[8], walsh[-9]))


def test_rank_biserial_by_hand() -> None:
    # sizes 1, 2, 3 with a loss of the smallest: (2 + 3 - 1) / 6; a zero has no rank
    assert rank_biserial(array(-1, 2, 3)) == pytest.approx(4 / 6)
    assert rank_biserial(array(0, -1, 2, 3)) == pytest.approx(4 / 6)
    assert rank_biserial(array(1, 1)) == 1


def test_interval_of_a_mean_is_that_of_many_normal_patients() -> None:
    # 400 patients, standard deviation 1: mean +- 1.96 / 20
    values = np.random.default_rng(3).normal(0, 1, 400)
    values = (values - values.mean()) / values.std() + 5
    assert bootstrap_interval(values) == pytest.approx((5 - 0.098, 5 + 0.098), abs=0.01)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(array(3.0)) is None


def test_interval_of_another_figure_goes_by_patients() -> None:
    # two organs of each patient move together: the mean over both is as uncertain as one of them
    values = np.random.default_rng(3).normal(0, 1, 60)
    both = np.stack([values, values], axis=1)
    assert bootstrap_interval(both) == pytest.approx(bootstrap_interval(values))
    assert bootstrap_interval(np.ones((4, 2)), figure=np.sum) == (8, 8)


def test_holm_by_hand() -> None:
    # 0.01 x 4, 0.02 x 3, 0.03 x 2, then 0.9 x 1; none below the one before, none above 1
    assert holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="no patient"):
        paired([])
