"""What became of a patient of a batch, kept beside its contours, so that nothing is done twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydicom import dcmread

from rtseg import __version__
from rtseg.core import OutputError
from rtseg.dicom.atomic import whole_file
from rtseg.jobs.batch_order import MASKS, STRUCTURE_SET, Errand

RECORD = "batch.json"

Kind = Literal["refused", "worker_lost", "not_now", "bug"]

REMEMBERED: tuple[Kind, ...] = ("refused", "worker_lost")
"""Failures that would come again as long as the input is the same: not tried again unless asked for."""


@dataclass(frozen=True)
class Failure:
    """Why a patient has no contours.

    kind    refused: the CT cannot be contoured; worker_lost: it took workers down; not_now: a place, a right, room or memory
            was missing; bug: an error of rtseg's own
    reason  in words; traceback: of a bug
    """

    kind: Kind
    reason: str
    traceback: str = ""


@dataclass(frozen=True)
class Record:
    """What became of one patient.

    key        input, bundle and options it was made of (``Errand.key``)
    rtseg      version that did it; model: name, version and hash of the bundle in short
    answer     as `rtseg contour --json` gives it, None where it failed
    failure    None where it was contoured
    files      what was written, by name below the patient's folder, with its SHA-256
    """

    key: str
    patient: str
    series_uid: str
    rtseg: str
    model: str
    answer: Mapping[str, Any] | None
    failure: Failure | None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """All steps together; None for a failure."""
        return None if self.answer is None else float(sum(self.answer["seconds"].values()))


def read_record(place: Path) -> Record | None:
    """The record in a patient's output folder; None if there is none that can be read."""
    try:
        content = json.loads((place / RECORD).read_text(encoding="utf-8"))
        failure = content.pop("failure")
        return Record(**content, failure=None if failure is None else Failure(**failure))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_record(record: Record, place: Path) -> None:
    """Put the record into a patient's output folder, whole or not at all. Raises OutputError if it cannot be written."""
    with whole_file(place / RECORD, overwrite=True) as file:
        file.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def is_done(record: Record | None, errand: Errand) -> bool:
    """Whether the contours were made of this input by this bundle with these options, and all files are there still."""
    if record is None or record.failure is not None or record.key != errand.key:
        return False
    return {*errand.expected} <= {*record.files} and all((errand.place / name).is_file() for name in record.files)


def is_remembered(record: Record | None, errand: Errand) -> bool:
    """Whether it failed before for a reason that lies in the input, with the same input, bundle, options and rtseg."""
    if record is None or record.failure is None or record.failure.kind not in REMEMBERED:
        return False
    return record.key == errand.key and record.rtseg == __version__


def digests(place: Path, names: list[str]) -> dict[str, str]:
    """SHA-256 of files below a patient's folder."""
    return {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in names}


def must_be_ours(place: Path, record: Record | None, series_uid: str) -> None:
    """Raise OutputError if contours in a patient's folder are not what a batch left there: nobody's work is replaced.

    A structure set without a record is ours if rtseg made it for this series: its batch was stopped before the record.
    """
    there = [place / STRUCTURE_SET, *sorted((place / MASKS).glob("*"))]
    recorded = {} if record is None else dict(record.files)
    for file in (file for file in there if file.is_file()):
        name = str(file.relative_to(place))
        if name in recorded:
            if digests(place, [name])[name] != recorded[name]:
                raise OutputError(f"{file} was changed since rtseg made it: move it away to have it made again")
        elif file.name == STRUCTURE_SET and not _made_by_rtseg(file, series_uid):
            raise OutputError(f"{file} was not made by rtseg for this series: move it away, or name another output folder")
        elif file.name != STRUCTURE_SET and recorded:
            raise OutputError(f"{file} is none of the masks that rtseg made: move it away to have them made again")


def _made_by_rtseg(file: Path, series_uid: str) -> bool:
    try:
        data = dcmread(file)
        frames = data.ReferencedFrameOfReferenceSequence
        series = [s.SeriesInstanceUID for f in frames for t in f.RTReferencedStudySequence for s in t.RTReferencedSeriesSequence]
    except Exception:  # noqa: BLE001  # whatever it is, rtseg did not make it
        return False
    return str(data.get("Manufacturer", "")) == "rtseg" and series_uid in series
