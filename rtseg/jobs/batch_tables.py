"""What a batch tells in the morning: summary.csv, failures.csv, left_out.csv and index.html, each whole at any moment."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rtseg import __version__
from rtseg.dicom.atomic import whole_file
from rtseg.dicom.find_series import UID_TAIL
from rtseg.jobs.batch_cases import BatchCase, Found
from rtseg.jobs.batch_order import MASKS, STRUCTURE_SET, THUMBNAIL, BatchOrder
from rtseg.jobs.batch_record import RECORD, Record
from rtseg.jobs.contour_report import PAGE
from rtseg.report import BatchPage, PatientCard, render_batch

SUMMARY = (
    "patient",
    "series",
    "organ",
    "volume_ml",
    "predicted_dsc",
    "dsc_at_least",
    "findings",
    "scan_findings",
    "seconds",
    "model",
)
FAILURES = ("patient", "series", "folder", "kind", "reason", "record")
LEFT_OUT = ("folder", "what", "files", "reason", "names")


@dataclass(frozen=True)
class BatchTables:
    """Everything that the tables show. records grows while patients are contoured; one without a record is not done yet."""

    order: BatchOrder
    model: str
    found: Found
    records: dict[str, Record]


def write_tables(tables: BatchTables) -> None:
    """Write all four into the output folder. Raises OutputError if one cannot be written; the old one stays then."""
    output = tables.order.output
    failures = list(_failures(tables))
    _write_csv(output / "summary.csv", SUMMARY, _summary(tables))
    _write_csv(output / "failures.csv", FAILURES, failures)
    _write_csv(output / "left_out.csv", LEFT_OUT, _left_out(tables))
    with whole_file(output / "index.html", overwrite=True) as file:
        file.write_bytes(render_batch(_page(tables)).encode("utf-8", "backslashreplace"))


def _summary(tables: BatchTables) -> Iterable[Sequence[Any]]:
    """One row per patient and organ."""
    for case, record in _known(tables):
        answer = record.answer
        if answer is None:
            continue
        of_scan = _kinds(answer, None)
        for organ, ml in answer["volumes_ml"].items():
            sure = answer["confidence"].get(organ, {})
            dsc = (sure.get("predicted_dsc"), sure.get("at_least"))
            yield (
                case.name,
                _tail(case),
                organ,
                ml,
                *dsc,
                _kinds(answer, organ),
                of_scan,
                round(record.seconds or 0, 1),
                record.model,
            )


def _failures(tables: BatchTables) -> Iterable[Sequence[Any]]:
    """One row per patient that has no contours."""
    for case, record in _known(tables):
        if record.failure is not None:
            where = tables.order.output / case.place / RECORD
            yield case.name, _tail(case), str(case.source), record.failure.kind, record.failure.reason, str(where)


def _left_out(tables: BatchTables) -> Iterable[Sequence[Any]]:
    for row in tables.found.left_out:
        yield str(row.folder), row.what, row.files, row.reason, row.examples


def _page(tables: BatchTables) -> BatchPage:
    known = list(_known(tables))
    return BatchPage(
        title=tables.order.source.name,
        model=tables.model,
        rtseg=__version__,
        date=f"{datetime.now():%Y-%m-%d %H:%M}",
        patients=[_card(case, record) for case, record in known if record.answer is not None],
        failures=[(c.name, r.failure.kind.replace("_", " "), r.failure.reason) for c, r in known if r.failure is not None],
        left_out=[
            (str(row.folder.relative_to(tables.order.source)), f"{row.what}: {row.examples}", str(row.files), row.reason)
            for row in tables.found.left_out
        ],
        unfinished=len(tables.found.cases) - len(known),
    )


def _card(case: BatchCase, record: Record) -> PatientCard:
    answer = record.answer or {}
    return PatientCard(
        name=case.name,
        series=f"...{_tail(case)}" if case.series_uid else "",
        thumbnail=_link(case.place / THUMBNAIL),
        contours=_link(case.place / (MASKS if case.is_nifti else STRUCTURE_SET)),
        report=_link(case.place / PAGE) if PAGE in record.files else "",
        organs=answer["volumes_ml"],
        findings=[finding["words"] for finding in answer["findings"]],
        seconds=record.seconds or 0.0,
    )


def _known(tables: BatchTables) -> Iterable[tuple[BatchCase, Record]]:
    return ((case, tables.records[case.name]) for case in tables.found.cases if case.name in tables.records)


def _kinds(answer: Any, organ: str | None) -> str:
    """Kinds of the findings about an organ, or about the whole scan; their words stand in index.html."""
    return "; ".join(finding["kind"] for finding in answer["findings"] if finding["organ"] == organ)


def _tail(case: BatchCase) -> str:
    return case.series_uid[-UID_TAIL:]


def _link(path: Path) -> str:
    return quote(str(path), errors="surrogateescape")


def _write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Names that are no text in any encoding are written with their bytes spelt out."""
    with whole_file(path, overwrite=True) as file, file.open("w", newline="", encoding="utf-8", errors="backslashreplace") as out:
        writer = csv.writer(out)
        writer.writerow(head)
        writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
