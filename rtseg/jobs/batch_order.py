"""What a user asks of `rtseg batch`, and what one worker is told about one patient."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtseg.jobs.batch_cases import BatchCase
from rtseg.jobs.contour_order import ContourOrder
from rtseg.jobs.contour_report import PAGE
from rtseg.jobs.writing import PLAINLY, Writing

STRUCTURE_SET = "RS.dcm"
MASKS = "masks"
THUMBNAIL = "thumbnail.png"


@dataclass(frozen=True)
class BatchOrder:
    """What a user asks of `rtseg batch`.

    source   folder with planning CTs; output: folder that mirrors it, neither in the other
    model    name of a model that ships, or a bundle's folder
    organs, body, allow_gaps: as for `rtseg contour`; report: an HTML page for each patient too
    workers  processes on this computer, None for one per four cores; not with ``scheduler``
    threads  of the network in each worker; None for cores / workers, or what a worker of ``scheduler`` was started with
    scheduler: address of a Dask scheduler whose workers do the work, None for this computer
    writing  names and fineness of the contours; nothing is appended in a batch
    retry_failed: try those again, too, whose CT was refused before and is the same still
    """

    source: Path
    output: Path
    model: str
    organs: tuple[str, ...] | None = None
    body: bool = False
    report: bool = False
    allow_gaps: bool = False
    workers: int | None = None
    threads: int | None = None
    scheduler: str | None = None
    retry_failed: bool = False
    writing: Writing = PLAINLY


@dataclass(frozen=True)
class Errand:
    """One patient as a worker is told: what to contour with which model, and where to put it.

    place: the patient's output folder; model: name or folder, model_sha256: what it must be there, too.
    key: the same for the same input, bundle and options that change contours; what it stands for is done once.
    """

    case: BatchCase
    place: Path
    model: str
    model_sha256: str
    options: BatchOrder
    key: str

    @classmethod
    def of(cls, case: BatchCase, order: BatchOrder, model: str, model_sha256: str) -> Errand:
        made_of: list[Any] = [case.fingerprint(), model_sha256, order.organs, order.body, order.allow_gaps]
        if order.writing != PLAINLY:
            made_of.append(order.writing.key)
        key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
        return cls(case, order.output / case.place, model, model_sha256, order, key)

    @property
    def contour_order(self) -> ContourOrder:
        """The same for `contour`. What is at the output is replaced: whose it is was looked at before."""
        case, options = self.case, self.options
        return ContourOrder(
            source=case.source,
            output=self.place / (MASKS if case.is_nifti else STRUCTURE_SET),
            organs=options.organs,
            body=options.body,
            report=self.place if options.report else None,
            series=case.series_uid or None,
            overwrite=True,
            allow_gaps=options.allow_gaps,
            files=None if case.is_nifti else case.files,
            writing=PLAINLY if case.is_nifti else options.writing,
        )

    @property
    def expected(self) -> tuple[str, ...]:
        """Files, by name, without which it is not done; masks stand in the record alone."""
        return (*(() if self.case.is_nifti else (STRUCTURE_SET,)), *((PAGE,) if self.options.report else ()), THUMBNAIL)
