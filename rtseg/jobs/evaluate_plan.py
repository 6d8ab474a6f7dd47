"""Whose contours are compared with whose: predictions and reference matched patient by patient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtseg.core import InputError
from rtseg.data.contour_sources import ContourSource, Form, Found, Matched, find_contours, matched, sources_of
from rtseg.data.dicom_tree import DicomTree, scan_tree
from rtseg.data.organ_names import OrganNames
from rtseg.dicom.find_series import SeriesFound
from rtseg.jobs.nifti_ct import is_nifti
from rtseg.metrics import HowMeasured, SurfaceModel


@dataclass(frozen=True)
class EvaluateOrder:
    """What a user asks of `rtseg evaluate`.

    predicted   name of the prediction -> RTSTRUCT, folder of masks, case folder, or tree of these; several are compared
    reference   one of the same, whatever the form of the predictions
    output      folder for tables and page
    ct          folder or tree with the CTs that structure sets were drawn on, or a NIfTI file; for pictures too
    names       which organ a label means
    organs      only these; one of them that a prediction lacks was missed. None for all that both sides have
    measured    organ -> how, for those that are not measured as usual; model and apl_mm are for all organs
    resample    predictions that lie on another grid are brought onto the reference's
    pictures    of how many of an organ's worst patients there are pictures
    workers     processes; None for as many as there are cores
    """

    predicted: Mapping[str, Path]
    reference: Path
    output: Path
    ct: Path | None = None
    names: OrganNames = field(default_factory=OrganNames)
    organs: tuple[str, ...] | None = None
    measured: Mapping[str, HowMeasured] = field(default_factory=dict)
    model: SurfaceModel = SurfaceModel.SURFEL
    apl_mm: float | None = None
    resample: bool = False
    pictures: int = 5
    workers: int | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Patient:
    """One patient: the reference, the predictions by name, and the CT to show them on, None if there is none."""

    name: str
    reference: ContourSource
    predicted: Mapping[str, ContourSource]
    ct: SeriesFound | Path | None


@dataclass(frozen=True)
class Plan:
    """Who is compared, who is missing on one side (by prediction), and what was left out, in words."""

    patients: tuple[Patient, ...]
    without_prediction: Mapping[str, tuple[str, ...]]
    without_reference: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...]


def plan(order: EvaluateOrder) -> Plan:
    """Find and match all contours.

    Raises InputError if one side cannot be found, or no patient is on both sides.
    """
    if order.ct is not None and not order.ct.exists():
        raise InputError(f"{order.ct} does not exist: name the folder with the CTs, or a NIfTI file")
    wanted = {label: find_contours(path) for label, path in order.predicted.items()}
    reference = find_contours(order.reference)
    pool = _ct_series(order.ct, [*wanted.values(), reference])
    references, left_out = sources_of(reference, pool, newest=True)
    _must_be_some(references, order.reference, left_out)
    partners: dict[str, Matched] = {}
    for label, found in wanted.items():
        sources, words = sources_of(found, pool, newest=False)
        _must_be_some(sources, order.predicted[label], words)
        left_out += [f"{label}: {word}" for word in words]
        partners[label] = _pairs(found, sources, reference, references)
    if not any(one.pairs for one in partners.values()):
        raise InputError(_no_pair(order, partners))
    return Plan(
        patients=tuple(_patients(order, partners, pool)),
        without_prediction={label: _names(one.only_second) for label, one in partners.items()},
        without_reference={label: _names(one.only_first) for label, one in partners.items()},
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _ct_series(ct: Path | None, found: Sequence[Found]) -> tuple[SeriesFound, ...]:
    """CT series of the folder named and of the trees themselves, each once."""
    trees: list[DicomTree] = []
    if ct is not None and not is_nifti(ct) and any(one.dicom.structure_sets for one in found):
        trees.append(scan_tree(ct))
        if not trees[0].ct:
            raise InputError(f"{ct} holds no CT series: name the folder with the CT that the contours were drawn on")
    elif ct is not None and ct.is_dir():
        trees.append(scan_tree(ct))
    series = [series for tree in (*trees, *(one.dicom for one in found)) for series in tree.ct]
    return tuple({one.uid: one for one in series}.values())


def _pairs(found: Found, sources: list[ContourSource], reference: Found, references: list[ContourSource]) -> Matched:
    """Two that were named themselves belong together, whatever they are called."""
    if (found.is_single or reference.is_single) and len(sources) == len(references) == 1:
        return Matched(((sources[0], references[0]),), (), ())
    return matched(sources, references)


def _patients(order: EvaluateOrder, partners: Mapping[str, Matched], pool: Sequence[SeriesFound]) -> Iterable[Patient]:
    references = {pair[1].path: pair[1] for one in partners.values() for pair in one.pairs}
    for path, reference in sorted(references.items(), key=lambda item: item[1].name):
        predicted = {label: pair[0] for label, one in partners.items() for pair in one.pairs if pair[1].path == path}
        yield Patient(_name(reference), reference, predicted, _image(order, [reference, *predicted.values()], pool))


def _name(source: ContourSource) -> str:
    """The place in the tree; of one named itself the folder, and of a CT the end of its UID, which is nobody's name."""
    if source.name:
        return source.name
    if source.form is Form.RTSTRUCT and source.ct is not None:
        return f"{source.path.resolve().parent.name} ...{source.ct.tail}"
    return source.path.resolve().name


def _image(order: EvaluateOrder, sources: Sequence[ContourSource], pool: Sequence[SeriesFound]) -> SeriesFound | Path | None:
    """The CT to show the contours on: that they were drawn on, the case's own, or the one that was named."""
    for source in sources:
        if source.ct is not None:
            return source.ct
        if source.form is Form.CASE:
            return source.path / "ct.nii.gz"
    if order.ct is None:
        return None
    if is_nifti(order.ct):
        return order.ct
    if len(pool) == 1:
        return pool[0]
    name = Path(sources[0].name)
    files = (order.ct / name / "ct.nii.gz", order.ct / f"{name}.nii.gz")
    if there := next((file for file in files if file.is_file()), None):
        return there
    below = [one for one in pool if name in one.headers[0].path.relative_to(order.ct).parents]
    return below[0] if len(below) == 1 and sources[0].name else None


def _must_be_some(sources: list[ContourSource], path: Path, left_out: list[str]) -> None:
    if not sources:
        raise InputError(f"{path}: " + ("; ".join(left_out) or "no contours that can be read"))


def _no_pair(order: EvaluateOrder, partners: Mapping[str, Matched]) -> str:
    first, one = next(iter(partners.items()))
    ours, theirs = (", ".join(_names(side)[:5]) for side in (one.only_first, one.only_second))
    return (
        f"no patient of {order.predicted[first]} is in {order.reference}: found {ours} and {theirs}. Patients belong together by "
        "the CT series that structure sets were drawn on, or by the names of their folders"
    )


def _names(sources: Sequence[ContourSource]) -> tuple[str, ...]:
    return tuple(_name(source) for source in sources)
