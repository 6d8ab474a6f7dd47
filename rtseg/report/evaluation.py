"""The page of an evaluation: tables, charts and the worst cases of contours held against a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtseg.metrics.cohort import Comparison, Distribution, OrganSummary, Score
from rtseg.report.charts import Chart, Values, Volumes, bland_altman, box_plots, dsc_over_volume
from rtseg.report.overlay import Overlay, colour

TEMPLATE = Path(__file__).with_name("evaluation.html")

SHOWN = {
    "dsc": ("DSC", 3),
    "hd95_mm": ("HD95 (mm)", 1),
    "assd_mm": ("ASSD (mm)", 2),
    "nsd": ("NSD", 3),
    "apl": ("added path (mm)", 0),
    "volume_ratio": ("volume ratio", 2),
}
"""Figures of the page with heading and decimals; ``nsd`` and ``apl`` stand for the names with a tolerance. All are in the CSV."""

IN_RANGE = {"dsc_in_reference_range": ("DSC", 3), "hd95_in_reference_range_mm": ("HD95 (mm)", 1)}
"""The same for open-ended organs between the ends of the reference."""


@dataclass(frozen=True)
class WorstCase:
    """Pictures of one organ of one patient."""

    organ: str
    patient: str
    dsc: float
    hd95_mm: float | None
    outcome: str
    pictures: Overlay


@dataclass(frozen=True)
class PublishedRow:
    """What others published: DSC by organ as text."""

    key: str
    what: str
    organs: Mapping[str, str]


@dataclass(frozen=True)
class EvaluationPage:
    """Everything on the page; texts are ready to print.

    scores, summaries, whole   by prediction; ``whole`` without organs that the scan's edge cuts, empty where it cuts none
    comparisons                every other prediction against the first
    gaps                       what was not compared: what, which prediction, names
    definitions                name of a figure -> what it stands for
    """

    title: str
    rtseg: str
    date: str
    patients: int
    predicted: Mapping[str, str]
    reference: str
    scores: Mapping[str, Sequence[Score]]
    summaries: Mapping[str, Sequence[OrganSummary]]
    whole: Mapping[str, Sequence[OrganSummary]]
    comparisons: Mapping[str, Sequence[Comparison]]
    worst: Sequence[WorstCase]
    published: Sequence[PublishedRow]
    cautions: Sequence[str]
    gaps: Sequence[tuple[str, str, str]]
    notes: Sequence[tuple[str, str]]
    surface: str
    definitions: Mapping[str, str]


def render_evaluation(page: EvaluationPage) -> str:
    """The page as text: one HTML file that needs nothing else. Every name is escaped."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": _number, "interval": _interval}
    organs = list(dict.fromkeys(summary.organ for of in page.summaries.values() for summary in of))
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        page=page,
        organs=organs,
        colours={label: colour(number) for number, label in enumerate(page.predicted)},
        tables={label: _rows(of, SHOWN) for label, of in page.summaries.items()},
        in_range={label: rows for label, of in page.summaries.items() if (rows := _rows(of, IN_RANGE))},
        whole={label: _rows(of, SHOWN) for label, of in page.whole.items() if of},
        columns=_columns(page.summaries),
        range_columns=IN_RANGE,
        charts=_charts(page),
        published=[row for row in page.published if set(row.organs) & set(organs)],
    )


def _rows(summaries: Sequence[OrganSummary], shown: Mapping[str, object]) -> list[tuple[OrganSummary, dict[str, Distribution]]]:
    """Each organ that has such figures, by the names of ``shown``; one with several tolerances stands in the CSV only."""
    rows = []
    for summary in summaries:
        kinds = [_kind(name) for name in summary.figures]
        figures = {kind: of for kind, of in zip(kinds, summary.figures.values(), strict=True) if kinds.count(kind) == 1}
        rows.append((summary, {kind: of for kind, of in figures.items() if kind in shown}))
    return [(summary, figures) for summary, figures in rows if figures or (shown is SHOWN and not summary.n)]


def _kind(name: str) -> str:
    """``nsd_2.5`` -> ``nsd``; other names as they are."""
    return name.split("_")[0] if name.startswith(("nsd_", "apl_")) else name


def _columns(summaries: Mapping[str, Sequence[OrganSummary]]) -> dict[str, tuple[str, int]]:
    there = {name for of in summaries.values() for _, figures in _rows(of, SHOWN) for name in figures}
    return {name: words for name, words in SHOWN.items() if name in there}


def _charts(page: EvaluationPage) -> list[tuple[str, Chart, str]]:
    """Heading, chart, and what it shows; none of a single patient, whom the tables tell all about."""
    volumes = {label: _volumes(scores) for label, scores in page.scores.items()}
    if page.patients < 2 or not any(volumes.values()):
        return []
    charts = [("DSC", box_plots(_values(page.scores, "dsc"), "DSC", top=1.02), "A missed organ has a DSC of 0.")]
    distances = _values(page.scores, "hd95_mm")
    if any(distances.values()):
        charts.append(("HD95", box_plots(distances, "HD95, mm"), "A missed organ has no distance and no dot."))
    lines = "Lines: mean difference, and 1.96 standard deviations to either side (limits of agreement)."
    charts.append(("Volumes (Bland-Altman)", bland_altman(volumes), lines))
    charts.append(("DSC over volume", dsc_over_volume(volumes), "The smaller an organ, the lower its DSC for the same distance."))
    return charts


def _values(scores: Mapping[str, Sequence[Score]], name: str) -> Values:
    found: dict[str, dict[str, list[float]]] = {}
    for label, of in scores.items():
        found[label] = {}
        for score in of:
            if score.is_there and (value := score.figures.get(name)) is not None:
                found[label].setdefault(score.organ, []).append(value)
    return found


def _volumes(scores: Sequence[Score]) -> dict[str, Volumes]:
    found = {}
    for organ in dict.fromkeys(score.organ for score in scores if score.is_there):
        of = [score.figures for score in scores if score.organ == organ and score.is_there]
        reference, predicted, dsc = (
            [figures[name] or 0.0 for figures in of] for name in ("volume_reference_ml", "volume_predicted_ml", "dsc")
        )
        found[organ] = Volumes(reference, predicted, dsc)
    return found


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "\N{EN DASH}"
    return "∞" if value == float("inf") else f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _interval(ends: tuple[float, float] | None, digits: int) -> str:
    return "" if ends is None else f"{_number(ends[0], digits)} to {_number(ends[1], digits)}"
