"""The models that ship, and one that is not what was bundled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ball_bundle import ORGANS, write_smr_bundle

from rtseg.jobs.list_models import list_models
from rtseg.systems import catalogue, shipped_bundles, verify_bundle


@pytest.fixture
def shelf(tmp_path: Path, ball_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder whose models/ holds the ball bundle twice."""
    for name in ("good", "spoilt"):
        shutil.copytree(ball_folder, tmp_path / "models" / name)
    monkeypatch.setattr(catalogue, "files", lambda _: tmp_path)
    return tmp_path / "models"


@pytest.fixture(scope="module")
def smr_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_smr_bundle(tmp_path_factory.mktemp("smr") / "both")


def test_whatever_ships_is_what_was_bundled() -> None:
    rows = list_models()
    assert [row.name for row in rows] == list(shipped_bundles())
    assert [row.error for row in rows if row.error is not None] == []


def test_a_model_is_told_by_name_version_organs_and_hash(shelf: Path, ball_folder: Path) -> None:
    good, _ = list_models()
    assert (good.name, good.version, good.organs, good.error) == ("good", "1.0", ORGANS, None)
    assert good.sha256 == verify_bundle(ball_folder)
    assert good.folder == shelf / "good"


def test_one_spoilt_file_is_named_and_the_other_models_stay(shelf: Path) -> None:
    with (shelf / "spoilt" / "segmenter.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        weights.write(b"\x55")
    good, spoilt = list_models()
    assert good.error is None
    assert spoilt.error is not None
    assert "segmenter.safetensors is not the file that was bundled" in spoilt.error


def test_a_missing_file_is_named(shelf: Path) -> None:
    (shelf / "spoilt" / "card.md").unlink()
    assert [row.error is None for row in list_models()] == [True, False]
    assert "card.md is missing" in str(list_models()[1].error)


def test_a_model_that_makes_a_synthetic_mr_says_so_and_one_that_contours_nothing_has_no_organs(
    smr_folder: Path, shelf: Path
) -> None:
    shutil.rmtree(shelf / "spoilt")
    both = shelf / "both"
    shutil.copytree(smr_folder, both)
    alone = shelf / "alone"
    shutil.copytree(both, alone)
    (alone / "segmenter.safetensors").unlink()
    lines = (alone / "SHA256SUMS").read_text().splitlines(keepends=True)
    (alone / "SHA256SUMS").write_text("".join(line for line in lines if "segmenter" not in line))
    assert {row.name: (row.organs, row.makes_mr) for row in list_models()} == {
        "alone": ((), True),
        "both": (ORGANS, True),
        "good": (ORGANS, False),
    }
