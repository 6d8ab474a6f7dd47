"""Patients over workers, one at a time on each, by Dask; one that takes its worker down twice is passed over."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rtseg import __version__
from rtseg.core import ConfigError, RtsegError

if TYPE_CHECKING:
    from distributed import Client, Future

Task = TypeVar("Task")
Answer = TypeVar("Answer")

TRIES = 2
"""So often is a patient given to a worker that goes down with it."""

WITHOUT_WORKER_S = 120.0
"""So long a batch waits for a worker when there is none."""

LOOK_EVERY_S = 0.5
"""Seconds between two looks at which workers are there."""


class WorkerLost(Exception):  # noqa: N818  # what happened, not what to mend
    """The workers that had this task went down with it, each time."""


def cores() -> int:
    """Those that this process may use."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


@contextmanager
def local_workers(workers: int, preload: str) -> Iterator[Client]:
    """Worker processes on this computer, reached from here only; each is started again when it goes down.

    A worker that needs more than its share of the memory is ended. preload: a module whose ``dask_setup`` each calls first.
    Raises ConfigError if they cannot be started.
    """
    import dask
    from distributed import Client, LocalCluster

    preloads = [*dask.config.get("distributed.worker.preload"), preload]
    settings = {
        "distributed.worker.preload": preloads,
        "distributed.worker.preload-argv": [[] for _ in preloads],
        "distributed.worker.profile.enabled": False,
        "distributed.deploy.lost-worker-timeout": "1 day",  # a busy computer starts a worker again in more than Dask's 15 s
        **{f"distributed.worker.memory.{what}": False for what in ("target", "spill", "pause")},
    }
    local, quiet = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}, logging.CRITICAL
    with dask.config.set(settings):
        try:
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, scheduler_kwargs=local, silence_logs=quiet)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise ConfigError(f"{workers} workers cannot be started on this computer: {error}. Try fewer --workers.") from error
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def workers_of(scheduler: str) -> Iterator[Client]:
    """The workers of a Dask scheduler.

    Raises ConfigError if it does not answer, has no worker, or a worker has no rtseg or another version of it.
    """
    from distributed import Client

    _silence()
    try:
        client = Client(scheduler, timeout=20)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at {scheduler} ({error}): start one with `dask scheduler` and give the address it prints"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WITHOUT_WORKER_S)
        except TimeoutError as error:
            raise _no_worker() from error
        _must_have_rtseg(client)
        yield client


def each_done(client: Client, call: Callable[[Task], Answer], tasks: Sequence[Task]) -> Iterator[tuple[Task, Answer | Exception]]:
    """``call`` of every task on some worker, in the order in which they end; an exception stands in an answer's place.

    A worker has one task at a time, so that nobody but that task can have brought it down. A task whose worker went down is
    tried again when all others are done, with nothing beside it, so that it takes no other's memory and none takes its own; if
    that worker goes down too, its answer is WorkerLost.

    Raises ConfigError if there is no worker for a long time, or the scheduler is lost.
    """
    first, again, running = deque(tasks), deque[Task](), dict["Future[Any]", _Running[Task]]()
    begun, seen = 0, time.monotonic()
    try:
        while first or again or running:
            workers = _workers(client)
            for future in [future for future, run in running.items() if future.done() or run.worker not in workers]:
                run, answer = running.pop(future), _answer(client, future)
                _forget(future)
                if isinstance(answer, WorkerLost) and run.tries < TRIES:
                    again.append(run.task)
                else:
                    yield run.task, answer
            busy = {run.worker for run in running.values()}
            for worker in (worker for worker, works in workers.items() if works and worker not in busy):
                if first or (again and not running):
                    tries = 1 if first else TRIES
                    run = _Running((first or again).popleft(), worker, tries)
                    begun += 1
                    running[_start(client, call, run, begun)] = run
            seen = time.monotonic() if workers else seen
            if time.monotonic() - seen > WITHOUT_WORKER_S:
                raise _no_worker()
            _wait(running)
    finally:
        for future in running:
            _forget(future)


@dataclass(frozen=True)
class _Running(Generic[Task]):
    task: Task
    worker: str
    tries: int


def _start(client: Client, call: Callable[[Task], Answer], run: _Running[Task], number: int) -> Future[Any]:
    key = f"rtseg-{os.getpid()}-{number}"
    return client.submit(call, run.task, key=key, workers=[run.worker], allow_other_workers=False, pure=False)


def _answer(client: Client, future: Future[Any]) -> Any:
    """The result, the exception that was raised, or WorkerLost where the worker is gone, with its result or without.

    Raises ConfigError if it is the scheduler that is gone: then nobody is to blame.
    """
    from distributed import KilledWorker

    status = future.status
    try:
        if status == "finished":
            return future.result()
        if status == "error" and not isinstance(error := future.exception(), KilledWorker):
            return error
    except (OSError, TimeoutError, CancelledError):  # on the way here; what a task raises comes as its exception
        pass
    _workers(client)
    return WorkerLost()


def _forget(future: Future[Any]) -> None:
    with suppress(Exception):  # the scheduler may be gone: then it has forgotten
        future.cancel()


def _wait(running: Collection[Future[Any]]) -> None:
    """Until one ends, or it is time to look at the workers."""
    from distributed import wait

    if not running:
        time.sleep(LOOK_EVERY_S)
        return
    with suppress(TimeoutError, CancelledError):
        wait(list(running), timeout=LOOK_EVERY_S, return_when="FIRST_COMPLETED")


def _workers(client: Client) -> dict[str, bool]:
    """Addresses of the workers, and whether each takes work.

    Asked of the scheduler itself: what ``client.scheduler_info`` gives may be emptied by the client's own look at the cluster
    meanwhile, and all workers would seem to be gone.
    """
    scheduler: Any = client.scheduler
    try:
        there = client.sync(scheduler.identity, n_workers=-1)["workers"]
    except (OSError, TimeoutError, RuntimeError) as error:
        raise ConfigError(
            f"the Dask scheduler does not answer any more ({error}): start it again, then the same command goes on"
        ) from error
    return {address: about["status"] == "running" for address, about in there.items()}


def _silence() -> None:
    """Nothing of Dask's own log on the terminal: what matters is told in our words."""
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _must_have_rtseg(client: Client) -> None:
    try:
        versions = client.run(_version)
    except ModuleNotFoundError as error:
        raise ConfigError(f"a worker has no rtseg ({error}): install rtseg {__version__} where the workers run") from error
    others = {worker: version for worker, version in versions.items() if version != __version__}
    if others:
        raise ConfigError(f"workers have another rtseg than {__version__}: {others}. Install the same where the workers run.")


def _version() -> str:
    return __version__


def _no_worker() -> RtsegError:
    return ConfigError(
        f"no Dask worker for {WITHOUT_WORKER_S:.0f} s: start one with `dask worker ADDRESS --nworkers N`; "
        "then the same command goes on"
    )
