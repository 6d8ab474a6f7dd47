"""What a worker of `rtseg evaluate` does with one patient: measure every organ, later draw the worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rtseg.core import Mask, RtsegError, StructureSet, Volume
from rtseg.data import read_nifti
from rtseg.data.contours_read import ContoursRead, is_cut, on_common_grid, read_contours
from rtseg.dicom.find_series import FolderScan, SeriesFound
from rtseg.dicom.series import planning_ct_of
from rtseg.jobs.evaluate_plan import EvaluateOrder, Patient
from rtseg.metrics import HowMeasured, figures
from rtseg.metrics.cohort import Score
from rtseg.report.overlay import Overlay, overlay


@dataclass(frozen=True)
class Measured:
    """What came out for one patient.

    scores     prediction -> a score of each organ of the reference; an organ that the prediction lacks has no voxel there
    drawn      prediction -> organs that it has
    unmatched  prediction -> organs that the reference lacks
    notes      what is to be told, in words; errors: why a prediction, or all of the patient (key empty), could not be compared
    """

    patient: str
    scores: Mapping[str, tuple[Score, ...]] = field(default_factory=dict)
    drawn: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unmatched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)


def measure(patient: Patient, order: EvaluateOrder) -> Measured:
    """Every organ of the reference against every prediction. What cannot be read stands in ``errors``."""
    try:
        reference = read_contours(patient.reference, order.names)
    except RtsegError as error:
        return Measured(patient.name, errors={"": str(error)})
    wanted = [name for name in reference.organs if order.organs is None or name in order.organs]
    scores, drawn, unmatched, errors = {}, {}, {}, {}
    notes = [f"reference: {finding.words}" for finding in reference.findings]
    for label, source in patient.predicted.items():
        try:
            read = on_common_grid(
                read_contours(source, order.names), reference.organs.geometry, str(source.path), resampling=order.resample
            )
        except RtsegError as error:
            errors[label] = str(error)
            continue
        notes += [f"{label}: {finding.words}" for finding in read.findings]
        notes += [f"{label}: resampled onto the reference's grid"] if read.resampled else []
        scores[label] = tuple(_score(patient.name, name, reference.organs, read.organs, order) for name in wanted)
        drawn[label] = frozenset(read.organs)
        unmatched[label] = tuple(name for name in read.organs if name not in reference.organs)
    return Measured(patient.name, scores, drawn, unmatched, tuple(notes), errors)


def draw(patient: Patient, order: EvaluateOrder, organs: Sequence[str]) -> dict[str, Overlay]:
    """Pictures of these organs where they agree least, on the CT; without it, with the reason, if it cannot be read."""
    reference = read_contours(patient.reference, order.names)
    grid = reference.organs.geometry
    predicted: dict[str, ContoursRead] = {}
    for label, source in patient.predicted.items():
        try:
            predicted[label] = on_common_grid(read_contours(source, order.names), grid, "", resampling=order.resample)
        except RtsegError:
            continue  # told when it was measured
    ct, note = _image(patient.ct)
    drawn = {label: read.organs for label, read in predicted.items()}
    return {name: replace(overlay(ct, reference.organs, drawn, name), note=note) for name in organs}


def _score(patient: str, name: str, reference: StructureSet, predicted: StructureSet, order: EvaluateOrder) -> Score:
    how = replace(order.measured.get(name, HowMeasured()), model=order.model, apl_mm=order.apl_mm)
    outcome, found = figures(reference.mask(name), _mask(predicted, name), how)
    return Score(patient, name, outcome, is_cut(reference[name], reference.geometry), found)


def _mask(structures: StructureSet, name: str) -> Mask:
    if name in structures:
        return structures.mask(name)
    return Mask(np.zeros(structures.geometry.shape, dtype=np.bool_), structures.geometry)


def _image(ct: SeriesFound | Path | None) -> tuple[Volume | None, str]:
    """The CT, or why there is none: contours can be measured without."""
    if ct is None:
        return None, "no CT was named"
    try:
        if isinstance(ct, SeriesFound):
            return planning_ct_of(FolderScan(ct.headers[0].path.parent, (ct,))).volume, ""
        return read_nifti(ct), ""
    except RtsegError as error:
        return None, f"the CT cannot be shown: {error}"
