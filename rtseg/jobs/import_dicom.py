"""DICOM trees with CT, RTSTRUCT and, if there is one, MR become case folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rtseg.core import InputError
from rtseg.data.case_index import fingerprint
from rtseg.data.dicom_case import Examined, examine, read_dicom_case
from rtseg.data.dicom_tree import DicomTree, Planned, plan_cases, scan_tree
from rtseg.data.organ_names import OrganNames, organ_names
from rtseg.jobs.import_cases import FAILED, LEFT_OUT, PLANNED, Candidate, Imported, Row, Target, import_cases
from rtseg.systems.words import read_yaml

RULES = 1
"""Counted up when the same files would become another case."""


@dataclass(frozen=True)
class DicomOrder:
    """What a user asks of `rtseg data dicom`: the tree, where to, the file of names, words of the MR's series description."""

    source: Path
    target: Target
    names: Path | None = None
    mr_words: str = ""


@dataclass(frozen=True)
class Listeners:
    """Who hears of progress: files read, how many cases there will be, each case's name when it is done."""

    files: Callable[[int], None] = lambda _: None
    started: Callable[[int], None] = lambda _: None
    case: Callable[[str], None] = lambda _: None


def import_dicom(order: DicomOrder, heard: Listeners) -> Imported:
    """Make a case of every CT that a structure set was drawn on, or only tell what would be made (``target.dry_run``).

    Raises InputError if the source is no folder or holds no CT, an RtsegError if names, splits or output cannot be.
    """
    names = read_names(order.names)
    tree = scan_tree(order.source, heard.files)
    planned, left_out = plan_cases(tree, order.mr_words)
    if not planned and not tree.broken:
        raise InputError(f"no CT series below {order.source}: expected DICOM files of CT with the RTSTRUCT drawn on it")
    candidates = [_candidate(one, names) for one in planned]
    rows = import_cases(candidates, order.target, heard.started, heard.case)
    return Imported(tuple(rows), tuple(left_out), tree.broken, hints(names, tree))


def read_names(file: Path | None) -> OrganNames:
    """The clinic's own names; none without a file. Raises ConfigError if the file cannot be."""
    return OrganNames() if file is None else organ_names(read_yaml(file), str(file))


def hints(names: OrganNames, tree: DicomTree) -> tuple[str, ...]:
    """Names of the file that no ROI has: misspelt, perhaps."""
    there = {roi.name for one in tree.structure_sets for roi in one.rois}
    return tuple(f"the file of names has {label!r}, which no ROI is called" for label in names.own if label not in there)


def _candidate(planned: Planned, names: OrganNames) -> Candidate:
    first = planned.ct.headers[0]
    key = f"CT series {planned.ct.uid} in {first.path.parent}"
    found = f"...{planned.ct.tail}"
    if planned.structure_set is None:
        row = Row(
            "", "", found, len(planned.ct.headers), "", "", (), {}, (), planned.notes, LEFT_OUT, "no structure set for this CT"
        )
        return Candidate(planned.person, fingerprint(planned.ct.uid), "", row, None, key)
    examined = examine(planned, names)
    row = _row(planned, examined, found)
    made = fingerprint(
        RULES,
        sorted(header.text("SOPInstanceUID") for header in planned.ct.headers),
        planned.structure_set.sop_instance_uid,
        planned.structure_set.path.stat().st_size,
        planned.mr.uid if planned.mr is not None else None,
        dict(examined.organs),
    )
    read = None if examined.problem else partial(read_dicom_case, planned, examined.organs)
    return Candidate(planned.person, fingerprint(planned.ct.uid), made, row, read, key)


def _row(planned: Planned, examined: Examined, found: str) -> Row:
    structure_set = planned.structure_set
    assert structure_set is not None
    about = " ".join(word for word in (structure_set.label, structure_set.when[:8], structure_set.approval.lower()) if word)
    mr = "" if planned.mr is None else f"...{planned.mr.tail}"
    called = {roi.number: roi.name for roi in structure_set.rois}
    row = Row(
        patient="",
        split="",
        found=found,
        slices=len(planned.ct.headers),
        structures=about,
        mr=mr,
        organs=tuple(examined.organs),
        labels={organ: called[number] for organ, number in examined.organs.items()},
        unmatched=examined.unmatched,
        notes=examined.notes,
        state=PLANNED,
    )
    return row if examined.problem is None else replace(row, state=FAILED, problem=examined.problem)
