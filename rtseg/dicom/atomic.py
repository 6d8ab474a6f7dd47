"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
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
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
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
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def must_be_free(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError, naming the remedy, if a file cannot come to be at ``path``."""
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: the folder {path.parent} does not exist. Make it first.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder: name a file")
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"{path} exists already: name another file, or ask for overwriting")


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
