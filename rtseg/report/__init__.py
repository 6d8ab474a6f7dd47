"""One self-contained HTML page about the contours of a case, for the human who reviews them."""

from rtseg.report.contour_report import Agreement, ContourReport, Provenance
from rtseg.report.page import write_report

__all__ = ["Agreement", "ContourReport", "Provenance", "write_report"]
