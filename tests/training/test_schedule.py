"""Learning rates by hand."""

from __future__ import annotations

import pytest

from rtseg.training import Schedule


@pytest.mark.parametrize(("step", "share"), [(0, 0.1), (4, 0.5), (9, 1), (50, 1), (80, 1), (90, 0.5), (99, 0.05)])
def test_rate_rises_stays_and_falls(step: int, share: float) -> None:
    # ten steps up, the last fifth of 100 down: step 90 is half-way between 80 and 100
    assert Schedule(100, 0.002, warmup=10, decay=0.2).rate_at(step) == pytest.approx(0.002 * share)


def test_no_warmup_and_no_decay_is_a_constant_rate() -> None:
    schedule = Schedule(10, 0.5, warmup=0, decay=0)

    assert [schedule.rate_at(step) for step in range(10)] == [0.5] * 10
