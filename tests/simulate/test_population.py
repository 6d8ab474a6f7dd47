"""Draws: within their ranges, as often as the law says, the same for the same seed."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from rtseg.core import ConfigError
from rtseg.simulate.population import Population, Spread, draw
from rtseg.systems.population import read_population


@pytest.fixture(scope="module")
def men() -> Population:
    return read_population("male_pelvis")


@pytest.mark.parametrize("law", ["normal", "log_normal", "even"])
def test_draws_stay_between_their_bounds_and_follow_the_law(law):
    spread = Spread(20.0, 600.0, 180.0, 0.6 if law == "log_normal" else 60.0, law)
    rng = np.random.default_rng(0)
    drawn = np.array([spread.draw(rng) for _ in range(2000)])
    assert drawn.min() >= 20
    assert drawn.max() <= 600
    assert np.median(drawn) == pytest.approx(310 if law == "even" else 180, rel=0.05)
    if law != "even":
        one, two = np.percentile(drawn, [15.9, 84.1])
        assert (np.log(two / one) / 2 if law == "log_normal" else (two - one) / 2) == pytest.approx(spread.spread, rel=0.1)


def test_a_range_that_is_hardly_ever_met_is_told():
    with pytest.raises(ConfigError, match=r"no draw of 1000 lies between 500\.0 and 600\.0"):
        Spread(500.0, 600.0, 0.0, 1.0).draw(np.random.default_rng(0))


def test_the_same_seed_gives_the_same_man_and_another_another(men):
    assert draw(men, "a", 7) == draw(men, "a", 7)
    assert draw(men, "a", 7).numbers != draw(men, "a", 8).numbers


def test_every_distribution_is_drawn_from(men):
    man = draw(men, "a", 0)
    assert set(man.numbers) == {field.name for part in (men.shape, men.scanner) for field in fields(part)}
    assert set(man.hu) == set(men.tissues)


def test_a_wish_is_granted_and_changes_nothing_else(men):
    plain, wished = draw(men, "a", 3), draw(men, "a", 3, {"bladder_ml": 333.0})
    assert wished.numbers == {**plain.numbers, "bladder_ml": 333.0}


def test_a_wish_that_cannot_be_granted_is_told(men):
    with pytest.raises(ConfigError, match=r"bladder_ml 900 is outside of the range of male_pelvis: 20 to 600"):
        draw(men, "a", 0, {"bladder_ml": 900.0})
    with pytest.raises(ConfigError, match=r"blader_ml is not drawn for male_pelvis; there is prostate_ml, bladder_ml"):
        draw(men, "a", 0, {"blader_ml": 100.0})
