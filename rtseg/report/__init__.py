"""Self-contained HTML pages about the contours of a case or of a batch, for the human who reviews them."""

from rtseg.report.batch_index import BatchPage, PatientCard, render_batch
from rtseg.report.contour_report import ContourReport, Provenance
from rtseg.report.page import write_report
from rtseg.report.thumbnail import thumbnail

__all__ = [
    "BatchPage",
    "ContourReport",
    "PatientCard",
    "Provenance",
    "render_batch",
    "thumbnail",
    "write_report",
]
