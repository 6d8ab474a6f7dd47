"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtseg.core import OutputError


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary path in the folder of ``path``; what is written there becomes ``path`` when the block ends well.

    Then the bytes are on the disk (fsync of file and folder). If the block raises, the temporary file goes, and what
    was at ``path`` stays as it was. The file's mode follows the umask.
    Raises OutputError if something is at ``path`` and ``overwrite`` is false, if it is a folder, or if the folder is missing or
    cannot be written.
    """
    must_be_free(path, overwrite=overwrite)
    temporary = _beside(path)
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            yield temporary
            _to_disk(temporary)
            must_be_free(path, overwrite=overwrite)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _to_disk(path.parent)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {why(error)}") from error


@contextmanager
def whole_folder(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside ``path``; it becomes ``path`` when the block ends well, else it goes.

    Missing folders above are made. With ``overwrite`` the folder that was there is put aside first, put back if its place
    cannot be taken, and removed last. Raises OutputError as ``folder_must_be_free`` does, or if the folder cannot be written.
    """
    path = path.absolute()
    temporary, aside = _beside(path), _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder_must_be_free(path, overwrite=overwrite)
        temporary.mkdir()
        try:
            yield temporary
            folder_must_be_free(path, overwrite=overwrite)
            if path.exists():
                path.replace(aside)
            temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            if aside.exists():
                aside.replace(path)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {why(error)}") from error


def must_be_free(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError, naming the remedy, if a file cannot come to be at ``path``."""
    _must_be_writable(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder: name a file")
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"{path} exists already: name another file, or ask for overwriting with --overwrite")


def folder_must_be_free(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError, naming the remedy, if a folder cannot come to be at ``path``; an empty one there is fine."""
    _must_be_writable(path)
    if path.is_dir():
        if any(path.iterdir()) and not overwrite:
            raise OutputError(f"{path} holds something already: name another folder, or ask for overwriting with --overwrite")
    elif os.path.lexists(path):
        raise OutputError(f"{path} is a file: name a folder")


def _must_be_writable(path: Path) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: the folder {path.parent} does not exist. Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path} cannot be written: you have no right to write into the folder {path.parent}")


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def why(error: OSError) -> str:
    """The system's words; pydicom wraps them into an error without any, together with a traceback."""
    while error.strerror is None and isinstance(error.__cause__ or error.__context__, OSError):
        error = error.__cause__ or error.__context__  # type: ignore[assignment]  # an OSError, as just seen
    return error.strerror or str(error)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
