"""The HTML page about the contours of a CT."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rtseg import __version__
from rtseg.core import OutputError, StructureSet
from rtseg.dicom.atomic import whole_file
from rtseg.jobs.contour_order import ContourResult
from rtseg.metrics.cohort import Score
from rtseg.report import ContourReport, Provenance, write_report
from rtseg.systems import Bundle

PAGE = "report.html"


@dataclass(frozen=True)
class Comparison:
    """Manual contours of the same CT, and how the organs agree with them."""

    manual: StructureSet | None = None
    agreement: Mapping[str, Score] = field(default_factory=dict)


def page_must_be_free(folder: Path, *, overwrite: bool) -> None:
    """Raise OutputError, naming the remedy, if the page cannot come to be in ``folder``, which is made if missing."""
    if (folder / PAGE).exists() and not overwrite:
        raise OutputError(f"{folder / PAGE} exists already: name another folder, or ask for overwriting with --overwrite")
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise OutputError(f"the report cannot be written into {folder}: {there} is a file")
    if not os.access(there, os.W_OK):
        raise OutputError(f"the report cannot be written into {folder}: you have no right to write into {there}")


def write_page(result: ContourResult, folder: Path, model: Bundle, compared: Comparison | None = None) -> Path:
    """Write the page into ``folder`` and return its path. Raises OutputError if it cannot be written."""
    compared = compared or Comparison()
    report = ContourReport(
        case=result.name,
        ct=result.ct.volume,
        structures=result.structures,
        findings=result.findings,
        timings=result.timings,
        provenance=_provenance(result, model),
        limits=model.limits_in_words,
        confidence=result.confidence,
        synthetic_mr=result.synthetic_mr,
        manual=compared.manual,
        agreement=compared.agreement,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror or error}") from error
    with whole_file(folder / PAGE, overwrite=True) as page:
        write_report(report, page)
    return folder / PAGE


def _provenance(result: ContourResult, model: Bundle) -> Provenance:
    identity = result.ct.identity
    return Provenance(
        model=model.about.name,
        model_version=model.about.version,
        model_sha256=model.sha256,
        rtseg_version=__version__,
        date=f"{datetime.now():%Y-%m-%d %H:%M}",
        compute=result.compute,
        ct_series_uid="" if identity is None else identity.series_instance_uid,
        structure_set_uid=result.structure_set_uid or "",
    )
