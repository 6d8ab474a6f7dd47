"""The three balls kept in every form that `rtseg evaluate` reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from contour_cases import balls
from phantoms import axial_geometry

from rtseg.core import Geometry, Structure, StructureSet
from rtseg.data import Case, write_case
from rtseg.data.mask_folder import RoiFile, file_names, write_masks
from rtseg.dicom import Conversion, Export, Patient, WrittenRoi, read_planning_ct, write_ct_series, write_rtstruct
from rtseg.jobs.evaluate import Evaluation, NoBar, evaluate
from rtseg.jobs.evaluate_plan import EvaluateOrder

GRID = axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64))
FORMS = ("rtstruct", "masks", "case")


def organs_of(geometry: Geometry = GRID) -> StructureSet:
    return balls(geometry).organs


def moved(organs: StructureSet, columns: int = 0, slices: int = 0) -> StructureSet:
    """Every organ by whole voxels."""

    def one(name: str) -> Structure:
        return Structure.from_full(np.roll(organs.mask(name).array, (slices, columns), axis=(0, 2)))

    return StructureSet(organs.geometry, {name: one(name) for name in organs})


def without(organs: StructureSet, *names: str) -> StructureSet:
    return organs.subset([name for name in organs if name not in names])


def renamed(organs: StructureSet, names: Mapping[str, str]) -> StructureSet:
    return StructureSet(organs.geometry, {names.get(name, name): organs[name] for name in organs})


def write_ct(folder: Path, geometry: Geometry = GRID, patient: str = "P") -> Path:
    write_ct_series(balls(geometry).ct, folder, Patient("SECRET^NAME", f"SECRETID{patient}"), seed=patient)
    return folder


def write_as(form: str, organs: StructureSet, place: Path, ct: Path | None = None) -> Path:
    """The organs in one of FORMS below ``place``; an RTSTRUCT on the CT in the folder ``ct``."""
    place.mkdir(parents=True, exist_ok=True)
    if form == "rtstruct":
        assert ct is not None
        planning = read_planning_ct(ct)
        there = StructureSet(planning.volume.geometry, organs.structures)
        names = {name: WrittenRoi(name) for name in organs}
        return write_rtstruct(there, planning, place / "RS.dcm", Export(Conversion(), names=names)).path
    if form == "masks":
        files = file_names(list(organs))
        write_masks(organs, place, {name: RoiFile(name, files[name], organs.volume_ml(name)) for name in organs})
        return place
    case = Case(place.name, replace(balls(organs.geometry).ct), organs, tuple(organs))
    return write_case(case, place, overwrite=True)


def evaluated(predicted: Path | Mapping[str, Path], reference: Path, output: Path, **more: Any) -> Evaluation:
    """In this process, without pictures unless asked for."""
    named = {"auto": predicted} if isinstance(predicted, Path) else predicted
    return evaluate(EvaluateOrder(named, reference, output, **{"workers": 1, "pictures": 0, **more}), NoBar())
