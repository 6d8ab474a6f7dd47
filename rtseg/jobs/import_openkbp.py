"""The OpenKBP challenge's CSV tree becomes an indexed tree of cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rtseg.core import ConfigError, InputError, OutputError, RtsegError
from rtseg.data import write_labelled
from rtseg.data.case import SPLITS
from rtseg.data.case_index import Entry, fingerprint, read_index, write_index
from rtseg.data.openkbp import FOLDERS, UNFIT, cropped, read_patient
from rtseg.jobs.import_cases import FAILED, LEFT_OUT, MADE, THERE, Imported, Row

RULES = 1
"""Counted up when the same files would become another case."""


@dataclass(frozen=True)
class OpenKbpOrder:
    """What a user asks of `rtseg data openkbp`: the challenge's repository or its provided-data, where to, which splits."""

    source: Path
    output: Path
    splits: tuple[str, ...] = SPLITS


def import_openkbp(order: OpenKbpOrder, started: Callable[[int], None], progress: Callable[[str], None]) -> Imported:
    """Make a case of every patient of the splits; numbers and splits are the challenge's own.

    What is there already is passed over; a patient that fails stops no other. Raises InputError if the source is not the
    challenge's, OutputError if nothing can be written.
    """
    patients = _patients(order)
    entries = {entry.patient: entry for entry in read_index(order.output)}
    started(len(patients))
    rows = []
    for split, folder in patients:
        rows.append(_imported(split, folder, order.output, entries))
        progress(folder.name)
    return Imported(tuple(rows))


def openkbp_splits(words: Sequence[str] | None) -> tuple[str, ...]:
    """The splits asked for; without any, those to train with. Raises ConfigError for a word that is none."""
    asked = tuple(dict.fromkeys(words or SPLITS))
    for word in asked:
        if word not in FOLDERS:
            raise ConfigError(f"no split {word!r}; there is {', '.join(FOLDERS)}")
    return asked


def _patients(order: OpenKbpOrder) -> Sequence[tuple[str, Path]]:
    root = order.source / "provided-data" if (order.source / "provided-data").is_dir() else order.source
    found = []
    for split in order.splits:
        folder = root / FOLDERS[split]
        if not folder.is_dir():
            raise InputError(f"{folder} is not there: expected the folder provided-data of the OpenKBP challenge's repository")
        patients = [path for path in folder.iterdir() if path.name.startswith("pt_") and path.is_dir()]
        found += [(split, path) for path in sorted(patients, key=lambda path: (len(path.name), path.name))]
    if not found:
        raise InputError(f"no folder pt_N below {root}: expected the OpenKBP challenge's patients")
    return found


def _imported(split: str, folder: Path, output: Path, entries: dict[str, Entry]) -> Row:
    name = folder.name
    row = Row(name, split, name, 0, "", "", (), {}, (), (), THERE)
    if name in UNFIT:
        return replace(row, state=LEFT_OUT, problem=UNFIT[name])
    made = fingerprint(RULES, sorted((path.name, path.stat().st_size) for path in folder.glob("*.csv")))
    if name in entries and (entries[name].made, entries[name].split) == (made, split):
        return replace(row, organs=entries[name].organs)
    entry = Entry(name, split, (), person=name, source=name, made=made)
    try:
        patient = cropped(read_patient(folder))
        write_labelled(patient.case, entry.folder(output), overwrite=True)
    except RtsegError as error:
        return replace(row, state=FAILED, problem=str(error))
    except OSError as error:
        raise OutputError(f"{entry.folder(output)} cannot be written: {error.strerror or error}") from error
    kept = " ".join(f"{organ} {share:.3f}" for organ, share in patient.kept.items() if share < 1)
    more = {"first_slice": str(patient.first_slice), "last_slice": str(patient.last_slice), "cut": kept}
    entries[name] = replace(entry, organs=patient.case.contoured, more=more)
    write_index(output, entries.values())
    slices = patient.case.ct.geometry.shape[0]
    notes = (f"cut by the crop, share kept: {kept}",) if kept else ()
    return replace(row, slices=slices, organs=patient.case.contoured, notes=notes, state=MADE)
