"""Many planning CTs: each below a folder is contoured once, by several workers; whatever is not is told with its reason."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rtseg.core import BundleError, ConfigError, InputError, OutputError
from rtseg.dicom.atomic import why
from rtseg.jobs.batch_cases import Found, find_cases
from rtseg.jobs.batch_dask import TRIES, WorkerLost, cores, each_done, local_workers, workers_of
from rtseg.jobs.batch_order import BatchOrder, Errand
from rtseg.jobs.batch_record import Failure, Record, is_done, is_remembered, read_record
from rtseg.jobs.batch_tables import BatchTables, write_tables
from rtseg.jobs.batch_worker import contour_patient, failed
from rtseg.systems import bundle_folder, read_task, shipped_bundles, verify_bundle
from rtseg.systems.bundle import CONTOURS_NOTHING, SEGMENTER

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["BatchOrder", "BatchResult", "run_batch"]

CORES_A_WORKER = 4
"""Without --workers there is one for so many cores: fewer threads are better used, but each worker has its own memory."""

TABLES_EVERY_S = 30.0
"""So often the tables are written while patients are being contoured."""

WORKER = "rtseg.jobs.batch_worker"


class Progress(Protocol):
    """A bar: how many there are and how many were done before, and a word for each that ends."""

    def begin(self, total: int, done: int = 0) -> None: ...

    def advance(self, words: str) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class BatchResult:
    """What became of every patient, and of what is no patient.

    records: of all patients, by name, those done before too; done_now: those contoured this time; remembered: those that
    failed before and were not tried again, because their input is the same.
    """

    output: Path
    records: dict[str, Record]
    done_now: tuple[str, ...]
    remembered: tuple[str, ...]
    left_out: int

    @property
    def failures(self) -> dict[str, Failure]:
        return {name: record.failure for name, record in self.records.items() if record.failure is not None}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "output": str(self.output),
            "contoured": len(self.records) - len(self.failures),
            "contoured_now": len(self.done_now),
            "failed": {name: failure.reason for name, failure in self.failures.items()},
            "not_tried_again": list(self.remembered),
            "left_out": self.left_out,
        }


def run_batch(order: BatchOrder, heard: Callable[[str], None], progress: Progress) -> BatchResult:
    """Contour every CT below ``order.source`` that is not done yet; write summary, failures, what was left out and the page.

    A patient that fails stops nobody. The tables are written however it ends; killed at any moment, the same order goes on.
    Raises an RtsegError in the user's words if the batch as a whole cannot be: folders, model, options, scheduler.
    """
    order = _placed(order)
    model, sha256 = _model(order)
    with _only_batch(order.output):
        found = _kept(find_cases(order.source, heard), order.output)
        errands = [Errand.of(case, order, model, sha256) for case in found.cases]
        before = {errand.case.name: read_record(errand.place) for errand in errands}
        done = [errand for errand in errands if is_done(before[errand.case.name], errand)]
        passed = [] if order.retry_failed else [e for e in errands if is_remembered(before[e.case.name], e)]
        to_do = [errand for errand in errands if errand not in done and errand not in passed]
        heard(f"{len(errands)} CTs: {len(done)} done before, {len(passed)} refused before, {len(to_do)} to contour")
        records = {e.case.name: record for e in (*done, *passed) if (record := before[e.case.name]) is not None}
        tables = BatchTables(order, _label(model, sha256), found, records)
        try:
            progress.begin(len(errands), len(records))
            _work(order, to_do, before, tables, progress)
        finally:
            progress.end()
            _catch_up(tables, to_do)
            write_tables(tables)
    _must_hold_a_ct(found, order)
    now = tuple(errand.case.name for errand in to_do if records[errand.case.name].failure is None)
    return BatchResult(order.output, records, now, tuple(errand.case.name for errand in passed), len(found.left_out))


def _work(
    order: BatchOrder, errands: list[Errand], before: dict[str, Record | None], tables: BatchTables, progress: Progress
) -> None:
    """Have all contoured, and their records put into the tables one by one."""
    if not errands:
        return
    written = time.monotonic()
    with _workers(order) as client:
        for errand, answer in each_done(client, contour_patient, errands):
            record = answer if isinstance(answer, Record) else failed(errand, _lost(answer), before[errand.case.name])
            tables.records[errand.case.name] = record
            progress.advance(f"{errand.case.name}: {_verdict(record)}")
            if time.monotonic() - written > TABLES_EVERY_S:
                with suppress(OutputError):  # there may be room again at the end
                    write_tables(tables)
                written = time.monotonic()


def _catch_up(tables: BatchTables, errands: list[Errand]) -> None:
    """Put those into the tables that were done while the batch was being stopped."""
    for errand in errands:
        record = read_record(errand.place) if errand.case.name not in tables.records else None
        if record is not None and is_done(record, errand):
            tables.records[errand.case.name] = record


def _workers(order: BatchOrder) -> AbstractContextManager[Client]:
    if order.scheduler is not None:
        return workers_of(order.scheduler)
    return local_workers(order.workers or 1, WORKER)


def _verdict(record: Record) -> str:
    """In a few words: the reason of a failure is told at the end and stands in failures.csv."""
    if record.failure is not None:
        return record.failure.kind.replace("_", " ")
    return f"contoured in {record.seconds:.1f} s"


def _lost(answer: Exception) -> Failure:
    if isinstance(answer, WorkerLost):
        reason = (
            f"{TRIES} workers that had this patient went down, the last with nothing beside it: most often there is too little "
            "memory for it. Contour it with `rtseg contour` on a computer with more, or with fewer --workers and --retry-failed."
        )
        return Failure("worker_lost", reason)
    return Failure("not_now", f"the worker could not take this patient: {type(answer).__name__}: {answer}")


def _placed(order: BatchOrder) -> BatchOrder:
    """The order with whole paths, workers and threads; raises what is wrong with them. Makes the output folder."""
    source, output = order.source.resolve(), order.output.resolve()
    if not source.is_dir():
        raise InputError(
            f"{order.source} is no folder: a folder with planning CTs was expected, one sub-folder or series a patient"
        )
    if source.is_relative_to(output) or output.is_relative_to(source):
        raise ConfigError(f"{order.output} and {order.source} lie in each other: name an output folder outside of the input")
    if order.scheduler is not None and order.workers is not None:
        raise ConfigError("--workers is for this computer; the workers of --scheduler are started beside it, with `dask worker`")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{order.output} cannot be made: {why(error)}") from error
    if not os.access(output, os.W_OK):
        raise OutputError(f"{order.output} cannot be written: you have no right to write into it")
    if order.scheduler is not None:
        return replace(order, source=source, output=output)
    workers = order.workers or max(1, cores() // CORES_A_WORKER)
    threads = order.threads or max(1, cores() // workers)
    return replace(order, source=source, output=output, workers=workers, threads=threads)


def _model(order: BatchOrder) -> tuple[str, str]:
    """What a worker calls the model by, and its hash. Raises BundleError, and ConfigError for organs it does not know."""
    folder = bundle_folder(order.model)
    sha256 = verify_bundle(folder)
    if not (folder / SEGMENTER).is_file():
        raise BundleError(CONTOURS_NOTHING.format(order.model))
    known = read_task(str(folder / "task.yaml")).organs
    unknown = [name for name in order.organs or () if name not in known]
    if unknown:
        raise ConfigError(f"the model {order.model} has no {', '.join(unknown)}; it has {', '.join(known)}")
    if order.organs == () and not order.body:
        raise ConfigError(f"no organ is asked for; the model {order.model} has {', '.join(known)}")
    return order.model if order.model in shipped_bundles() else str(folder.resolve()), sha256


def _kept(found: Found, output: Path) -> Found:
    """Contours stay where they are when a second series comes into their folder: not made again below it."""
    cases = []
    for case in found.cases:
        above = case.place.parent
        record = read_record(output / above) if case.series_uid and case.place.name in (case.tail, case.series_uid) else None
        was_there = record is not None and record.series_uid == case.series_uid
        cases.append(replace(case, place=above) if was_there else case)
    return replace(found, cases=tuple(cases))


def _label(model: str, sha256: str) -> str:
    return f"{Path(model).name} sha256:{sha256[:8]}"


@contextmanager
def _only_batch(output: Path) -> Iterator[None]:
    """Raise OutputError if another batch writes into this folder now."""
    handle = os.open(output, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise OutputError(f"another `rtseg batch` writes into {output} now: wait for it, or name another folder") from error
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(handle)


def _must_hold_a_ct(found: Found, order: BatchOrder) -> None:
    if not found.cases:
        raise InputError(
            f"no CT below {order.source}; what is there instead stands in {order.output / 'left_out.csv'}. "
            "Expected: folders with the axial CT images of one patient each, or NIfTI CTs."
        )
