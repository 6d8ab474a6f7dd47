"""The overview page of a batch: everybody on it, names escaped, nothing fetched from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace

from rtseg.report import BatchPage, PatientCard, render_batch

CARD = PatientCard(
    name="<i>p01</i>",
    series="...12345678",
    thumbnail="a%20b/thumbnail.png",
    contours="a%20b/RS.dcm",
    report="",
    organs={"Brainstem": 25.04, "Larynx": 0.0},
    findings=["Larynx was not found on this scan."],
    seconds=12.34,
)
PAGE = BatchPage(
    "ward & co", "head_neck 1.0", "0.1.0", "2026-01-02 03:04", [CARD], [("p02", "refused", "too <few> slices")], [], 0
)


def test_everybody_is_told_and_escaped() -> None:
    page = render_batch(PAGE)
    for words in (
        "ward &amp; co",
        "&lt;i&gt;p01&lt;/i&gt;",
        "Brainstem 25.0 ml",
        "Larynx not found",
        "12.3 s",
        "too &lt;few&gt; slices",
    ):
        assert words in page
    assert "<i>" not in page
    assert "not done yet" not in page
    assert "Left out" not in page


def test_only_files_beside_it_are_needed() -> None:
    page = render_batch(replace(PAGE, patients=[replace(CARD, report="a%20b/report.html")]))
    assert set(re.findall(r'(?:src|href)="([^"]+)"', page)) == {"a%20b/thumbnail.png", "a%20b/RS.dcm", "a%20b/report.html"}


def test_many_findings_are_counted_and_an_unfinished_batch_says_so() -> None:
    page = render_batch(replace(PAGE, patients=[replace(CARD, findings=[f"finding {n}" for n in range(12)])], unfinished=3))
    assert "finding 7" in page
    assert "finding 8" not in page
    assert "and 4 more" in page
    assert "not done yet: the same command goes on" in page


def test_a_batch_in_which_nobody_was_contoured_says_so() -> None:
    assert "<p>None.</p>" in render_batch(replace(PAGE, patients=[]))
