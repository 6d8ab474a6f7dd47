"""What readers of images agree on: accuracy with its exact interval, agreement beyond chance, and the four rates of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

Interval = tuple[float, float]


@dataclass(frozen=True)
class Rates:
    """Of yes-or-no answers against the truth; None where nothing is there to divide by.

    accuracy has its exact (Clopper-Pearson) 95 % interval; sensitivity = recall, ppv = precision.
    """

    n: int
    accuracy: float
    accuracy_interval: Interval
    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None
    f1: float | None


def rates(truth: Sequence[bool], answers: Sequence[bool]) -> Rates:
    """The rates of one reader. Raises ValueError if there is no answer, or not one for each truth."""
    if len(truth) != len(answers) or not truth:
        raise ValueError(f"{len(answers)} answers for {len(truth)} images: one for each was expected")
    pairs = list(zip(truth, answers, strict=True))
    hit, miss = pairs.count((True, True)), pairs.count((True, False))
    false, right = pairs.count((False, True)), pairs.count((False, False))
    return Rates(
        n=len(pairs),
        accuracy=(hit + right) / len(pairs),
        accuracy_interval=exact_interval(hit + right, len(pairs)),
        sensitivity=_part(hit, hit + miss),
        specificity=_part(right, right + false),
        ppv=_part(hit, hit + false),
        npv=_part(right, right + miss),
        f1=_part(2 * hit, 2 * hit + false + miss),
    )


def exact_interval(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """Exact binomial interval of a share (Clopper and Pearson 1934)."""
    from scipy.stats import binomtest

    found = binomtest(hits, n).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)


def cohens_kappa(one: Sequence[int], other: Sequence[int]) -> float | None:
    """Agreement of two readers beyond chance (Cohen 1960), over the same items; None if both always say the same one thing.

    Raises ValueError if they did not answer for the same number of items, or for none.
    """
    if len(one) != len(other) or not one:
        raise ValueError(f"readers answered for {len(one)} and {len(other)} items: the same items were expected")
    a, b = np.asarray(one), np.asarray(other)
    observed = float(np.mean(a == b))
    chance = float(sum(np.mean(a == grade) * np.mean(b == grade) for grade in np.union1d(a, b)))
    return None if chance == 1 else (observed - chance) / (1 - chance)


def fleiss_kappa(counts: ArrayLike) -> float | None:
    """Agreement of several readers beyond chance (Fleiss 1971); None if all always say the same one thing.

    counts: (items, grades), how many readers gave an item a grade; every item has as many readers, two at least. Raises
    ValueError if not.
    """
    table = np.asarray(counts, dtype=np.float64)
    readers = table.sum(axis=1) if table.ndim == 2 and table.size else np.zeros(0)
    if readers.size == 0 or readers[0] < 2 or (readers != readers[0]).any():
        raise ValueError("every item has to be graded by as many readers, two at least")
    n = readers[0]
    observed = float(np.mean(((table**2).sum(axis=1) - n) / (n * (n - 1))))
    chance = float(((table.sum(axis=0) / table.sum()) ** 2).sum())
    return None if chance == 1 else (observed - chance) / (1 - chance)


def _part(hits: int, n: int) -> float | None:
    return hits / n if n else None
