"""The card of `head_neck`: tables of an evaluation, and how sure the model was of the same contours."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ablation import page, read_rows
from benchmark import Found

from rtseg import __version__
from rtseg.jobs.evaluate import Evaluation
from rtseg.jobs.evaluate_tables import range_table, table
from rtseg.metrics.cohort import Score
from rtseg.segmentation.confidence import REDRAW_BELOW, Calibration, Row, left_out, sorting_auc
from rtseg.systems import Bundle

CARD = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Judged:
    """One organ of one patient: what the model said of it, and its score; None where nobody contoured it."""

    found: Found
    score: Score | None

    @property
    def dsc(self) -> float | None:
        return None if self.score is None else self.score.figures["dsc"]


def judged(found: Sequence[Found], scores: Sequence[Score]) -> list[Judged]:
    """What the model said beside what the evaluation says."""
    by_place = {(score.patient, score.organ): score for score in scores}
    return [Judged(one, by_place.get((one.patient, one.organ))) for one in found]


def write_rows(rows: Sequence[Judged], file: Path) -> None:
    """How sure the model was of each contour, and how good it was; the other figures are in the evaluation's tables."""
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, [*(field.name for field in fields(Found)), "dsc"])
        writer.writeheader()
        writer.writerows({**asdict(row.found), "dsc": row.dsc} for row in rows)


def contours(rows: Sequence[Judged]) -> list[Row]:
    """What a calibration is made from: contours that were drawn, with how sure the model was of them."""
    return [
        Row(row.found.patient, row.found.organ, row.found.soft_dice, row.dsc)
        for row in rows
        if row.found.soft_dice is not None and row.dsc is not None
    ]


def card(model: Bundle, evaluation: Evaluation, rows: Sequence[Judged], made: dict[str, str]) -> str:
    """The bundle's card; made: size, hardware, hours, regions, ablation, in words."""
    (organs,) = evaluation.summaries.values()
    return CARD.read_text(encoding="utf-8").format(
        name=model.about.name,
        version=model.about.version,
        step=model.about.step,
        system=model.system.system,
        rtseg=__version__,
        table=table(organs),
        range_table=range_table(organs),
        calibration_table=calibration_table(model.limits.calibration, model.task.organs),
        sorting=sorting(contours(rows)),
        patients=evaluation.patients,
        **made,
    )


def calibration_table(calibration: Mapping[str, Calibration], organs: Sequence[str]) -> str:
    """What each organ's predicted DSC was made from, how far it was off, and what it is held against."""
    lines = ["| organ | n | pooled | error | margin | limit |", "|---|---|---|---|---|---|"]
    for organ in organs:
        of = calibration.get(organ)
        cells = (
            "0 | | not calibrated | |"
            if of is None
            else f"{of.patients} | {'yes' if of.pooled else 'no'} | {of.error:.3f} | {of.margin:.3f} | {of.limit:.2f}"
        )
        lines.append(f"| {organ} | {cells} |")
    return "\n".join(lines)


def sorting(rows: Sequence[Row]) -> str:
    """How well the DSC predicted without the patient's own rows sorts bad contours from others, in words."""
    known = [(predicted, row.dsc) for predicted, row in zip(left_out(rows), rows, strict=True) if predicted is not None]
    low = sum(dsc < REDRAW_BELOW for _, dsc in known)
    auc = sorting_auc([predicted for predicted, _ in known], [dsc for _, dsc in known])
    how_well = "no AUC can be told" if auc is None else f"the predicted DSC sorts them with an AUC of {auc:.2f}"
    return f"{low} of {len(known)} contours have a DSC under {REDRAW_BELOW}; {how_well}."


def ablated(file: Path | None) -> str:
    """The comparison that pipelines/ablation.py made, in Markdown, or the word that there is none."""
    return "It was not measured for this version." if file is None else page(read_rows(file))
