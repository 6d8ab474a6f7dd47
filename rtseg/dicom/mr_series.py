"""An MR-like series made from a CT: one image for each slice of the CT, in its frame of reference (RTSTRUCT.md 6)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

import rtseg
from rtseg.core import ConfigError, GeometryError, OutputError, Volume
from rtseg.core.anatomy import Code
from rtseg.dicom.atomic import whole_folder
from rtseg.dicom.copied_identity import add_identity
from rtseg.dicom.data_set import PARSE_ERRORS, read_data_set
from rtseg.dicom.decimal_text import decimal_text
from rtseg.dicom.export import Maker
from rtseg.dicom.file_meta import file_meta, new_file
from rtseg.dicom.mr_verify import SYNTHETIC, StoredValues, verify_mr_series
from rtseg.dicom.planning_ct import CtGrid, PlanningCT, SliceIdentity, grid_of
from rtseg.dicom.rtstruct_items import ARTIFICIAL_INTELLIGENCE, code_item
from rtseg.dicom.stamp import Stamp

HIGHEST = 4095
"""Largest stored value: 12 bits, which every viewer's window reaches."""

SEEN_PERCENTILES = (1.0, 99.5)
"""The window shows the values above the lowest one between these percentiles: a bright vessel does not darken the rest."""

SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
SERIES_NUMBERS = ("9101", "9102")
"""Series Number: the first that is not the CT's."""


@dataclass(frozen=True)
class WrittenMrSeries:
    """What was written where. value = lowest + stored * step: how stored numbers become the volume's values again."""

    folder: Path
    series_instance_uid: str
    lowest: float
    step: float


def write_mr_series(
    mr: Volume, ct: PlanningCT | CtGrid, folder: Path, maker: Maker, *, overwrite: bool = False, stamp: Stamp | None = None
) -> WrittenMrSeries:
    """Writes an MR-like volume on the CT's grid, in any unit, as MR images (PS3.3 A.4), all or nothing.

    Values become 0 to 4095, linearly from the lowest to the highest; MR has no rescale attributes, so the files do not keep the
    unit. Patient, study, frame of reference and planes are the CT's. Every file says that it is synthetic. stamp: the time and
    the UIDs; now and new ones if not given.

    Raises GeometryError if the volume is not on the CT's grid, InputError if the CT has no DICOM identity, ConfigError for values
    that are no numbers, OutputError if the folder cannot be written or is not as it should be.
    """
    grid = grid_of(ct)
    if not mr.geometry.same_as(grid.geometry):
        raise GeometryError("the synthetic MR is not on the grid of the CT: restore it first")
    stored, lowest, step = _stored(mr.array)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pydicom's remarks on the CT's spelling: told when it was read
        stamp = stamp or Stamp.now()
        common = _common(grid, maker, stamp)
        _add_window(common, stored)
        with whole_folder(folder, overwrite=overwrite) as temporary:
            for index, image in enumerate(grid.identity.slices):
                written = _image(common, image, index, stored[index], stamp)
                written.save_as(temporary / f"MR{index + 1:04d}.dcm", enforce_file_format=True)
            defects = verify_mr_series(temporary, grid, StoredValues(stored))
            if defects:
                words = "; ".join(defect.words for defect in defects[:3])
                raise OutputError(f"the synthetic MR is not as it should be, nothing was written: {words}")
    return WrittenMrSeries(folder, str(common.SeriesInstanceUID), lowest, step)


def _stored(array: NDArray[np.generic]) -> tuple[NDArray[np.uint16], float, float]:
    values = np.asarray(array, dtype=np.float32)
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite([lowest, highest]).all():
        raise ConfigError("a synthetic MR holds values that are no numbers")
    step = (highest - lowest) / HIGHEST or 1.0
    return np.rint((values - lowest) / step).astype(np.uint16), lowest, step


def _common(ct: CtGrid, maker: Maker, stamp: Stamp) -> Dataset:
    """What all images share, without position and pixels."""
    geometry, identity = ct
    header = Dataset()
    add_identity(header, identity.header, [])
    header.SOPClassUID = MRImageStorage
    header.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    header.Modality = "MR"
    header.SeriesInstanceUID = stamp.uid("MR series")
    header.SeriesNumber = next(number for number in SERIES_NUMBERS if number != identity.series_number)
    header.SeriesDescription = f"{SYNTHETIC} {maker.model} {maker.version}"[:64]
    for moment in ("InstanceCreation", "Series", "Content"):
        setattr(header, f"{moment}Date", stamp.when.strftime("%Y%m%d"))
        setattr(header, f"{moment}Time", stamp.when.strftime("%H%M%S"))
    header.Manufacturer = header.ManufacturerModelName = "rtseg"
    header.SoftwareVersions = rtseg.__version__
    header.OperatorsName = None
    _add_from_ct(header, identity.slices[0])
    header.ScanningSequence, header.SequenceVariant = "RM", "NONE"  # research mode: the only honest one
    for keyword in ("ScanOptions", "MRAcquisitionType", "EchoTime", "EchoTrainLength", "RepetitionTime"):
        setattr(header, keyword, None)
    header.FrameOfReferenceUID = identity.frame_of_reference_uid
    gaps = np.diff(geometry.positions if len(geometry.positions) > 1 else geometry.slice_faces)
    header.SliceThickness = decimal_text(float(gaps.min()))
    if geometry.is_regular:
        header.SpacingBetweenSlices = header.SliceThickness
    header.ImageOrientationPatient = [decimal_text(float(x)) for x in (*geometry.direction[2], *geometry.direction[1])]
    header.PixelSpacing = [decimal_text(mm) for mm in geometry.pixel_spacing]
    header.Rows, header.Columns = geometry.shape[1:]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 0
    header.BurnedInAnnotation, header.LossyImageCompression = "NO", "00"
    header.ContentQualification = "RESEARCH"
    header.ImageComments = f"{SYNTHETIC}: not acquired, not for diagnosis"
    header.DerivationDescription = f"MR-like image computed from CT by {maker.words}; not acquired; not for diagnosis"
    header.DerivationCodeSequence = Items([code_item(ARTIFICIAL_INTELLIGENCE)])
    return header


def _add_from_ct(header: Dataset, image: SliceIdentity) -> None:
    """How the patient lies, and which part of the body it is, from the first image's file; "HFS" is never invented."""
    try:
        of_ct = read_data_set(image.path, only=("PatientPosition", "BodyPartExamined"), pixels=False)
    except PARSE_ERRORS:
        of_ct = FileDataset("", {})
    header.PatientPosition = of_ct.get("PatientPosition") or None
    header.BodyPartExamined = of_ct.get("BodyPartExamined") or None
    if not header.BodyPartExamined:
        header.Laterality = None  # one of the two is asked for (PS3.3 C.7.3.1); no side is known


def _add_window(header: Dataset, stored: NDArray[np.uint16]) -> None:
    shown = stored[stored > 0]
    low, high = np.percentile(shown, SEEN_PERCENTILES) if shown.size else (0.0, float(HIGHEST))
    width = max(1.0, float(high - low))
    header.WindowCenter, header.WindowWidth = decimal_text(round(low + width / 2, 1)), decimal_text(round(width, 1))


def _image(common: Dataset, source: SliceIdentity, index: int, pixels: NDArray[np.uint16], stamp: Stamp) -> FileDataset:
    uid = UID(stamp.uid(f"MR image {index}"))
    image = new_file(file_meta(MRImageStorage, uid, ExplicitVRLittleEndian))
    image.update(common)
    image.SOPInstanceUID = uid
    image.InstanceNumber = str(index + 1)
    image.ImagePositionPatient = [decimal_text(float(text)) for text in source.position_text]
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.sop_class_uid, source.sop_instance_uid
    if source.frame is not None:
        item.ReferencedFrameNumber = source.frame
    item.PurposeOfReferenceCodeSequence = Items([code_item(SOURCE_IMAGE)])
    item.SpatialLocationsPreserved = "YES"
    image.SourceImageSequence = Items([item])
    image.PixelData = pixels.astype("<u2").tobytes()
    return image
