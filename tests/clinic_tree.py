"""DICOM trees as a clinic exports them: the three balls as CT, a structure set with labels of the clinic's own, an MR."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from case_folders import grid
from contour_cases import balls, edit, slices
from phantoms import three_balls
from pydicom import dcmread
from pydicom.uid import MRImageStorage, generate_uid
from rtstruct_cases import MAKER

from rtseg.core import Geometry, StructureSet
from rtseg.dicom import Export, Patient, read_planning_ct, write_ct_series, write_rtstruct

LABELS = {"Parotid_L": "Lt Parotid", "Parotid_R": "PAROTIS RE", "Brainstem": "Hirnstamm"}
"""TG-263 name -> what this clinic calls it."""

TPS = {"Manufacturer": "Clinic TPS", "ApprovalStatus": "APPROVED", "StructureSetDate": "20250101", "StructureSetTime": "120000"}


def write_patient(
    folder: Path, patient_id: str, geometry: Geometry | None = None, labels: Mapping[str, str] = LABELS, **about: Any
) -> Path:
    """folder/ct and folder/rs.dcm of one patient; ``about`` changes attributes of the structure set."""
    write_ct_series(balls(geometry or grid()).ct, folder / "ct", Patient(f"SECRET^{patient_id}", patient_id))
    add_structure_set(folder, "rs.dcm", labels, **about)
    return folder


def add_structure_set(folder: Path, name: str, labels: Mapping[str, str] = LABELS, **about: Any) -> Path:
    """Another structure set on the CT in folder/ct; organs without a label are not in it."""
    ct = read_planning_ct(folder / "ct")
    organs = three_balls(ct.volume.geometry).organs
    named = StructureSet(ct.volume.geometry, {label: organs[organ] for organ, label in labels.items()})
    write_rtstruct(named, ct, folder / name, Export(MAKER))
    edit(folder / name, **(TPS | about))
    return folder / name


def add_mr(folder: Path, geometry: Geometry, frame: str | None = None, description: str = "T1", name: str = "mr") -> Path:
    """The balls as MR in folder/mr: value = HU + 1024 (air 24, body 1024); in the CT's frame of reference or another."""
    write_ct_series(balls(geometry).ct, folder / name, Patient("SECRET^MR", "x"))
    ct = dcmread(slices(folder / "ct")[0], stop_before_pixels=True)
    series = generate_uid()
    for path in slices(folder / name):
        edit(
            path,
            **{"SOPClassUID": MRImageStorage, "Modality": "MR", "SeriesInstanceUID": series, "SeriesDescription": description},
            **{"FrameOfReferenceUID": frame or ct.FrameOfReferenceUID, "PatientID": ct.PatientID, "PatientName": ct.PatientName},
            **{"RescaleIntercept": "0"},
        )
    return folder / name


def truncate(path: Path) -> None:
    """Half of the file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def move(folder: Path, into: Path) -> None:
    """All files below a folder into another one, flat, without suffix: as an archive exports them."""
    into.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        shutil.move(path, into / f"{folder.name}{number:05d}")
