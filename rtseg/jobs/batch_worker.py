"""One patient on one worker: model loaded once, contours, picture and record written, every failure turned into a record."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtseg import __version__
from rtseg.core import BundleError, GeometryError, InputError, OutputError, RtsegError
from rtseg.dicom.atomic import whole_file, why
from rtseg.jobs.batch_order import MASKS, STRUCTURE_SET, THUMBNAIL, Errand
from rtseg.jobs.batch_record import Failure, Record, digests, is_done, must_be_ours, read_record, write_record
from rtseg.jobs.contour_order import ContourResult
from rtseg.jobs.contour_report import PAGE
from rtseg.jobs.stopwatch import Stopwatch

BUG = "This is a bug of rtseg, not of the CT: please report it with the traceback in batch.json"

_loaded: dict[tuple[str, int | None], Any] = {}
"""The model of this process, by hash and threads: one at a time, loaded for its first patient."""


def contour_patient(errand: Errand) -> Record:
    """Contour one patient, write everything, return its record. A patient that was done meanwhile is not done again.

    Whatever is raised becomes a record of a failure, so that the others go on. The record is written last.
    """
    before = None
    try:
        _must_be_visible(errand)
        with _alone(errand.place):
            before = read_record(errand.place)
            if before is not None and is_done(before, errand):
                return before
            record = _contoured(errand, before)
            write_record(record, errand.place)
            return record
    except Exception as error:  # noqa: BLE001  # the one place where a batch catches: at the patient
        return failed(errand, _failure(error), before)


def failed(errand: Errand, failure: Failure, before: Record | None) -> Record:
    """The record of a failure, written if it can be. Contours of an earlier run stay, and the reason tells so."""
    files = {} if before is None else before.files
    if files:
        made = "" if before is None else f", by {before.model}"
        failure = replace(failure, reason=f"{failure.reason} (The contours in {errand.place} were made earlier{made}.)")
    case = errand.case
    model = f"{errand.model} sha256:{errand.model_sha256[:8]}"
    record = Record(errand.key, case.name, case.series_uid, __version__, model, None, failure, files)
    with suppress(OutputError, OSError):
        errand.place.mkdir(parents=True, exist_ok=True)
        write_record(record, errand.place)
    return record


def dask_setup(_: Any) -> None:
    """Called by Dask in a worker of our own: Ctrl-C is for the command, which ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _contoured(errand: Errand, before: Record | None) -> Record:
    from rtseg.jobs.contour import contour_series

    place, case, watch = errand.place, errand.case, Stopwatch()
    must_be_ours(place, before, case.series_uid)
    _sweep(place)
    result = contour_series(errand.contour_order, _model(errand), watch)
    with watch.step("thumbnail"):
        _write_thumbnail(result, place)
    masks = [f"{MASKS}/{path.name}" for path in sorted((place / MASKS).glob("*"))] if case.is_nifti else [STRUCTURE_SET]
    names = [*masks, *([PAGE] if errand.options.report else []), THUMBNAIL]
    answer = result.as_dict()
    return Record(errand.key, case.name, case.series_uid, __version__, result.model, answer, None, digests(place, names))


def _model(errand: Errand) -> Any:
    from rtseg.systems import bundle_folder, load_bundle
    from rtseg.training import choose_compute

    known = (errand.model_sha256, _threads(errand))
    if known not in _loaded:
        _loaded.clear()
        bundle = load_bundle(bundle_folder(errand.model), choose_compute(_threads(errand)))
        if bundle.sha256 != errand.model_sha256:
            raise BundleError(
                f"the model {errand.model} on {socket.gethostname()} is not the one that the batch was started with "
                f"(sha256:{bundle.sha256[:8]}, not {errand.model_sha256[:8]}): install the same there"
            )
        _loaded[known] = bundle
    return _loaded[known]


def _threads(errand: Errand) -> int | None:
    """Those asked for, else those that the Dask worker was started with; outside of one, all."""
    from distributed import get_worker

    if errand.options.threads is not None:
        return errand.options.threads
    try:
        return int(get_worker().state.nthreads)
    except ValueError:
        return None


def _write_thumbnail(result: ContourResult, place: Path) -> None:
    from rtseg.report import thumbnail

    with whole_file(place / THUMBNAIL, overwrite=True) as file:
        file.write_bytes(thumbnail(result.ct.volume, result.structures))


def _must_be_visible(errand: Errand) -> None:
    """A worker on another computer needs the same folders at the same paths. Makes the patient's output folder."""
    unseen = [path for path in errand.case.files if not os.path.lexists(path)]
    if unseen:
        raise OutputError(f"{unseen[0]} is not there for the worker on {socket.gethostname()}: it was when the batch began")
    try:
        errand.place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{errand.place} cannot be made on {socket.gethostname()}: {why(error)}") from error


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Wait until nobody else works at this patient: a worker of a batch that was killed may still be at it."""
    handle = os.open(place, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sweep(place: Path) -> None:
    """Remove what a killed worker left half-written here; its name never was an output's."""
    from shutil import rmtree

    for rest in place.glob(".*.tmp"):
        if rest.is_dir():
            rmtree(rest, ignore_errors=True)
        else:
            rest.unlink(missing_ok=True)


def _failure(error: Exception) -> Failure:
    if isinstance(error, (InputError, GeometryError)):
        return Failure("refused", str(error))
    if isinstance(error, RtsegError):
        return Failure("not_now", str(error))
    if isinstance(error, MemoryError):
        return Failure("not_now", f"not enough memory on {socket.gethostname()} ({error}): use fewer workers or another computer")
    if isinstance(error, OSError):
        return Failure("not_now", f"{type(error).__name__} on {socket.gethostname()}: {error}", traceback.format_exc())
    return Failure("bug", f"{type(error).__name__}: {error}. {BUG}", traceback.format_exc())
