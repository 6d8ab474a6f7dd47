"""The page: self-contained, complete, and safe with any name."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from rtseg.core import EMPTY, Confidence, Finding, Geometry, OutputError, Structure, StructureSet, Volume
from rtseg.core.anatomy import organ
from rtseg.metrics import Outcome
from rtseg.metrics.cohort import Score
from rtseg.report import ContourReport, Provenance, write_report

GRID = Geometry.regular((30, 60, 80), (3.0, 2.0, 2.0), (-79.0, -59.0, -43.5))
PROVENANCE = Provenance("rtseg-ct-head", "1.2", "ab" * 32, "0.1.0", "2026-01-31 12:00")


def ball(left_mm: float, posterior_mm: float, radius_mm: float) -> Structure:
    z, y, x = (GRID.origin[axis] + GRID.axis_coordinates(2 - axis) for axis in (2, 1, 0))
    return Structure.from_full((z[:, None, None]) ** 2 + (y[:, None] - posterior_mm) ** 2 + (x - left_mm) ** 2 < radius_mm**2)


def agreement(outcome: Outcome, dsc: float, hd95_mm: float | None) -> Score:
    return Score("case-7", "organ", outcome, False, {"dsc": dsc, "hd95_mm": hd95_mm})


@pytest.fixture(scope="module")
def report() -> ContourReport:
    structures = {"Parotid_L": ball(40, 0, 15), "Parotid_R": ball(-40, 0, 15), "SpinalCord": ball(0, 30, 6), "Larynx": EMPTY}
    manual = {"Parotid_L": ball(42, 0, 15), "Larynx": ball(0, -20, 10), "SpinalCord": EMPTY}
    findings = [
        Finding("uneven_slices", "The gap below slice 12 is 6.0 mm, all others are 3.0 mm.", None, 6.0, 3.0),
        Finding("pieces", "Parotid_R is in 2 pieces.", "Parotid_R", 2, 1),
    ]
    image = np.full(GRID.shape, 40, np.int16)
    return ContourReport(
        case="case-7",
        ct=Volume(image, GRID),
        structures=StructureSet(GRID, structures),
        findings=findings,
        timings={"read the CT": 1.5, "segment": 20.25},
        provenance=PROVENANCE,
        limits="Adults only.\n\nNo metal.",
        manual=StructureSet(GRID, manual),
        agreement={
            "Parotid_L": agreement(Outcome.FOUND, 0.913, 2.04),
            "Larynx": agreement(Outcome.MISSED, 0.0, None),
            "SpinalCord": agreement(Outcome.FALSE_ORGAN, 0.0, None),
        },
    )


@pytest.fixture(scope="module")
def page(report: ContourReport, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert write_report(report, path) == path
    return path.read_text(encoding="utf-8")


def without_pictures(page: str) -> str:
    return re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "data:", page)


def pictures(page: str) -> dict[str, bytes]:
    """Alternative text -> PNG."""
    found = re.findall(r'<img src="data:image/png;base64,([A-Za-z0-9+/=]+)" alt="([^"]*)"', page)
    return {words: base64.b64decode(data) for data, words in found}


def test_page_needs_nothing_else(page: str) -> None:
    text = without_pictures(page)
    assert re.findall(r'src="(?!data:")', text) == []
    assert re.findall(r"http|<script|<link|@import|url\(|<iframe|javascript", text) == []
    assert re.findall(r'href="(?!#)', text) == []


def test_page_tells_everything(page: str, report: ContourReport) -> None:
    text = unescape(without_pictures(page))
    for words in [
        "case-7",
        "not a medical device",
        "needs review by a qualified human",
        "rtseg-ct-head",
        "ab" * 32,
        "2026-01-31 12:00",
    ]:
        assert words in text
    for words in [
        *report.structures,
        *(finding.words for finding in report.findings),
        "Adults only.",
        "No metal.",
        "segment",
        "21.8 s",
    ]:
        assert words in text
    assert text.index("What to look at") < text.index("Organs</h2>") < text.index("Overview") < text.index("Organ by organ")


def test_numbers_of_the_table(page: str, report: ContourReport) -> None:
    rows = {cells[0]: cells[1:] for cells in table_rows(without_pictures(page)) if cells[0] in report.structures.structures}
    assert rows["Parotid_L"] == [f"{report.structures.volume_ml('Parotid_L'):.1f}", "0.913", "2.0", ""]
    assert rows["Parotid_R"][1:] == ["\N{EN DASH}", "\N{EN DASH}", "pieces"]
    assert rows["Larynx"] == ["not found", "0.000", "missed", ""]
    assert rows["SpinalCord"][1:] == ["0.000", "false organ", ""]


def table_rows(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr><td>.*?</tr>", text, re.DOTALL)
    return [[re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)] for row in rows]


def test_every_organ_has_three_pictures_of_which_the_missed_one_shows_the_manual_contour(
    page: str, report: ContourReport
) -> None:
    shown = pictures(page)
    assert len(shown) == 3 + 3 * len(report.structures)
    for name in report.structures:
        assert {f"{view} plane with outlines: {name}" for view in ("axial", "coronal", "sagittal")} <= shown.keys()


@pytest.mark.parametrize("view", ["axial", "coronal"])
def test_left_organ_is_on_the_right_side_of_the_overview(page: str, view: str) -> None:
    from PIL import Image

    everything = "Parotid_L, Parotid_R, SpinalCord, Larynx"
    pixels = np.asarray(
        Image.open(io.BytesIO(pictures(page)[f"{view} plane with outlines: {everything}"])).convert("RGB")
    ).astype(int)
    for name, side in (("Parotid_L", 1), ("Parotid_R", -1)):
        known = organ(name)
        assert known is not None
        columns = np.nonzero(np.abs(pixels - known.colour).max(axis=-1) < 40)[1]
        assert len(columns) > 50
        assert (side * (columns - pixels.shape[1] / 2) > 0).all()


def test_predicted_dsc_is_shown_where_there_is_one(report: ContourReport, page: str, tmp_path: Path) -> None:
    assert "redicted DSC" not in page
    sure = {"Parotid_L": Confidence(0.95, 0.823, 0.712), "Parotid_R": Confidence(0.9)}
    text = write_report(replace(report, confidence=sure), tmp_path / "page.html").read_text(encoding="utf-8")
    rows = {cells[0]: cells[1:] for cells in table_rows(without_pictures(text)) if cells[0] in report.structures.structures}
    assert rows["Parotid_L"][1] == "0.82 (\N{GREATER-THAN OR EQUAL TO} 0.71)"
    assert rows["Parotid_R"][1] == rows["Larynx"][1] == "\N{EN DASH}"
    assert "no measurement of this contour" in text


def test_names_are_escaped(report: ContourReport, tmp_path: Path) -> None:
    nasty = '<script>alert("x")</script>'
    structures = StructureSet(GRID, {nasty: ball(0, 0, 10)})
    findings = [Finding("pieces", f"{nasty} & more", nasty)]
    poisoned = replace(
        report, case=nasty, structures=structures, findings=findings, limits=nasty, manual=None, timings={nasty: 1.0}
    )
    text = without_pictures(write_report(poisoned, tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 8
    assert "DSC" not in text


def test_report_without_any_organ_or_finding(report: ContourReport, tmp_path: Path) -> None:
    bare = ContourReport("case-8", report.ct, StructureSet(GRID, {}), [], {}, PROVENANCE)
    text = write_report(bare, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "found nothing that stands out" in text
    assert len(pictures(text)) == 3


def test_place_that_cannot_be_written_is_told(report: ContourReport, tmp_path: Path) -> None:
    bare = ContourReport("case-8", report.ct, StructureSet(GRID, {}), [], {}, PROVENANCE)
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(bare, tmp_path / "missing" / "page.html")


def test_importing_is_light() -> None:
    code = "import sys, rtseg.report; print([m for m in ('matplotlib', 'jinja2', 'scipy', 'PIL', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
