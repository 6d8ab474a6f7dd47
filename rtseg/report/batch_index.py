"""The overview page of a batch: who was contoured, who was not and why, with a picture of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = Path(__file__).with_name("batch.html")


@dataclass(frozen=True)
class PatientCard:
    """One contoured patient. thumbnail, contours and report are links below the page's folder; report is empty if there is none.

    series: end of its UID, empty for a NIfTI CT; organs: ml, 0 if it was not found; findings: in words.
    """

    name: str
    series: str
    thumbnail: str
    contours: str
    report: str
    organs: Mapping[str, float]
    findings: Sequence[str]
    seconds: float


@dataclass(frozen=True)
class BatchPage:
    """The whole page; rows of failures and of what was left out are texts ready to print."""

    title: str
    model: str
    rtseg: str
    date: str
    patients: Sequence[PatientCard]
    failures: Sequence[tuple[str, str, str]]
    left_out: Sequence[tuple[str, str, str, str]]
    unfinished: int


def render_batch(page: BatchPage) -> str:
    """The page as text: one HTML file that needs nothing but the thumbnails beside it. Every name is escaped."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(page=page)
