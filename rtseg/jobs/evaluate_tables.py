"""The tables of an evaluation: every figure of every organ, each organ over patients, and predictions against each other."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtseg import __version__
from rtseg.metrics.cohort import Comparison, Distribution, OrganSummary
from rtseg.metrics.definitions import DEFINITIONS, SURFACES, definition

if TYPE_CHECKING:
    from rtseg.jobs.evaluate import Evaluation

FIGURES, SUMMARY, COMPARISON, TABLE, ABOUT = "figures.csv", "summary.csv", "comparison.csv", "summary.md", "evaluation.json"
PAGE = "report.html"
FILES = (FIGURES, SUMMARY, COMPARISON, TABLE, ABOUT, PAGE)
"""Everything that an evaluation's folder holds."""

ALL, WHOLE = "all", "organs within the scan only"
"""Which patients a line of the summary is of."""

KEYS = ("prediction", "patient", "organ", "outcome", "cut_by_scan", "surface_model")

SUMMARY_COLUMNS = (
    *("prediction", "patients", "organ", "n_reference", "missed", "false_organs", "true_absences", "surface_model", "figure"),
    *("n", "mean", "mean_low", "mean_high", "sd", "q1", "median", "q3", "lowest", "highest"),
)

COMPARISON_COLUMNS = (
    *("prediction", "against", "organ", "figure", "n", "left_out", "mean_difference", "mean_low", "mean_high"),
    *("median_difference", "median_low", "median_high", "rank_biserial", "p_wilcoxon", "p_holm"),
)

HEAD = """| organ | n | missed | false | DSC mean | median | lowest | HD95 mm mean (n) | median |
|---|---|---|---|---|---|---|---|---|"""

DIGITS = 6
"""Decimals of a figure in a table."""


def write_tables(evaluation: Evaluation, folder: Path) -> None:
    """Write all tables into a folder that is there."""
    names = figure_names(evaluation)
    _write_csv(folder / FIGURES, [*KEYS, *names], _figure_rows(evaluation, names))
    _write_csv(folder / SUMMARY, SUMMARY_COLUMNS, _summary_rows(evaluation))
    if len(evaluation.scores) > 1:
        _write_csv(folder / COMPARISON, COMPARISON_COLUMNS, _comparison_rows(evaluation))
    (folder / TABLE).write_text(_markdown(evaluation), encoding="utf-8")
    (folder / ABOUT).write_text(json.dumps(about(evaluation), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def about(evaluation: Evaluation) -> dict[str, Any]:
    """What was compared with what and what was not, in plain values, with the definition of every figure."""
    order, plan = evaluation.order, evaluation.plan
    return {
        "rtseg": __version__,
        "predicted": {label: str(path) for label, path in order.predicted.items()},
        "reference": str(order.reference),
        "patients": evaluation.patients,
        "without_prediction": plan.without_prediction,
        "without_reference": plan.without_reference,
        "not_predicted": evaluation.not_predicted,
        "unmatched": evaluation.unmatched,
        "in_vain": evaluation.in_vain,
        "failures": [{"patient": one, "prediction": label, "why": why} for one, label, why in evaluation.failures],
        "left_out": plan.left_out,
        "notes": [{"patient": one, "words": words} for one, words in evaluation.notes],
        "organs": {label: [_organ(summary) for summary in of] for label, of in evaluation.summaries.items()},
        "surface_model": order.model.value,
        "surface": SURFACES[order.model],
        "definitions": {name: definition(name) for name in figure_names(evaluation)},
    }


def figure_names(evaluation: Evaluation) -> list[str]:
    """Every figure's name, those with a tolerance last and by it."""
    names = dict.fromkeys(name for scores in evaluation.scores.values() for score in scores for name in score.figures)
    return sorted(names, key=lambda name: (name not in DEFINITIONS, [] if name in DEFINITIONS else _tolerance(name)))


def _tolerance(name: str) -> list[str | float]:
    kind, mm = name.split("_")[:2]
    return [kind, float(mm)]


def table(summaries: Sequence[OrganSummary], dsc: str = "dsc", hd95: str = "hd95_mm") -> str:
    """Organs over patients in Markdown; with the names of the figures in reference range, only organs that have them.

    Misses count as 0 in every DSC figure, have no distance in the mean (its own n in parentheses) and count as infinite in its
    median.
    """
    lines = [_line(summary, summary.figures[dsc], summary.figures[hd95]) for summary in summaries if dsc in summary.figures]
    means = [mean for summary in summaries if dsc in summary.figures and (mean := summary.figures[dsc].mean) is not None]
    over = [f"| mean over organs | | | | {sum(means) / len(means):.3f} | | | | |"] if len(means) > 1 else []
    return "\n".join([HEAD, *lines, *over])


def _markdown(evaluation: Evaluation) -> str:
    parts = []
    for label, summaries in evaluation.summaries.items():
        parts += [f"## {label}", table(summaries)]
        if any("dsc_in_reference_range" in summary.figures for summary in summaries):
            parts += ["Only slices between the ends of the reference:", range_table(summaries)]
    parts.append("Surfaces: " + SURFACES[evaluation.order.model] + f". rtseg {__version__}, `rtseg evaluate`.")
    return "\n\n".join(parts) + "\n"


def range_table(summaries: Sequence[OrganSummary]) -> str:
    """Open-ended organs between the ends of their reference, in Markdown."""
    head, *lines = (
        table(summaries, "dsc_in_reference_range", "hd95_in_reference_range_mm").split("\n| mean over")[0].split("\n", 2)
    )
    return "\n".join([head, *lines])


def _line(summary: OrganSummary, dsc: Distribution, hd95: Distribution) -> str:
    mean = "" if hd95.mean is None else f"{hd95.mean:.1f} "
    cells = [_shown(dsc.mean, 3), _shown(dsc.median, 3), _shown(dsc.lowest, 3), f"{mean}({hd95.n})", _shown(hd95.median, 1)]
    return f"| {summary.organ} | {summary.n} | {summary.n - hd95.n} | {summary.false_organs} | {' | '.join(cells)} |"


def _shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _organ(summary: OrganSummary) -> dict[str, Any]:
    figures = {
        name: {"n": of.n, "mean": of.mean, "sd": of.sd, "median": _finite(of.median)} for name, of in summary.figures.items()
    }
    counts = {"n": summary.n, "missed": summary.missed, "false_organs": summary.false_organs}
    return {"organ": summary.organ, **counts, "true_absences": summary.true_absences, "figures": figures}


def _finite(value: float | None) -> float | str | None:
    """JSON has no infinity."""
    return "inf" if value == float("inf") else value


def _figure_rows(evaluation: Evaluation, names: Sequence[str]) -> Iterable[Sequence[Any]]:
    for label, scores in evaluation.scores.items():
        for score in scores:
            keys = (label, score.patient, score.organ, score.outcome.value, score.is_cut, evaluation.order.model.value)
            yield [*keys, *(_rounded(score.figures.get(name)) for name in names)]


def _summary_rows(evaluation: Evaluation) -> Iterable[Sequence[Any]]:
    for which, summaries in ((ALL, evaluation.summaries), (WHOLE, evaluation.whole)):
        for label, organs in summaries.items():
            for organ in organs:
                counts = (organ.n, organ.missed, organ.false_organs, organ.true_absences, evaluation.order.model.value)
                for name, of in organ.figures.items():
                    values = (of.mean, *(of.mean_interval or (None, None)), of.sd, of.q1, of.median, of.q3, of.lowest, of.highest)
                    yield [label, which, organ.organ, *counts, name, of.n, *map(_rounded, values)]


def _comparison_rows(evaluation: Evaluation) -> Iterable[Sequence[Any]]:
    first = next(iter(evaluation.scores))
    for label, comparisons in evaluation.comparisons.items():
        for one in comparisons:
            yield [label, first, one.organ, one.figure, one.differences.n, one.left_out, *map(_rounded, _statistics(one))]


def _statistics(one: Comparison) -> Sequence[float | None]:
    d = one.differences
    means, medians = (interval or (None, None) for interval in (d.mean_interval, d.median_interval))
    return (d.mean, *means, d.median, *medians, d.effect, d.p, one.p_holm)


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, DIGITS)


def _write_csv(file: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(head)
        writer.writerows(rows)
