"""Decodes compressed slices in a process of its own: the C libraries that do it may crash, hang or go on over lost data.

``Decoder`` is the near side, ``answer_questions`` the far side.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydicom import config
from pydicom.uid import UID

from rtseg.dicom.data_set import PARSE_ERRORS, read_data_set, words_of

DECODE_S = 60.0
"""So long may one slice take; a CT slice takes some hundredths of a second, starting the process up to a second."""

DECODE_BYTES = 4 * 2**30
"""Memory of the process: a slice of 512 x 512 needs some MB, but a broken one may claim 65535 x 65535."""

LOST = re.compile("corrupt|premature|inconsistent|truncated|bogus|fail|error|bad ", re.IGNORECASE)
"""Words of decoders that went on although data were lost: the voxels are then wrong without any other sign."""

Stored = tuple[NDArray[np.generic], list[str]]
"""Stored values of one slice, and what was remarked on them."""


def stored_values(path: Path, syntax: str) -> Stored:
    """Stored values of one file in this transfer syntax, and what pydicom remarked on its pixels. Raises PARSE_ERRORS."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = read_data_set(path)
        data.file_meta.TransferSyntaxUID = UID(syntax, validation_mode=config.IGNORE)
        values: NDArray[np.generic] = data.pixel_array
    remarks = [str(warning.message) for warning in caught if "pixel" in str(warning.message).lower()]
    return values, remarks  # other remarks concern attributes that are checked where they are used


class Decoder:
    """Gives the stored values of slices; the process for compressed ones is started when first needed, ends with the block."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def stored_values(self, path: Path, syntax: str) -> Stored:
        """As the function of that name. Raises PARSE_ERRORS, also if the decoder crashed, hung or lost data."""
        uid = UID(syntax, validation_mode=config.IGNORE)
        if not (uid.is_transfer_syntax and uid.is_encapsulated):
            return stored_values(path, syntax)
        process = self._process or self._started()
        watch = threading.Timer(DECODE_S, process.kill)
        watch.start()
        try:
            return _asked(process, {"path": str(path), "syntax": syntax})
        except (OSError, EOFError) as error:
            self._end()
            raise RuntimeError(f"the decoder crashed, or took longer than {DECODE_S:g} s") from error
        finally:
            watch.cancel()

    def _started(self) -> subprocess.Popen[bytes]:
        program = f"from {__name__} import answer_questions; answer_questions()"
        self._process = subprocess.Popen(
            (sys.executable, "-P", "-c", program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _asked(process: subprocess.Popen[bytes], question: dict[str, str]) -> Stored:
    """The answer of the far side: a line of JSON, then the values. Raises EOFError if it breaks off."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(question).encode() + b"\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise EOFError
    answer = json.loads(line)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    dtype = np.dtype(answer["dtype"])
    content = process.stdout.read(dtype.itemsize * int(np.prod(answer["shape"])))
    if len(content) < dtype.itemsize * int(np.prod(answer["shape"])):
        raise EOFError
    return np.frombuffer(content, dtype).reshape(answer["shape"]), answer["remarks"]


def answer_questions() -> None:
    """Answer questions on standard input until it ends; what decoders print is caught."""
    _limit_memory()
    answers = os.fdopen(os.dup(1), "wb")
    with tempfile.TemporaryFile() as printed:
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
        for line in sys.stdin:
            head, values = _answer(json.loads(line), printed)
            answers.write(json.dumps(head).encode() + b"\n" + values)
            answers.flush()


def _answer(question: dict[str, str], printed: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    printed.seek(0)
    printed.truncate()
    try:
        values, remarks = stored_values(Path(question["path"]), question["syntax"])
    except (*PARSE_ERRORS, MemoryError) as error:
        return {"error": words_of(error)}, b""
    printed.seek(0)
    lost = [line for line in printed.read().decode(errors="replace").splitlines() if LOST.search(line)]
    if lost:
        return {"error": f"data are lost, the decoder says: {lost[0].strip()}"}, b""
    return {"remarks": remarks, "shape": values.shape, "dtype": values.dtype.str}, values.tobytes()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (DECODE_BYTES if hard < 0 else min(DECODE_BYTES, hard), hard))
