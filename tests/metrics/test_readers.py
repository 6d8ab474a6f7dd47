"""Readers' figures, by hand and from the papers."""

import pytest

from rtseg.metrics.readers import cohens_kappa, exact_interval, fleiss_kappa, rates


def test_the_four_rates_by_hand():
    """Six real and four synthetic; five of the six found, one of the four called real."""
    truth = [True] * 6 + [False] * 4
    answers = [True] * 5 + [False] + [True] + [False] * 3
    found = rates(truth, answers)
    assert (found.n, found.accuracy) == (10, 0.8)
    assert found.sensitivity == pytest.approx(5 / 6)
    assert found.specificity == pytest.approx(3 / 4)
    assert found.ppv == pytest.approx(5 / 6)
    assert found.npv == pytest.approx(3 / 4)
    assert found.f1 == pytest.approx(5 / 6)


def test_what_cannot_be_divided_is_none():
    found = rates([True, True], [True, True])
    assert (found.specificity, found.npv, found.sensitivity) == (None, None, 1)
    assert rates([False], [False]).f1 is None


def test_the_exact_interval_is_that_of_the_books():
    """All of n right: the lower end is alpha/2 to the power 1/n; of none the upper end is 1 less that."""
    assert exact_interval(10, 10) == pytest.approx((0.025**0.1, 1))
    assert exact_interval(0, 10) == pytest.approx((0, 1 - 0.025**0.1))
    low, high = exact_interval(5, 10)
    assert low == pytest.approx(1 - high)
    assert (round(low, 4), round(high, 4)) == (0.1871, 0.8129)  # Clopper and Pearson's chart, to four digits


def test_two_readers_by_hand():
    """They agree on 35 of 50; by chance on (25 x 30 + 25 x 20) / 2500 = half: kappa (0.7 - 0.5) / 0.5 = 0.4."""
    one = [1] * 20 + [1] * 5 + [0] * 10 + [0] * 15
    other = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohens_kappa(one, other) == pytest.approx(0.4)
    assert cohens_kappa([1, 2, 3], [1, 2, 3]) == pytest.approx(1)
    assert cohens_kappa([1, 1], [1, 1]) is None
    assert cohens_kappa([0, 1], [1, 0]) == pytest.approx(-1)


def test_fourteen_readers_and_five_grades():
    """The example that is commonly worked through: ten items, P 0.378, chance 0.213, kappa 0.210."""
    counts = [
        *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
        *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
    ]
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa([[3, 0], [0, 3]]) == pytest.approx(1)
    assert fleiss_kappa([[3, 0], [3, 0]]) is None


def test_what_cannot_be_compared_is_refused():
    for call in (lambda: rates([], []), lambda: rates([True], []), lambda: cohens_kappa([1], []), lambda: fleiss_kappa([[1, 0]])):
        with pytest.raises(ValueError, match=r"expected|as many readers"):
            call()
