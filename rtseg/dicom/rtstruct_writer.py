"""RTSTRUCT out: organs on the grid of a planning CT as a DICOM structure set, verified before it takes its name."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, FileDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ImplicitVRLittleEndian, RTStructureSetStorage

import rtseg
from rtseg.core import Finding, GeometryError, OutputError, StructureSet
from rtseg.dicom.atomic import must_be_free, whole_file
from rtseg.dicom.copied_identity import add_identity
from rtseg.dicom.export import PLAINLY, Export, Maker
from rtseg.dicom.file_meta import file_meta, new_file
from rtseg.dicom.planning_ct import CtGrid, PlanningCT, grid_of
from rtseg.dicom.rtstruct_items import referenced_frame
from rtseg.dicom.rtstruct_rois import PlannedRois, plan_rois, roi_items
from rtseg.dicom.stamp import Stamp
from rtseg.dicom.verify import Expected, verify

SERIES_NUMBERS = ("9001", "9002")
"""Series Number of a structure set: the first that is not the CT's."""

Target = Path | BinaryIO
"""A file, or a binary file object that is written to where it stands, once everything is right."""


@dataclass(frozen=True)
class WrittenRtstruct:
    """What was written where (None: into a file object); left_out are the organs without a voxel, each with a finding;
    meant: what a reader finds in it, by the names of its ROIs."""

    path: Path | None
    sop_instance_uid: str
    left_out: tuple[str, ...]
    findings: tuple[Finding, ...]
    meant: StructureSet


def write_rtstruct(
    structures: StructureSet, ct: PlanningCT | CtGrid, target: Target, export: Export = PLAINLY, stamp: Stamp | None = None
) -> WrittenRtstruct:
    """Writes the organs as contours of ``ct`` (PS3.3 A.19, RT Structure Set IOD), all or nothing.

    Even-odd filling at pixel centres gives back each mask to the voxel (where no point was left out on purpose); before the
    file takes its name it is verified (`verify`). Organs without a voxel are left out. Implicit VR little endian; nothing but
    headers is used of the CT. stamp: the time and the UIDs; now and new ones if not given.

    Raises GeometryError if the organs are not on the CT's grid; InputError if the CT has no DICOM identity; OutputError if
    there is no organ to write, a name is unlawful or comes twice, or the file cannot be written, is there already, or
    is not as it should be; ConfigError for options that contradict each other.
    """
    grid = grid_of(ct)
    if not structures.geometry.same_as(grid.geometry):
        raise GeometryError("the organs are not on the grid of the CT: restore them first")
    if isinstance(target, Path):
        must_be_free(target, overwrite=export.overwrite)
    planned = plan_rois(structures, export)
    if not planned.rois:
        raise OutputError(f"{target_name(target)}: no organ has a voxel, and a structure set needs one")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pydicom's remarks on the CT's spelling: told when it was read
        dataset = _dataset(planned, grid, export, stamp or Stamp.now())
    expected = expected_of(planned, grid, export)
    save(dataset, target, grid, expected, overwrite=export.overwrite)
    path = target if isinstance(target, Path) else None
    return WrittenRtstruct(path, str(dataset.SOPInstanceUID), planned.left_out, planned.findings, expected.structures)


def target_name(target: Target) -> str:
    """What a message calls it."""
    return str(target) if isinstance(target, Path) else "the structure set"


def expected_of(planned: PlannedRois, grid: CtGrid, export: Export) -> Expected:
    """What has to read back from what was planned."""
    meant = StructureSet(grid.geometry, {roi.name: roi.drawing.meant for roi in planned.rois})
    inexact = frozenset(roi.name for roi in planned.rois if not roi.drawing.exact)
    return Expected(meant, inexact, export.simplify_mm)


def save(
    dataset: FileDataset, target: Target, ct: CtGrid, expected: Expected, *, overwrite: bool, known: Collection[str] = ()
) -> None:
    """Write a structure set whole or not at all, once it is verified. Raises OutputError with what is wrong with it.

    known: defects, in words, that were there before and are not ours to mend.
    """
    if isinstance(target, Path):
        with whole_file(target, overwrite=overwrite) as temporary:
            _encode(dataset, temporary)
            _must_be_right(temporary, ct, expected, known)
        return
    buffer = io.BytesIO()
    _encode(dataset, buffer)
    _must_be_right(buffer, ct, expected, known)
    target.write(buffer.getvalue())


def _encode(dataset: FileDataset, target: Target) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # as above
        dataset.save_as(target, enforce_file_format=True, implicit_vr=True, little_endian=True)


def _must_be_right(source: Target, ct: CtGrid, expected: Expected, known: Collection[str]) -> None:
    defects = [defect for defect in verify(source, ct, expected).defects if defect.words not in known]
    if defects:
        more = f" (and {len(defects) - 3} more)" if len(defects) > 3 else ""
        words = "; ".join(defect.words for defect in defects[:3])
        raise OutputError(f"the structure set is not as it should be, nothing was written: {words}{more}")


def _dataset(planned: PlannedRois, ct: CtGrid, export: Export, stamp: Stamp) -> FileDataset:
    uid = UID(stamp.uid("instance"))
    dataset = new_file(file_meta(RTStructureSetStorage, uid, ImplicitVRLittleEndian))
    texts = [text for roi in planned.rois for text in (roi.name, roi.key)]
    add_identity(dataset, ct.identity.header, [*texts, export.label or ""])
    _add_series(dataset, ct.identity.series_number, uid, stamp)
    _add_structure_set(dataset, export, stamp.when)
    dataset.FrameOfReferenceUID = ct.identity.frame_of_reference_uid
    dataset.ReferencedFrameOfReferenceSequence = Items([referenced_frame(ct.identity)])
    rois, contours, observations = roi_items(planned.rois, ct, export, stamp.when)
    dataset.StructureSetROISequence = Items(rois)
    dataset.ROIContourSequence = Items(contours)
    dataset.RTROIObservationsSequence = Items(observations)
    return dataset


def _add_series(dataset: Dataset, number_of_ct: str, uid: UID, stamp: Stamp) -> None:
    """SOP Common, RT Series and General Equipment."""
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = uid
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesInstanceUID = stamp.uid("series")
    dataset.SeriesNumber = next(number for number in SERIES_NUMBERS if number != number_of_ct)
    dataset.SeriesDescription = f"rtseg {rtseg.__version__} auto contours"
    dataset.OperatorsName = None
    dataset.Manufacturer = dataset.ManufacturerModelName = "rtseg"
    dataset.DeviceSerialNumber = None
    dataset.SoftwareVersions = rtseg.__version__
    for moment in ("InstanceCreation", "Series", "StructureSet"):
        setattr(dataset, f"{moment}Date", stamp.when.strftime("%Y%m%d"))
        setattr(dataset, f"{moment}Time", stamp.when.strftime("%H%M%S"))


def _add_structure_set(dataset: Dataset, export: Export, when: datetime) -> None:
    """Structure Set and Approval."""
    maker = export.maker
    is_model = isinstance(maker, Maker)
    made = f"by {maker.model} {maker.version} (sha256:{maker.sha256})" if isinstance(maker, Maker) else maker.words
    dataset.StructureSetLabel = export.label or f"RTSEG{when:%m%d%H%M}"
    dataset.StructureSetName = "rtseg auto contours" if is_model else "rtseg converted contours"
    dataset.StructureSetDescription = (
        f"Contours {made}, rtseg {rtseg.__version__}."
        " For research use; not a medical device. Every contour needs a human's review before use."
    )
    dataset.InstanceNumber = "1"
    dataset.ApprovalStatus = "UNAPPROVED"
