"""What `rtseg evaluate` does: contours held against a reference, patient by patient and organ by organ."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from rtseg.core import ConfigError, InputError, OutputError, RtsegError
from rtseg.dicom.atomic import folder_must_be_free, whole_folder
from rtseg.jobs.evaluate_page import write_page
from rtseg.jobs.evaluate_patient import Measured, draw, measure
from rtseg.jobs.evaluate_plan import EvaluateOrder, Plan, plan
from rtseg.jobs.evaluate_tables import FILES, write_tables
from rtseg.metrics.cohort import Comparison, OrganSummary, Score, compared, summarised
from rtseg.report.overlay import Overlay

__all__ = ["EvaluateOrder", "Evaluation", "evaluate"]

COMPARED = ("dsc", "hd95_mm", "assd_mm")
"""Figures that several predictions are compared by."""

Result = TypeVar("Result")


class Progress(Protocol):
    """A bar: how many there are, and a word for each that ends."""

    def begin(self, total: int, done: int = 0) -> None: ...
    def advance(self, words: str) -> None: ...
    def end(self) -> None: ...


class NoBar:
    """Progress that nobody looks at."""

    def begin(self, total: int, done: int = 0) -> None:
        pass

    def advance(self, words: str) -> None:
        pass

    def end(self) -> None:
        pass


@dataclass(frozen=True)
class Evaluation:
    """Everything that came out.

    scores         prediction -> a score for each patient and organ
    not_predicted  prediction -> organs of the reference that it has in no patient: not asked of it, so not scored
    unmatched      prediction -> organs that it has and no reference
    in_vain        organs that were asked for and no reference has
    failures       patient, prediction (empty for all of them), why it could not be compared
    """

    order: EvaluateOrder
    plan: Plan
    scores: Mapping[str, tuple[Score, ...]]
    not_predicted: Mapping[str, tuple[str, ...]]
    unmatched: Mapping[str, tuple[str, ...]]
    in_vain: tuple[str, ...]
    failures: tuple[tuple[str, str, str], ...]
    notes: tuple[tuple[str, str], ...]

    @property
    def summaries(self) -> dict[str, list[OrganSummary]]:
        """Prediction -> its organs over all patients."""
        return {label: summarised(scores) for label, scores in self.scores.items()}

    @property
    def whole(self) -> dict[str, list[OrganSummary]]:
        """The same without organs that the scan's edge cuts; empty for a prediction where it cuts none."""
        return {
            label: summarised([score for score in scores if not score.is_cut]) if any(s.is_cut for s in scores) else []
            for label, scores in self.scores.items()
        }

    @property
    def comparisons(self) -> dict[str, list[Comparison]]:
        """Every other prediction against the first."""
        first, *others = self.scores
        return {label: compared(self.scores[first], self.scores[label], COMPARED) for label in others}

    @property
    def patients(self) -> int:
        return len({score.patient for scores in self.scores.values() for score in scores})

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what the tables do not hold, and the table of organs."""
        from rtseg.jobs.evaluate_tables import about

        return about(self)


def evaluate(order: EvaluateOrder, bar: Progress, heard: Callable[[str], None] = lambda _: None) -> Evaluation:
    """Compare, and write tables and page into ``order.output``, whole or not at all.

    A patient that cannot be compared stops no other and stands in ``failures``. Raises InputError if nothing can be compared,
    OutputError if the output cannot be written.
    """
    _must_be_apart(order)
    if order.output.parent.is_dir():
        folder_must_be_free(order.output, overwrite=order.overwrite)
    heard("find contours ...")
    planned = plan(order)
    bar.begin(len(planned.patients))
    tasks = {patient.name: partial(measure, patient, order) for patient in planned.patients}
    measured = dict(_each(tasks, order.workers, bar.advance))
    bar.end()
    evaluation = _gathered(order, planned, [measured[patient.name] for patient in planned.patients])
    if not any(evaluation.scores.values()):
        raise InputError(_nothing(evaluation))
    heard("draw and write ...")
    pictures = _pictures(evaluation)
    with whole_folder(order.output, overwrite=order.overwrite) as folder:
        write_tables(evaluation, folder)
        write_page(evaluation, pictures, folder)
    return evaluation


def _gathered(order: EvaluateOrder, planned: Plan, measured: Sequence[Measured]) -> Evaluation:
    scores, not_predicted, unmatched, referred = {}, {}, {}, set()
    for label in order.predicted:
        of = [one for one in measured if label in one.scores]
        drawn = frozenset[str]().union(*(one.drawn[label] for one in of)) | frozenset(order.organs or ())
        every = [score for one in of for score in one.scores[label]]
        scores[label] = tuple(score for score in every if score.organ in drawn)
        not_predicted[label] = tuple(dict.fromkeys(score.organ for score in every if score.organ not in drawn))
        there = {score.organ for score in every}
        referred |= there
        extra = dict.fromkeys(name for one in of for name in one.unmatched[label] if name not in there)
        unmatched[label] = tuple(extra)
    return Evaluation(
        order=order,
        plan=planned,
        scores=scores,
        not_predicted=not_predicted,
        unmatched=unmatched,
        in_vain=tuple(name for name in order.organs or () if name not in referred),
        failures=tuple((one.patient, label, words) for one in measured for label, words in one.errors.items()),
        notes=tuple((one.patient, words) for one in measured for words in one.notes),
    )


def _pictures(evaluation: Evaluation) -> dict[tuple[str, str], Overlay]:
    """(organ, patient) -> pictures of the patients whose organs the first prediction agrees with least."""
    wanted: dict[str, list[str]] = {}
    for organ, scores in _worst(evaluation).items():
        for score in scores:
            wanted.setdefault(score.patient, []).append(organ)
    patients = {patient.name: patient for patient in evaluation.plan.patients}
    tasks = {name: partial(draw, patients[name], evaluation.order, organs) for name, organs in wanted.items()}
    drawn = dict(_each(tasks, evaluation.order.workers, lambda _: None))
    return {(organ, name): drawn[name][organ] for name, organs in wanted.items() for organ in organs}


def _worst(evaluation: Evaluation) -> dict[str, list[Score]]:
    first = next(iter(evaluation.order.predicted))
    scored = [score for score in evaluation.scores[first] if score.figures["dsc"] is not None]
    organs = dict.fromkeys(score.organ for score in scored)
    return {
        organ: sorted((s for s in scored if s.organ == organ), key=lambda s: (s.figures["dsc"] or 0.0, s.patient))[
            : evaluation.order.pictures
        ]
        for organ in organs
    }


def _each(
    tasks: Mapping[str, Callable[[], Result]], workers: int | None, done: Callable[[str], None]
) -> Iterator[tuple[str, Result]]:
    """Every task's result by its name, in processes of their own where there are several; a bar hears the names."""
    processes = min(workers or os.cpu_count() or 1, len(tasks))
    if processes <= 1:
        for name, task in tasks.items():
            yield name, task()
            done(name)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(task): name for name, task in tasks.items()}
        for future in as_completed(running):
            try:
                yield running[future], future.result()
            except BrokenProcessPool as error:
                raise RtsegError(
                    f"a process that worked on {running[future]} was ended from outside, mostly for want of memory: "
                    "try fewer at a time (--workers 1)"
                ) from error
            done(running[future])


def _must_be_apart(order: EvaluateOrder) -> None:
    """Nothing is written into what is compared, and only an evaluation is replaced."""
    output = order.output.resolve()
    for path in (*order.predicted.values(), order.reference, *([] if order.ct is None else [order.ct])):
        if output.is_relative_to(path.resolve()):
            raise OutputError(f"{order.output} lies in {path}, which is compared: name a folder of its own with --output")
    if output.is_dir() and (strange := sorted({path.name for path in output.iterdir()} - set(FILES))):
        raise OutputError(f"{order.output} holds {strange[0]}, which no evaluation made: name another folder with --output")
    if not order.predicted:
        raise ConfigError("no prediction was named")


def _nothing(evaluation: Evaluation) -> str:
    reasons: Iterable[str] = (f"{patient}: {words}" for patient, _, words in evaluation.failures)
    organs = sorted({organ for names in evaluation.not_predicted.values() for organ in names})
    others = sorted({organ for names in evaluation.unmatched.values() for organ in names})
    have = f"the reference has {', '.join(organs) or 'none'}, predictions have {', '.join(others) or 'none'}"
    no_organ = f"no organ is on both sides: {have}; say which label means which organ in a file of names (--map)"
    return "; ".join(reasons) or no_organ
