"""Writes a CT volume as a DICOM series, one CT image per slice: for synthetic patients, NIfTI sources and tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

import rtseg
from rtseg.core import ConfigError, Geometry, OutputError, Volume
from rtseg.dicom.atomic import why
from rtseg.dicom.decimal_text import decimal_text
from rtseg.dicom.file_meta import file_meta, new_file
from rtseg.dicom.uids import new_uid

RESCALE_INTERCEPT_HU = -1024
"""Stored value = HU + 1024, as most scanners do; air is then not negative."""

STORED = np.iinfo(np.int16)
"""Stored values are signed 16 bit: HU from -33792 to 31743."""

SEEDED_DATE = datetime(2000, 1, 1, 12)
"""Date and time of a series written with a seed: the same seed gives the same bytes."""

PATIENT_POSITIONS = frozenset(("HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL"))
"""Patient Position: head or feet first; supine, prone, decubitus right or left (PS3.3 C.7.3.1.1.2)."""


@dataclass(frozen=True)
class Patient:
    """Whose CT it is: name as ``Family^Given``, id; sex ``M``, ``F``, ``O`` or empty; birth_date YYYYMMDD or empty.

    Raises ConfigError for what a DICOM file cannot hold.
    """

    name: str
    id: str
    sex: str = ""
    birth_date: str = ""

    def __post_init__(self) -> None:
        for what, text in (("name", self.name), ("id", self.id)):
            if len(text) > 64 or "\\" in text or not text.isprintable():
                raise ConfigError(f"a patient's {what} has at most 64 printable characters and no backslash")
        if self.sex not in ("", "M", "F", "O"):
            raise ConfigError(f"a patient's sex is M, F, O or empty, got {self.sex!r}")
        if self.birth_date and not re.fullmatch(r"\d{8}", self.birth_date):
            raise ConfigError("a patient's birth date is YYYYMMDD or empty")


def write_ct_series(
    ct: Volume,
    folder: Path,
    patient: Patient,
    *,
    patient_position: str = "HFS",
    series_description: str = "",
    seed: str | None = None,
) -> list[Path]:
    """Writes ``ct`` (HU, rounded to whole numbers) into ``folder``: one CT image per slice, in the order of the slices.

    Any geometry goes: oblique, sagittal, uneven slices, left- or right-handed. With ``seed`` the UIDs are made from it and
    the dates are fixed, so that the same call gives the same bytes; without it UIDs are random and dates are now.
    Explicit VR little endian, signed 16 bit, slope 1, intercept -1024 (PS3.3 A.3, CT Image IOD). Returns the paths.
    If one cannot be written, those before it go again: half a series is none.

    Raises OutputError if the folder holds something already, cannot be written, or HU do not fit into 16 bit;
    ConfigError for an unknown patient position.
    """
    if patient_position not in PATIENT_POSITIONS:
        raise ConfigError(f"patient position {patient_position!r} is not one of {', '.join(sorted(PATIENT_POSITIONS))}")
    _must_fit_16_bits(ct.array)
    common = _common(patient, seed)
    common.PatientPosition = patient_position
    common.SeriesDescription = series_description
    _add_grid(common, ct.geometry)
    points = ct.geometry.points([(i, 0, 0) for i in range(len(ct.array))])
    _make_empty_folder(folder)
    paths = [folder / f"CT{i + 1:04d}.dcm" for i in range(len(ct.array))]
    try:
        for i, path in enumerate(paths):
            image = _image(common, new_uid(seed, "image", str(i)))
            image.InstanceNumber = str(i + 1)
            image.ImagePositionPatient = _decimals(points[i])
            image.PixelData = (np.rint(ct.array[i]) - RESCALE_INTERCEPT_HU).astype("<i2").tobytes()
            image.save_as(path, enforce_file_format=True)
    except BaseException as error:
        for path in paths:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"the CT series cannot be written into {folder}: {why(error)}") from error
        raise
    return paths


def _must_fit_16_bits(hu: NDArray[np.generic]) -> None:
    low, high = float(np.min(hu)), float(np.max(hu))  # NaN if there is one
    lowest, highest = STORED.min + RESCALE_INTERCEPT_HU, STORED.max + RESCALE_INTERCEPT_HU
    if not (lowest <= round(low, 0) and round(high, 0) <= highest):
        raise OutputError(f"a CT series holds finite values from {lowest} to {highest} HU, got {low:g} to {high:g}")


def _make_empty_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = next(folder.iterdir(), None)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {why(error)}") from error
    if held is not None:
        raise OutputError(f"{folder} is not empty (it holds {held.name}): name a new folder for the CT series")


def _common(patient: Patient, seed: str | None) -> Dataset:
    """What all images of the series share, without geometry: PS3.3 modules Patient, Study, Series, Equipment, Image."""
    when = datetime.now() if seed is None else SEEDED_DATE
    date, time = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.SOPClassUID = CTImageStorage
    for name in ("InstanceCreation", "Study", "Series", "Acquisition", "Content"):
        setattr(header, f"{name}Date", date)
        setattr(header, f"{name}Time", time)
    header.Modality = "CT"
    header.Manufacturer = "rtseg"
    header.SoftwareVersions = rtseg.__version__
    header.PatientName, header.PatientID = patient.name, patient.id
    header.PatientBirthDate, header.PatientSex = patient.birth_date, patient.sex
    header.StudyInstanceUID = new_uid(seed, "study")
    header.SeriesInstanceUID = new_uid(seed, "series")
    header.FrameOfReferenceUID = new_uid(seed, "frame of reference")
    header.StudyID, header.SeriesNumber = "1", "1"
    unknown = (
        "AccessionNumber",
        "ReferringPhysicianName",
        "AcquisitionNumber",
        "KVP",
        "PositionReferenceIndicator",
        "Laterality",
    )
    for empty in unknown:
        setattr(header, empty, None)
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = str(RESCALE_INTERCEPT_HU), "1", "HU"
    header.WindowCenter, header.WindowWidth = "40", "400"
    return header


def _add_grid(header: Dataset, geometry: Geometry) -> None:
    """SliceThickness is the smallest gap: a stack that lacks a slice keeps the thickness it was scanned with."""
    gaps = np.diff(geometry.positions if len(geometry.positions) > 1 else geometry.slice_faces)
    header.SliceThickness = decimal_text(float(gaps.min()))
    header.ImageOrientationPatient = _decimals([*geometry.direction[2], *geometry.direction[1]])
    header.PixelSpacing = _decimals(geometry.pixel_spacing)
    header.Rows, header.Columns = geometry.shape[1:]


def _decimals(values: Sequence[float] | NDArray[np.float64]) -> list[str]:
    return [decimal_text(float(value)) for value in values]


def _image(common: Dataset, instance_uid: str) -> FileDataset:
    """One image's data set with file meta information, still without position and pixels."""
    image = new_file(file_meta(common.SOPClassUID, instance_uid, ExplicitVRLittleEndian))
    image.update(common)
    image.SOPInstanceUID = instance_uid
    return image
