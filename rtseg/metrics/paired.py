"""Two ways compared on the same patients: difference with its interval, and the p-value that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
"""Of every interval here."""

RESAMPLES = 10_000
"""Of the bootstrap, and of the permutations of signs where there are more than that."""

Interval = tuple[float, float]
Differences = NDArray[np.float64]
Figure = Callable[[NDArray[np.float64]], Any]


@dataclass(frozen=True)
class Paired:
    """Differences, one per patient, in a few figures; None where there are too few patients to tell.

    mean, mean_interval      bootstrap over patients (BCa)
    median, median_interval  Hodges-Lehmann
    effect                   matched-pairs rank-biserial correlation, -1 to 1
    p                        Wilcoxon signed-rank, two-sided, not corrected for anything
    """

    n: int
    mean: float
    mean_interval: Interval | None
    median: float
    median_interval: Interval | None
    effect: float
    p: float


def paired(differences: ArrayLike, seed: int = 0) -> Paired:
    """The figures of differences, one per patient. Raises ValueError if there is none."""
    d = np.asarray(differences, dtype=np.float64)
    if d.size == 0:
        raise ValueError("there is no patient to compare two ways on")
    median, median_interval = hodges_lehmann(d)
    return Paired(
        n=d.size,
        mean=float(d.mean()),
        mean_interval=bootstrap_interval(d, seed),
        median=median,
        median_interval=median_interval,
        effect=rank_biserial(d),
        p=wilcoxon_p(d, seed),
    )


def wilcoxon_p(differences: Differences, seed: int = 0) -> float:
    """Two-sided p of the signed-rank test; 1 if all differences are zero.

    With zeros (Pratt) or ties the signs are permuted: scipy's exact method with Pratt's zeros gives a wrong p. Up to 13
    patients all permutations are taken, else RESAMPLES of them, seeded.
    """
    from scipy.stats import PermutationMethod, wilcoxon

    sizes = np.abs(differences)
    if not sizes.any():
        return 1.0
    if sizes.all() and len(np.unique(sizes)) == len(sizes):
        return float(wilcoxon(differences).pvalue)
    method = PermutationMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(seed))
    return float(wilcoxon(differences, zero_method="pratt", method=method).pvalue)


def hodges_lehmann(differences: Differences) -> tuple[float, Interval | None]:
    """Median of the Walsh averages, and its exact interval from the signed-rank distribution; None below 6 patients."""
    first, second = np.triu_indices(len(differences))
    walsh = np.sort((differences[first] + differences[second]) / 2)
    below = int(np.searchsorted(_signed_rank_cumulative(len(differences)), (1 - CONFIDENCE) / 2, side="right"))
    interval = None if below == 0 else (float(walsh[below - 1]), float(walsh[-below]))
    return float(np.median(walsh)), interval


def rank_biserial(differences: Differences) -> float:
    """Share of the ranks (by size, zeros left out) that speak for more, less the share that speaks for less; 0 for none."""
    from scipy.stats import rankdata

    d = differences[differences != 0]
    if d.size == 0:
        return 0.0
    ranks = rankdata(np.abs(d))
    return float((ranks * np.sign(d)).sum() / ranks.sum())


def bootstrap_interval(values: Differences, seed: int = 0, figure: Figure | None = None) -> Interval | None:
    """BCa interval of a figure over patients, along the first axis; of the mean if none is given. None for fewer than two.

    The value itself if all patients are alike.
    """
    from scipy.stats import bootstrap

    if len(values) < 2:
        return None
    if np.array_equal(values, np.broadcast_to(values[:1], values.shape), equal_nan=True):
        alike = float((figure or np.mean)(values))
        return alike, alike
    at_once = figure is None and values.ndim == 1  # all resamples in one array: ten times the speed of one after the other
    of = figure or np.mean
    found = bootstrap(
        (values if at_once else np.arange(len(values)),),
        np.mean if at_once else lambda patients: of(values[patients]),
        vectorized=at_once,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for being several, by Holm's steps, in the order given."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(np.argsort(p_values)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = largest
    return corrected


def _signed_rank_cumulative(n: int) -> NDArray[np.float64]:
    """P(W <= w) for w = 0, 1, ... of the rank sum of the positive differences of n patients, if nothing differs."""
    ways = np.ones(1)
    for rank in range(1, n + 1):
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    return np.asarray(np.cumsum(ways) / 2.0**n)
