"""What the page of an evaluation shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg import __version__
from rtseg.jobs.evaluate_tables import PAGE, about
from rtseg.metrics.cohort import Score
from rtseg.report.evaluation import EvaluationPage, PublishedRow, WorstCase, render_evaluation
from rtseg.report.overlay import Overlay
from rtseg.systems.published import read_published

if TYPE_CHECKING:
    from rtseg.jobs.evaluate import Evaluation


def write_page(evaluation: Evaluation, pictures: Mapping[tuple[str, str], Overlay], folder: Path) -> None:
    """Write the page into a folder that is there."""
    first = next(iter(evaluation.order.predicted))
    scores = {(score.organ, score.patient): score for score in evaluation.scores[first]}
    published, facts = read_published(), about(evaluation)
    rows = [
        PublishedRow(one.key, f"{one.what}; {one.where}", {organ: _with_sd(value) for organ, value in one.organs.items()})
        for one in published.sources
    ]
    organs = {organ for organ, _ in scores}
    cautions = [f"{one.key}: {one.cautions}" for one in published.sources if one.cautions and organs & set(one.organs)]
    page = EvaluationPage(
        title=" and ".join(evaluation.order.predicted),
        rtseg=__version__,
        date=f"{datetime.now():%Y-%m-%d %H:%M}",
        patients=evaluation.patients,
        predicted={label: str(path) for label, path in evaluation.order.predicted.items()},
        reference=str(evaluation.order.reference),
        scores=evaluation.scores,
        summaries=evaluation.summaries,
        whole=evaluation.whole,
        comparisons=evaluation.comparisons,
        worst=[_worst(scores[organ, patient], overlay) for (organ, patient), overlay in pictures.items()],
        published=rows,
        cautions=[*published.cautions, *cautions],
        gaps=list(_gaps(evaluation)),
        notes=evaluation.notes,
        surface=facts["surface"],
        definitions=facts["definitions"],
    )
    (folder / PAGE).write_text(render_evaluation(page), encoding="utf-8")


def _worst(score: Score, pictures: Overlay) -> WorstCase:
    dsc = score.figures["dsc"] or 0.0
    return WorstCase(score.organ, score.patient, dsc, score.figures["hd95_mm"], score.outcome.value, pictures)


def _with_sd(value: float | tuple[float, float]) -> str:
    return f"{value:.2f}" if isinstance(value, float) else f"{value[0]:.2f} ± {value[1]:.2f}"


def _gaps(evaluation: Evaluation) -> Iterator[tuple[str, str, str]]:
    """What was not compared, with the prediction it concerns and the names."""
    for patient, label, words in evaluation.failures:
        yield f"{patient} could not be compared", label, words
    for what, of in (
        ("patients without a prediction", evaluation.plan.without_prediction),
        ("patients without a reference", evaluation.plan.without_reference),
        ("organs that the prediction has in no patient: not scored", evaluation.not_predicted),
        ("organs that the reference has in no patient", evaluation.unmatched),
    ):
        for label, names in of.items():
            if names:
                yield f"{len(names)} {what}", label, ", ".join(names)
    if evaluation.in_vain:
        yield "organs asked for that no reference has", "", ", ".join(evaluation.in_vain)
    for words in evaluation.plan.left_out:
        yield "left out", "", words
