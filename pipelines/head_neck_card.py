"""The figures of the card of `head_neck`: rows, one per patient and organ, and the tables in Markdown made from them."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ablation import page, read_rows

from rtseg import __version__
from rtseg.core import Mask
from rtseg.metrics import dsc, dsc_in_reference_range, hd95_in_reference_range_mm, hd95_mm
from rtseg.segmentation.confidence import REDRAW_BELOW, Calibration, Row, left_out, sorting_auc
from rtseg.systems import Bundle

CARD = Path(__file__).with_suffix(".md")

OUTCOMES = {(True, True): "found", (True, False): "missed", (False, True): "false organ", (False, False): "true absence"}
"""By whether the organ is there and whether it was drawn (METRICS, absent organs)."""

HEAD = """| organ | n | missed | false | DSC mean | median | lowest | HD95 mm mean (n) | median |
|---|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Judged:
    """One organ of one patient: volumes are of the automatic contour; no figure where METRICS leaves it blank.

    in reference range: of open-ended organs only. soft_dice: how sure the model was, of contours that were drawn. findings:
    kinds about the organ or the scan, separated by blanks.
    """

    patient: str
    organ: str
    dsc: float | None
    hd95_mm: float | None
    dsc_in_reference_range: float | None
    hd95_in_reference_range_mm: float | None
    soft_dice: float | None
    volume_ml: float
    outcome: str
    findings: str


@dataclass(frozen=True)
class Found:
    """What the model said of one organ of one patient, beside its contour."""

    patient: str
    organ: str
    soft_dice: float | None
    findings: str


def judged(found: Found, manual: Mask, drawn: Mask, *, is_open_ended: bool) -> Judged:
    """The figures of one organ: ``drawn`` against ``manual``."""
    return Judged(
        patient=found.patient,
        organ=found.organ,
        dsc=dsc(manual, drawn),
        hd95_mm=hd95_mm(manual, drawn),
        dsc_in_reference_range=dsc_in_reference_range(manual, drawn) if is_open_ended else None,
        hd95_in_reference_range_mm=hd95_in_reference_range_mm(manual, drawn) if is_open_ended else None,
        soft_dice=found.soft_dice,
        volume_ml=drawn.volume_ml,
        outcome=OUTCOMES[bool(manual.array.any()), bool(drawn.array.any())],
        findings=found.findings,
    )


def write_rows(rows: Sequence[Judged], file: Path) -> None:
    """The figures behind the card, one row per patient and organ."""
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, [field.name for field in fields(Judged)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def contours(rows: Sequence[Judged]) -> list[Row]:
    """What a calibration is made from: contours that were drawn, with how sure the model was of them."""
    return [Row(r.patient, r.organ, r.soft_dice, r.dsc) for r in rows if r.soft_dice is not None and r.dsc is not None]


def card(model: Bundle, rows: Sequence[Judged], made: dict[str, str]) -> str:
    """The bundle's card, its tables made from the rows just judged; made: size, hardware, hours, regions, ablation, in words."""
    return CARD.read_text(encoding="utf-8").format(
        name=model.about.name,
        version=model.about.version,
        step=model.about.step,
        system=model.system.system,
        rtseg=__version__,
        table=table(rows, model.task.organs),
        range_table=range_table(rows, model.task.open_ended),
        calibration_table=calibration_table(model.limits.calibration, model.task.organs),
        sorting=sorting(contours(rows)),
        patients=len({row.patient for row in rows}),
        **made,
    )


def table(rows: Sequence[Judged], organs: Sequence[str]) -> str:
    """Every organ against the whole manual contour, and the mean over organs."""
    lines, means = [], []
    for organ in organs:
        there = _with_reference(rows, organ)
        dice = [row.dsc or 0.0 for row in there]
        false = sum(row.organ == organ and row.outcome == "false organ" for row in rows)
        lines.append(_line(organ, dice, [row.hd95_mm for row in there], str(false)))
        means += [statistics.mean(dice)] if dice else []
    return "\n".join([HEAD, *lines, f"| mean over organs | | | | {statistics.mean(means):.3f} | | | | |"])


def range_table(rows: Sequence[Judged], open_ended: Sequence[str]) -> str:
    """The same for open-ended organs, between the ends of the manual contour only; missed: nothing was drawn there."""
    lines = []
    for organ in open_ended:
        there = _with_reference(rows, organ)
        dice = [row.dsc_in_reference_range or 0.0 for row in there]
        lines.append(_line(organ, dice, [row.hd95_in_reference_range_mm for row in there], ""))
    return "\n".join([HEAD, *lines])


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


def _with_reference(rows: Sequence[Judged], organ: str) -> list[Judged]:
    """Patients in whom the organ was contoured and is there: false organs are counted apart."""
    return [row for row in rows if row.organ == organ and row.outcome in ("found", "missed")]


def _line(organ: str, dice: Sequence[float], distances: Sequence[float | None], false: str) -> str:
    """Misses count as 0 in every DSC figure, have no distance in the mean, and count as infinite in its median."""
    if not dice:
        return f"| {organ} | 0 | | {false} | | | | | |"
    known = [mm for mm in distances if mm is not None]
    median = statistics.median(float("inf") if mm is None else mm for mm in distances)
    mean = f"{statistics.mean(known):.1f} " if known else ""
    return (
        f"| {organ} | {len(dice)} | {len(dice) - len(known)} | {false} | {statistics.mean(dice):.3f} "
        f"| {statistics.median(dice):.3f} | {min(dice):.3f} | {mean}({len(known)}) | {median:.1f} |"
    )
