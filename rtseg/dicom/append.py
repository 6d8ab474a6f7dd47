"""Organs added to a structure set that is there: a new one that holds both, the old items untouched (RTSTRUCT.md 5)."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydicom import DataElement, Dataset, FileDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ImplicitVRLittleEndian, RTStructureSetStorage

import rtseg
from rtseg.core import GeometryError, InputError, OutputError, StructureSet
from rtseg.core.anatomy import Code
from rtseg.dicom.atomic import must_be_free
from rtseg.dicom.copied_identity import can_spell, respell
from rtseg.dicom.data_set import PARSE_ERRORS, Source, name_of, read_data_set, words_of
from rtseg.dicom.export import PLAINLY, Export, WrittenRoi
from rtseg.dicom.file_meta import file_meta
from rtseg.dicom.planning_ct import CtGrid, PlanningCT, grid_of
from rtseg.dicom.raw_items import decoded_text, items, plain_text, raw_bytes, whole_number
from rtseg.dicom.rtstruct_file import RoiItems, RtstructFile, rtstruct_of
from rtseg.dicom.rtstruct_items import CONTOUR_DATA, code_item, referenced_frame
from rtseg.dicom.rtstruct_rois import EXTERNAL, There, plan_rois, roi_items
from rtseg.dicom.rtstruct_writer import Target, WrittenRtstruct, expected_of, save, target_name
from rtseg.dicom.stamp import Stamp
from rtseg.dicom.verify import verify

MODIFYING_EQUIPMENT = Code("109103", "DCM", "Modifying Equipment")
"""Purpose of a contributing equipment (PS3.16 CID 7005)."""

REVIEW = ("ReviewDate", "ReviewTime", "ReviewerName")
"""Whoever approved the old structure set has not seen this one."""

SEQUENCES = {
    "StructureSetROISequence": "ROINumber",
    "ROIContourSequence": "ReferencedROINumber",
    "RTROIObservationsSequence": "ReferencedROINumber",
}
"""The three sequences that an ROI stands in, and what holds its number there."""


class Clash(StrEnum):
    """What happens where an ROI of the name is there already (case does not tell names apart)."""

    REFUSE = "refuse"
    REPLACE = "replace"
    SUFFIX = "suffix"


def append(
    structures: StructureSet,
    ct: PlanningCT | CtGrid,
    source: Source,
    target: Target,
    export: Export = PLAINLY,
    clash: Clash = Clash.REFUSE,
) -> WrittenRtstruct:
    """Writes a structure set that holds the ROIs of ``source`` and, behind them, the organs as contours of ``ct``.

    The source is never changed. Its items stay element by element; the new structure set has UIDs of its own, names the source as
    its predecessor and this project among the equipment, and is unapproved. The new ROIs are verified as in `write_rtstruct`.

    Raises InputError if the source is no structure set of this patient, study, frame of reference and series, or is approved and
    ``export`` does not allow that, or has an ROI of the same name; else as `write_rtstruct`.
    """
    grid = grid_of(ct)
    if not structures.geometry.same_as(grid.geometry):
        raise GeometryError("the organs are not on the grid of the CT: restore them first")
    if isinstance(target, Path):
        must_be_free(target, overwrite=export.overwrite)
        if isinstance(source, Path) and target.resolve() == source.resolve():
            raise OutputError(f"{target} is the structure set to append to, which stays as it is: name another file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks of pydicom on the source's spelling, and of its codecs
            return _appended(structures, grid, source, target, export, clash)
    except PARSE_ERRORS as error:
        raise InputError(
            f"{name_of(source)} does not keep to its encoding ({type(error).__name__}): it cannot be added to. Export it again"
        ) from error


def _appended(
    structures: StructureSet, grid: CtGrid, source: Source, target: Target, export: Export, clash: Clash
) -> WrittenRtstruct:
    dataset, old = _loaded(source)
    _must_fit(dataset, old, grid, export, name_of(source))
    before = verify(source, grid)
    export, replaced = _settled(structures, old, export, clash)
    kept = [roi for roi in old.rois if roi.number not in replaced]
    planned = plan_rois(structures, export, _there(dataset, kept))
    if not planned.rois:
        raise OutputError(f"{target_name(target)}: no organ has a voxel, so there is nothing to append")
    _remove(dataset, replaced)
    stamp = Stamp.now()
    _renew(dataset, export, stamp, [text for roi in planned.rois for text in (roi.name, roi.key)])
    _refer(dataset, grid)
    for keyword, new in zip(SEQUENCES, roi_items(planned.rois, grid, export, stamp.when), strict=True):
        setattr(dataset, keyword, Items([*items(dataset, keyword), *new]))
    expected = replace(expected_of(planned, grid, export), beside=frozenset(roi.name for roi in kept))
    save(dataset, target, grid, expected, overwrite=export.overwrite, known={defect.words for defect in before.defects})
    path = target if isinstance(target, Path) else None
    return WrittenRtstruct(path, str(dataset.SOPInstanceUID), planned.left_out, planned.findings, expected.structures)


def _loaded(source: Source) -> tuple[FileDataset, RtstructFile]:
    called = name_of(source)
    try:
        dataset = read_data_set(source)
        old = rtstruct_of(dataset, called)
        for contour in _contours(dataset):
            if CONTOUR_DATA in contour:  # its text stays to the letter, whatever the new encoding
                contour[CONTOUR_DATA] = DataElement(CONTOUR_DATA, "OB", raw_bytes(contour, "ContourData"))
        if not dataset.original_encoding[1]:
            dataset = FileDataset("", _decoded(dataset))  # pydicom turns the bytes of a big endian file by no other way
        return dataset, old
    except OSError as error:
        raise InputError(f"{called} cannot be read: {error.strerror or error}. See that it is there.") from error
    except PARSE_ERRORS as error:
        raise InputError(f"{called} is not a whole DICOM file ({words_of(error)}). Export it again.") from error


def _decoded(dataset: Dataset) -> Dataset:
    """The same elements without the bytes that they were read from."""
    decoded = Dataset()
    for element in dataset:
        if element.VR == "SQ":
            decoded.add_new(element.tag, "SQ", Items([_decoded(item) for item in element.value]))
        else:
            decoded.add(element)
    return decoded


def _must_fit(dataset: Dataset, old: RtstructFile, ct: CtGrid, export: Export, called: str) -> None:
    """Raises InputError unless the source is of this patient, study, frame of reference and series, and may be added to."""
    identity = ct.identity
    for keyword in ("PatientID", "StudyInstanceUID"):
        if decoded_text(dataset, keyword) != decoded_text(identity.header, keyword):
            raise InputError(f"{called} is of another {keyword} than the CT: name a structure set that was drawn on it")
    frames = {roi.frame_of_reference_uid for roi in old.rois} - {None, ""}
    if frames and identity.frame_of_reference_uid not in frames:
        raise InputError(f"{called} lies in another frame of reference than the CT: name a structure set that was drawn on it")
    if old.series and identity.series_instance_uid not in old.series:
        raise InputError(f"{called} was drawn on another series than this CT: name a structure set that was drawn on it")
    if plain_text(dataset, "ApprovalStatus") == "APPROVED" and not export.allow_approved:
        raise InputError(
            f"{called} is APPROVED: a structure set that holds it and new organs would be no more. Append to a copy that is not, "
            "or ask for it with --allow-approved"
        )


def _settled(structures: StructureSet, old: RtstructFile, export: Export, clash: Clash) -> tuple[Export, frozenset[int]]:
    """The export with names that do not clash, and the numbers of ROIs that are to be replaced.

    Raises InputError for names that are there, if that is how they are to be answered.
    """
    there = {roi.name.casefold(): roi for roi in old.rois}
    names = export.names or {key: WrittenRoi(key) for key in structures}
    asked = {key: roi for key, roi in names.items() if key in structures}
    clashing = {key: there[roi.name.casefold()] for key, roi in asked.items() if roi.name.casefold() in there}
    if not clashing:
        return export, frozenset()
    if clash is Clash.REFUSE:
        raise InputError(
            f"{', '.join(roi.name for roi in clashing.values())}: there already. Replace (--clash replace), keep both under "
            "another name (--clash suffix), or choose organs that are not there with --organs"
        )
    if clash is Clash.REPLACE:
        folded = {roi.name.casefold() for roi in clashing.values()}
        return export, frozenset(roi.number for roi in old.rois if roi.name.casefold() in folded)
    taken = {*there, *(roi.name.casefold() for roi in asked.values())}
    renamed = {key: replace(asked[key], name=_free(asked[key].name, taken)) for key in clashing}
    return replace(export, names={**asked, **renamed}), frozenset()


def _free(name: str, taken: set[str]) -> str:
    """The name with the first number behind it that nobody has."""
    number = 2
    while f"{name}_{number}".casefold() in taken:
        number += 1
    taken.add(f"{name}_{number}".casefold())
    return f"{name}_{number}"


def _remove(dataset: Dataset, numbers: Collection[int]) -> None:
    """Take ROIs out of the three sequences and out of what other ROIs say of them."""
    if not numbers:
        return
    for keyword, number in SEQUENCES.items():
        setattr(dataset, keyword, Items([item for item in items(dataset, keyword) if whole_number(item, number) not in numbers]))
    for item in items(dataset, "RTROIObservationsSequence"):
        related = items(item, "RTRelatedROISequence")
        left = [each for each in related if whole_number(each, "ReferencedROINumber") not in numbers]
        if len(left) < len(related):
            if left:
                item.RTRelatedROISequence = Items(left)
            else:
                del item.RTRelatedROISequence


def _there(dataset: Dataset, kept: Sequence[RoiItems]) -> There:
    """What the new ROIs have to be told from: every number that stands in the three sequences, and colours."""
    numbers = [0]
    for keyword, word in SEQUENCES.items():
        for item in items(dataset, keyword):
            numbers += [number for each in (word, "ObservationNumber") if (number := whole_number(item, each)) is not None]
    colours = frozenset(roi.colour for roi in kept if roi.colour is not None)
    return There(max(numbers), colours, any(roi.interpreted_type == EXTERNAL for roi in kept))


def _renew(dataset: FileDataset, export: Export, stamp: Stamp, texts: list[str]) -> None:
    """New UIDs, times and approval; where it comes from, and what made it. Text in UTF-8 if ours does not fit otherwise."""
    predecessor = Dataset()
    predecessor.ReferencedSOPClassUID = RTStructureSetStorage
    predecessor.ReferencedSOPInstanceUID = plain_text(dataset, "SOPInstanceUID")
    dataset.PredecessorStructureSetSequence = Items([predecessor])
    if not can_spell(dataset.get("SpecificCharacterSet"), [*texts, export.label or ""]):
        respell(dataset)
    uid = UID(stamp.uid("instance"))
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = uid, stamp.uid("series")
    dataset.file_meta, dataset.preamble = file_meta(RTStructureSetStorage, uid, ImplicitVRLittleEndian), b"\0" * 128
    if export.label is not None:
        dataset.StructureSetLabel = export.label
    for moment in ("InstanceCreation", "Series", "StructureSet"):
        setattr(dataset, f"{moment}Date", stamp.when.strftime("%Y%m%d"))
        setattr(dataset, f"{moment}Time", stamp.when.strftime("%H%M%S"))
    dataset.ApprovalStatus = "UNAPPROVED"
    for keyword in REVIEW:
        if keyword in dataset:
            delattr(dataset, keyword)
    equipment = [*items(dataset, "ContributingEquipmentSequence"), _equipment(export, stamp.when)]
    dataset.ContributingEquipmentSequence = Items(equipment)


def _contours(dataset: Dataset) -> Iterator[Dataset]:
    for roi in items(dataset, "ROIContourSequence"):
        yield from items(roi, "ContourSequence")


def _equipment(export: Export, when: datetime) -> Dataset:
    item = Dataset()
    item.Manufacturer = item.ManufacturerModelName = "rtseg"
    item.SoftwareVersions = rtseg.__version__
    item.ContributionDateTime = when.strftime("%Y%m%d%H%M%S")
    item.ContributionDescription = f"contours by {export.maker.words}; every contour needs a human's review"
    item.PurposeOfReferenceCodeSequence = Items([code_item(MODIFYING_EQUIPMENT)])
    return item


def _refer(dataset: Dataset, ct: CtGrid) -> None:
    """The CT's images in the list of those referred to, each once; what stands there already stays."""
    ours = referenced_frame(ct.identity)
    frames = items(dataset, "ReferencedFrameOfReferenceSequence")
    frame = _with(frames, "FrameOfReferenceUID", ct.identity.frame_of_reference_uid)
    if frame is None:
        dataset.ReferencedFrameOfReferenceSequence = Items([*frames, ours])
        return
    studies = items(frame, "RTReferencedStudySequence")
    study = _with(studies, "ReferencedSOPInstanceUID", ct.identity.study_instance_uid)
    if study is None:
        frame.RTReferencedStudySequence = Items([*studies, *ours.RTReferencedStudySequence])
        return
    its = ours.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    all_series = items(study, "RTReferencedSeriesSequence")
    series = _with(all_series, "SeriesInstanceUID", ct.identity.series_instance_uid)
    if series is None:
        study.RTReferencedSeriesSequence = Items([*all_series, its])
        return
    there = items(series, "ContourImageSequence")
    known = {plain_text(image, "ReferencedSOPInstanceUID") for image in there}
    missing = [image for image in its.ContourImageSequence if image.ReferencedSOPInstanceUID not in known]
    series.ContourImageSequence = Items([*there, *missing])


def _with(datasets: list[Dataset], keyword: str, value: str) -> Dataset | None:
    return next((each for each in datasets if plain_text(each, keyword) == value), None)
