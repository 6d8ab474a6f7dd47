"""The page of a reader study in a real browser: keys, going on after a reload, and the file that comes out."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from browser import Page, browser

from rtseg.core import Geometry, Volume
from rtseg.data import write_nifti
from rtseg.jobs.reader_study import StudyOrder, make_study, score_study

pytestmark = pytest.mark.conformance

GRID = Geometry.regular((20, 40, 40), (4.0, 4.0, 4.0), (-78.0, -78.0, -38.0))


@pytest.fixture
def study(tmp_path: Path) -> tuple[Path, Path]:
    away = np.linalg.norm(GRID.points(np.moveaxis(np.indices(GRID.shape), 0, -1)), axis=-1)
    for n, kind in enumerate(("real", "real", "synthetic", "synthetic")):
        (tmp_path / kind).mkdir(exist_ok=True)
        write_nifti(Volume((300.0 * (away < 50 + n)).astype(np.float32), GRID), tmp_path / kind / f"p{n}.nii.gz")
    page, key = tmp_path / "page" / "study.html", tmp_path / "key.json"
    page.parent.mkdir()
    make_study(StudyOrder(tmp_path / "real", tmp_path / "synthetic", page, key, slices=1, seed=1))
    return page, key


def begin(tab: Page, page: Path, name: str) -> None:
    tab.open(page)
    tab.write(name)
    tab.press("Enter")
    tab.until("!document.getElementById('reading').hidden")


def shown(tab: Page) -> str:
    """Token of the one image that can be seen."""
    tokens = tab.ask("[...document.querySelectorAll('.item')].filter(i => i.offsetParent).map(i => i.dataset.token)")
    assert len(tokens) == 1
    return str(tokens[0])


def saved(folder: Path) -> Path:
    for _ in range(200):
        if files := list(folder.glob("*.json")):
            return files[0]
        time.sleep(0.05)
    raise AssertionError("no file was saved")


def test_a_study_is_read_by_keyboard_and_scored(study: tuple[Path, Path], tmp_path: Path) -> None:
    page, key = study
    truth = {token: item["truth"] for token, item in json.loads(key.read_text())["items"].items()}
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with browser(tmp_path / "profile") as tab:
        tab.downloads_go_to(downloads)
        begin(tab, page, "Reader A")
        seen = [shown(tab)]
        tab.press("r" if truth[seen[0]] == "real" else "s")
        assert shown(tab) == seen[0], "an image stays until both are answered"
        tab.press("4")
        seen.append(shown(tab))
        tab.press("s")
        tab.press("ArrowLeft")
        assert shown(tab) == seen[0]
        assert tab.ask("document.querySelector('[data-grade=\"4\"]').getAttribute('aria-pressed')") == "true"

        begin(tab, page, "Reader A")  # the page is loaded anew: the same name goes on with the second image
        assert shown(tab) == seen[1]
        assert tab.ask("document.getElementById('done').textContent") == "1 answered"
        tab.press("r" if truth[seen[1]] == "real" else "s")
        tab.press("1")
        for wrong in (False, True):
            token = shown(tab)
            seen.append(token)
            tab.press("r" if (truth[token] == "real") != wrong else "s")
            tab.press("2")
        tab.until("!document.getElementById('end').hidden")
        file = saved(downloads)
    assert sorted(seen) == sorted(truth)
    assert file.name == "answers_Reader_A.json"
    (reader,) = score_study(key, [file]).readers
    assert (reader.reader, reader.answered, reader.rates.accuracy) == ("Reader A", 4, 0.75)


def test_what_a_reader_gets_tells_nothing(study: tuple[Path, Path], tmp_path: Path) -> None:
    """Neither the page nor what it loads names a patient or the truth, and all pictures have one size."""
    page, _ = study
    with browser(tmp_path / "profile") as tab:
        begin(tab, page, "B")
        sizes = tab.ask("[...new Set([...document.images].map(i => i.naturalWidth + 'x' + i.naturalHeight))]")
        assert len(sizes) == 1
        assert tab.ask("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length") == 0
    text = page.read_text()
    assert ".nii" not in text
