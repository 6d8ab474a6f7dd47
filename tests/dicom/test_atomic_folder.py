"""A folder is there whole or not at all, and what was there before stays until its successor is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtseg.core import OutputError
from rtseg.dicom.atomic import whole_folder


def held(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def put(path: Path, name: str, *, overwrite: bool = False) -> None:
    """A folder with one file of this name in it; ``broken`` fails, ``late`` finds its place taken."""
    with whole_folder(path, overwrite=overwrite) as folder:
        (folder / name).touch()
        if name == "broken":
            raise RuntimeError
        if name == "late":
            path.mkdir()
            (path / "theirs").touch()


def test_a_new_folder_has_what_was_written(tmp_path: Path) -> None:
    put(tmp_path / "a" / "b", "mask")
    assert held(tmp_path) == ["a", "a/b", "a/b/mask"]


def test_an_error_leaves_nothing_new_and_everything_old(tmp_path: Path) -> None:
    put(tmp_path / "b", "old")
    with pytest.raises(RuntimeError):
        put(tmp_path / "b", "broken", overwrite=True)
    assert held(tmp_path) == ["b", "b/old"]


def test_overwriting_replaces_the_whole(tmp_path: Path) -> None:
    put(tmp_path / "b", "old")
    with pytest.raises(OutputError, match=r"holds something already.*--overwrite"):
        put(tmp_path / "b", "new")
    put(tmp_path / "b", "new", overwrite=True)
    assert held(tmp_path) == ["b", "b/new"]


def test_an_empty_folder_is_taken_and_a_file_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path)
    put(Path("b"), "new")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file: name a folder"):
        put(Path("file"), "new", overwrite=True)
    with pytest.raises(OutputError, match="cannot be written"):
        put(Path("file/c"), "new")
    assert held(tmp_path) == ["b", "b/new", "file"]


def test_what_comes_in_between_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds something already"):
        put(tmp_path / "b", "late")
    assert held(tmp_path) == ["b", "b/theirs"]
