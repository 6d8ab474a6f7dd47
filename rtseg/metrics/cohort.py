"""The figures of many patients: what a table says of an organ, and how two ways to contour it compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtseg.metrics.figures import Outcome
from rtseg.metrics.paired import Interval, Paired, bootstrap_interval, holm, paired

INFINITE_IF_MISSED = (
    *("hd_mm", "hd95_mm", "hd95_pooled_mm", "assd_mm", "msd_mm", "rmsd_mm"),
    *("hd95_in_reference_range_mm", "centroid_distance_mm"),
)
"""Figures that a missed organ has none of: it counts as infinite in their median and quartiles, and is not in their mean."""


@dataclass(frozen=True)
class Score:
    """One organ of one patient: what ``figures`` says. is_cut: the reference reaches the edge of the scan."""

    patient: str
    organ: str
    outcome: Outcome
    is_cut: bool
    figures: Mapping[str, float | None]

    @property
    def is_there(self) -> bool:
        """Whether the organ is there in the reference, found or missed."""
        return self.outcome in (Outcome.FOUND, Outcome.MISSED)


@dataclass(frozen=True)
class Distribution:
    """One figure over patients; None where nothing is left to tell.

    n                 patients in mean, SD, lowest and highest
    mean_interval     95 %, bootstrap over patients (BCa)
    sd                of the sample (n - 1)
    q1, median, q3    a miss counts as infinite in those of a distance
    """

    n: int
    mean: float | None
    mean_interval: Interval | None
    sd: float | None
    q1: float | None
    median: float | None
    q3: float | None
    lowest: float | None
    highest: float | None


@dataclass(frozen=True)
class OrganSummary:
    """One organ over patients.

    n                          patients in whom it was contoured and is there, misses among them
    missed, false_organs, true_absences   as METRICS counts them: false organs are in no figure
    figures                    name -> distribution over the n
    """

    organ: str
    n: int
    missed: int
    false_organs: int
    true_absences: int
    figures: Mapping[str, Distribution]


@dataclass(frozen=True)
class Comparison:
    """One figure of one organ by two ways to contour it, on the same patients: ``other`` minus ``one``.

    left_out: patients without the figure in either way (a missed organ has no distance); p_holm: corrected over the organs
    """

    organ: str
    figure: str
    differences: Paired
    p_holm: float
    left_out: int


def summarised(scores: Sequence[Score]) -> list[OrganSummary]:
    """Each organ over its patients, in the order in which organs first come."""
    organs = dict.fromkeys(score.organ for score in scores)
    return [_summary(organ, [score for score in scores if score.organ == organ]) for organ in organs]


def compared(one: Sequence[Score], other: Sequence[Score], figures: Sequence[str]) -> list[Comparison]:
    """Each figure of each organ that both have, patient by patient; Holm's correction is over the organs of a figure."""
    found = []
    organs = list(dict.fromkeys(score.organ for score in one))
    for figure in figures:
        drawn = [(organ, *_differences(one, other, organ, figure)) for organ in organs]
        told = [(organ, paired(values), left_out) for organ, values, left_out in drawn if values]
        corrected = holm([differences.p for _, differences, _ in told])
        found += [
            Comparison(organ, figure, differences, p, left_out)
            for (organ, differences, left_out), p in zip(told, corrected, strict=True)
        ]
    return found


def _summary(organ: str, scores: Sequence[Score]) -> OrganSummary:
    there = [score for score in scores if score.is_there]
    names = dict.fromkeys(name for score in there for name in score.figures)
    outcomes = [score.outcome for score in scores]
    return OrganSummary(
        organ=organ,
        n=len(there),
        missed=outcomes.count(Outcome.MISSED),
        false_organs=outcomes.count(Outcome.FALSE_ORGAN),
        true_absences=outcomes.count(Outcome.TRUE_ABSENCE),
        figures={name: _distribution(name, there) for name in names},
    )


def _distribution(name: str, there: Sequence[Score]) -> Distribution:
    known = np.array([value for score in there if (value := score.figures.get(name)) is not None])
    ranked = known
    if name in INFINITE_IF_MISSED:
        missed = sum(score.outcome is Outcome.MISSED or _nothing_in_range(name, score) for score in there)
        ranked = np.concatenate([known, np.full(missed, np.inf)])
    q1, median, q3 = (_quantile(ranked, part) for part in (0.25, 0.5, 0.75))
    return Distribution(
        n=len(known),
        mean=float(known.mean()) if known.size else None,
        mean_interval=bootstrap_interval(known),
        sd=float(known.std(ddof=1)) if known.size > 1 else None,
        q1=q1,
        median=median,
        q3=q3,
        lowest=float(known.min()) if known.size else None,
        highest=float(known.max()) if known.size else None,
    )


def _nothing_in_range(name: str, score: Score) -> bool:
    """An organ that was drawn, but nowhere between the ends of its reference: missed there."""
    return score.outcome is Outcome.FOUND and name in score.figures and score.figures[name] is None


def _quantile(values: np.ndarray, part: float) -> float | None:
    """Linear between the two nearest, infinite if either is."""
    if values.size == 0:
        return None
    ordered = np.sort(values)
    place = part * (len(ordered) - 1)
    low, high = ordered[int(np.floor(place))], ordered[int(np.ceil(place))]
    share = place - np.floor(place)
    return float(low if share == 0 or low == high else low + share * (high - low))


def _differences(one: Sequence[Score], other: Sequence[Score], organ: str, figure: str) -> tuple[list[float], int]:
    """Differences of the patients that have the figure in both, and how many have it in one or none."""
    first, second = (
        {score.patient: score.figures.get(figure) for score in scores if score.organ == organ and score.is_there}
        for scores in (one, other)
    )
    both = [(first[patient], second[patient]) for patient in first if patient in second]
    known = [b - a for a, b in both if a is not None and b is not None]
    return known, len(both) - len(known)
