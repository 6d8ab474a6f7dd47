"""The three balls as `rtseg contour` meets them: a planning CT, its balls as dense as ball_bundle wants them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ball_bundle import HU
from phantoms import Phantom, three_balls
from pydicom import dcmread

from rtseg.core import Geometry
from rtseg.dicom import Patient, write_ct_series

PATIENT = Patient("SECRET^NAME", "SECRETID", "F", "19500102")


def balls(geometry: Geometry, missing: str | None = None) -> Phantom:
    """BALLS with the HU of ball_bundle in a body of water; one of them may be missing."""
    phantom = three_balls(geometry)
    hu = phantom.ct.array.copy()
    for before, after in HU.items():
        hu[phantom.ct.array == before] = after
    if missing is not None:
        hu[phantom.organs.mask(missing).array] = 0
    return replace(phantom, ct=replace(phantom.ct, array=hu))


def ball_ct(folder: Path, geometry: Geometry, patient_position: str = "HFS", missing: str | None = None) -> Path:
    """A planning CT of the balls as DICOM in ``folder``."""
    write_ct_series(balls(geometry, missing).ct, folder, PATIENT, patient_position=patient_position)
    return folder


def edit(path: Path, **attributes: Any) -> None:
    """Change attributes of one DICOM file, lawful or not."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = dcmread(path)
        for keyword, value in attributes.items():
            setattr(data, keyword, value)
        data.save_as(path)


def slices(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dcm"))


def shift(path: Path, mm: tuple[float, float, float]) -> None:
    """Move one slice in the patient."""
    there = [float(x) for x in dcmread(path).ImagePositionPatient]
    edit(path, ImagePositionPatient=[f"{x:.3f}" for x in np.add(there, mm)])
