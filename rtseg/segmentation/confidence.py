"""How sure a model was of a contour, told as the DSC that this sureness went with when the model was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Confidence, Finding, StructureSet
from rtseg.imaging import Probabilities

SHARE = 0.9
"""Share of the patients, each left out in turn, whose DSC reached the lower bound. With some twenty patients a larger share
would hang on the worst one alone."""

POOLED = 20
"""An organ measured in fewer patients is calibrated together with the others of that kind."""

FEWEST = 10
"""Patients from whom a calibration may be taken; with fewer there is none. SHARE of fewer than nine is more than all."""

REDRAW_BELOW = 0.6
"""DSC under which a contour is redrawn rather than corrected, where the task does not say [ours]."""

Line = tuple[tuple[float, ...], tuple[float, ...]]
"""Knots of a rising line: soft Dice, DSC."""


@dataclass(frozen=True)
class Row:
    """One organ of one patient, contoured by the model and by hand: soft Dice of the one, DSC of both."""

    patient: str
    organ: str
    soft_dice: float
    dsc: float


@dataclass(frozen=True)
class Calibration:
    """From an organ's soft Dice to the DSC to be expected.

    soft_dice, dsc  knots of a rising line, straight between them, from the lowest soft Dice seen to the highest
    error           mean absolute error of the DSC predicted for patients left out of the fit in turn
    margin          how far below its prediction the DSC of a patient left out was at most, in SHARE of them
    limit           DSC under which this organ's contour is redrawn rather than corrected
    patients        how many the fit is made from; pooled: with other organs of few patients
    """

    soft_dice: tuple[float, ...]
    dsc: tuple[float, ...]
    error: float
    margin: float
    limit: float
    patients: int
    pooled: bool = False

    def expected_dsc(self, soft_dice: float) -> float:
        """The line at this place; level above the highest soft Dice seen, straight to (0, 0) below the lowest."""
        return _at(soft_dice, (self.soft_dice, self.dsc))

    def lowest_dsc(self, soft_dice: float) -> float:
        """What the DSC is at least in SHARE of the patients; 0 below the lowest soft Dice seen, where nothing is known."""
        return 0.0 if soft_dice < self.soft_dice[0] else max(0.0, self.expected_dsc(soft_dice) - self.margin)


def soft_dice(probability: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """2 sum(p m) / (sum p + sum m): the DSC to be expected of ``mask`` if the probabilities were true; 0 for an empty mask."""
    total = float(probability.sum(dtype=np.float64)) + float(mask.sum())
    return 2 * float(probability[mask].sum(dtype=np.float64)) / total if mask.any() else 0.0


def confidence(organs: StructureSet, seen: Probabilities, calibration: Mapping[str, Calibration]) -> dict[str, Confidence]:
    """How sure the model was of each organ that was contoured.

    Soft Dice on the model's grid, its mask where the probability is above one half: before tidying, because pieces and holes
    are findings of their own.
    """
    sure = {}
    for name, probability in zip(seen.organs, seen.array, strict=True):
        if not organs[name].is_empty:
            measured, line = soft_dice(probability, probability > 0.5), calibration.get(name)
            dsc = (None, None) if line is None else (line.expected_dsc(measured), line.lowest_dsc(measured))
            sure[name] = Confidence(measured, *dsc)
    return sure


def doubts(sure: Mapping[str, Confidence], calibration: Mapping[str, Calibration]) -> list[Finding]:
    """A finding ``low_confidence`` for each organ whose DSC may well be under the organ's limit."""
    findings = []
    for name, about in sure.items():
        if about.predicted_dsc is None or about.at_least is None or about.at_least >= calibration[name].limit:
            continue
        limit, lowest = calibration[name].limit, calibration[name].soft_dice[0]
        bound = (
            f"at least {about.at_least:.2f} in {SHARE * 10:.0f} of 10 patients"
            if about.soft_dice >= lowest
            else f"no lower bound: soft Dice {about.soft_dice:.2f}, never under {lowest:.2f} when the model was judged"
        )
        words = (
            f"{name}: predicted DSC {about.predicted_dsc:.2f} ({bound}); under {limit:.2f} a contour is redrawn, not corrected."
        )
        findings.append(Finding("low_confidence", words, name, about.at_least, limit))
    return findings


def calibrated(rows: Sequence[Row], redraw_below: Mapping[str, float]) -> dict[str, Calibration]:
    """Each organ's calibration by isotonic regression (Barlow 1972: least squares among all rising lines).

    Organs of fewer than POOLED patients share one fit, made of their own rows alone. An organ without FEWEST patients has none.
    redraw_below: organ -> limit.
    """
    made = {}
    for organ, group in _groups(rows).items():
        knots, left = _line(group), _left_out(group)
        short = np.array(left) - [row.dsc for row in group]
        made[organ] = Calibration(
            *knots,
            error=float(np.abs(short).mean()),
            margin=max(0.0, _not_exceeded(short)),
            limit=redraw_below.get(organ, REDRAW_BELOW),
            patients=len(_patients(group)),
            pooled=len({row.organ for row in group}) > 1,
        )
    return made


def left_out(rows: Sequence[Row]) -> list[float | None]:
    """Each row's DSC as predicted by the calibration of all other patients; None where there is no calibration."""
    found: dict[Row, float] = {}
    for group in _groups(rows).values():
        found |= dict(zip(group, _left_out(group), strict=True))
    return [found.get(row) for row in rows]


def sorting_auc(predicted: Sequence[float], dsc: Sequence[float], below: float = REDRAW_BELOW) -> float | None:
    """How well a predicted DSC sorts contours of DSC under ``below`` from the others: area under the ROC curve.

    The chance that of one contour of each kind the worse has the lower prediction, a tie counting half (Mann and Whitney).
    None unless there are both.
    """
    low = np.asarray(dsc) < below
    worse, better = np.asarray(predicted)[low], np.asarray(predicted)[~low]
    if not len(worse) or not len(better):
        return None
    return float((worse[:, None] < better).mean() + (worse[:, None] == better).mean() / 2)


def _groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows that each organ's calibration is made from."""
    own = {organ: [row for row in rows if row.organ == organ] for organ in dict.fromkeys(row.organ for row in rows)}
    pool = [row for few in own.values() if len(_patients(few)) < POOLED for row in few]
    groups = {organ: few if len(_patients(few)) >= POOLED else pool for organ, few in own.items()}
    return {organ: group for organ, group in groups.items() if len(_patients(group)) >= FEWEST}


def _patients(rows: Sequence[Row]) -> set[str]:
    return {row.patient for row in rows}


def _at(soft_dice: float, line: Line) -> float:
    places, heights = line
    return float(np.interp(soft_dice, (0.0, *places), (0.0, *heights)))


def _line(rows: Sequence[Row]) -> Line:
    """The rising line nearest to the rows; of each level stretch the ends alone are knots."""
    from scipy.optimize import isotonic_regression

    places, of = np.unique([row.soft_dice for row in rows], return_inverse=True)
    counts = np.bincount(of).astype(np.float64)
    fit = isotonic_regression(np.bincount(of, weights=[row.dsc for row in rows]) / counts, weights=counts).x
    inside = np.zeros(len(fit), dtype=bool)
    inside[1:-1] = (fit[1:-1] == fit[:-2]) & (fit[1:-1] == fit[2:])
    return tuple(places[~inside].tolist()), tuple(fit[~inside].tolist())


def _left_out(rows: Sequence[Row]) -> list[float]:
    """Each row's DSC as predicted from the rows of all other patients."""
    lines = {patient: _line([row for row in rows if row.patient != patient]) for patient in _patients(rows)}
    return [_at(row.soft_dice, lines[row.patient]) for row in rows]


def _not_exceeded(short: NDArray[np.float64]) -> float:
    """The smallest shortfall that at least SHARE of new ones do not exceed: the ceil(SHARE (n + 1))-th of n (split conformal)."""
    ordered = np.sort(short)
    return float(ordered[min(len(ordered), int(np.ceil(SHARE * (len(ordered) + 1)))) - 1])
