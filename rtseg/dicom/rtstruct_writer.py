"""RTSTRUCT out: organs on the grid of a planning CT as a DICOM structure set, read back before it takes its name."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom import DataElement, Dataset, FileDataset, config
from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ImplicitVRLittleEndian, RTStructureSetStorage

import rtseg
from rtseg.core import ConfigError, Finding, GeometryError, OutputError, Structure, StructureSet, bounding_box
from rtseg.dicom.atomic import whole_file
from rtseg.dicom.ct_writer import IMPLEMENTATION_UID
from rtseg.dicom.planning_ct import CtGrid, PlanningCT, SeriesIdentity, grid_of
from rtseg.dicom.rtstruct_items import (
    Maker,
    contour_item,
    distinct_colours,
    interpreted_type,
    observation_item,
    referenced_frame,
    roi_item,
)
from rtseg.dicom.rtstruct_reader import read_rtstruct
from rtseg.dicom.uids import new_uid

NAME_CHARACTERS = 64
"""Longest ROI name (VR LO, PS3.5 6.2)."""

SHORT_NAME_CHARACTERS = 16
"""Longest name that older planning systems keep (TG-263)."""

LABEL_CHARACTERS = 16
"""Longest Structure Set Label (VR SH, PS3.5 6.2)."""

SERIES_NUMBERS = ("9001", "9002")
"""Series Number of a structure set: the first that is not the CT's."""

MAY_BE_EMPTY = (
    *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "PositionReferenceIndicator"),
)
"""Attributes of the CT that must be there, if only empty (type 2)."""

UNICODE = "ISO_IR 192"
"""UTF-8, for names that the CT's character set cannot spell."""


@dataclass(frozen=True)
class Export:
    """How a structure set is written.

    maker      the model that contoured, named in each ROI
    label      Structure Set Label, 1-16 characters; None gives ``RTSEG`` and month, day, hour, minute
    overwrite  whether a file that is there already is replaced

    Raises ConfigError for a label that a planning system would refuse.
    """

    maker: Maker
    label: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.label is not None and not (_is_lawful(self.label) and len(self.label) <= LABEL_CHARACTERS):
            raise ConfigError(
                f"a structure set label has 1 to {LABEL_CHARACTERS} characters, no backslash, no blank at its ends;"
                f" got {self.label!r}"
            )


@dataclass(frozen=True)
class WrittenRtstruct:
    """What was written where; left_out are the organs without a voxel, each with a finding."""

    path: Path
    sop_instance_uid: str
    left_out: tuple[str, ...]
    findings: tuple[Finding, ...]


def write_rtstruct(structures: StructureSet, ct: PlanningCT | CtGrid, path: Path, export: Export) -> WrittenRtstruct:
    """Writes the organs as contours of ``ct`` (PS3.3 A.19, RT Structure Set IOD), all or nothing.

    Even-odd filling at pixel centres gives back each mask to the voxel; before the file takes its name it is read
    back and compared. Organs without a voxel are left out. Implicit VR little endian; nothing but headers is used of the CT.

    Raises GeometryError if the organs are not on the CT's grid; InputError if the CT has no DICOM identity; OutputError if
    there is no organ to write, a name is unlawful or comes twice, or the file cannot be written, is there already, or
    does not read back the same.
    """
    grid = grid_of(ct)
    if not structures.geometry.same_as(grid.geometry):
        raise GeometryError("the organs are not on the grid of the CT: restore them first")
    findings = _must_be_lawful(structures)
    left_out = tuple(name for name in structures if structures[name].is_empty)
    findings += [Finding("structure_empty", f"{name}: no voxel; left out of the structure set", name, 0.0) for name in left_out]
    written = structures.subset([name for name in structures if name not in left_out])
    if len(written) == 0:
        raise OutputError(f"{path}: no organ has a voxel, and a structure set needs one")
    with whole_file(path, overwrite=export.overwrite) as temporary:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # pydicom's remarks on the CT's spelling: told when it was read
            dataset = _dataset(written, grid.identity, export)
            dataset.save_as(temporary, enforce_file_format=True)
        _must_read_back(temporary, written, grid.identity)
    return WrittenRtstruct(path, str(dataset.SOPInstanceUID), left_out, tuple(findings))


def _is_lawful(name: str) -> bool:
    return bool(name) and name == name.strip() and "\\" not in name and name.isprintable()


def _must_be_lawful(structures: StructureSet) -> list[Finding]:
    """Findings about names that are long; raises OutputError for names that no file can hold."""
    findings = []
    folded: dict[str, str] = {}
    short: dict[str, str] = {}
    for name in structures:
        if not _is_lawful(name) or len(name) > NAME_CHARACTERS:
            raise OutputError(
                f"{name!r} cannot name an ROI: 1 to {NAME_CHARACTERS} printable characters, no backslash, no blank at its ends"
            )
        if (other := folded.setdefault(name.casefold(), name)) != name:
            raise OutputError(f"{other!r} and {name!r} differ in case only: planning systems would merge them")
        start = name[:SHORT_NAME_CHARACTERS].casefold()
        if len(name) > SHORT_NAME_CHARACTERS:
            words = f"{name} has more than {SHORT_NAME_CHARACTERS} characters: older planning systems cut it"
            findings.append(Finding("name_long", words, name, float(len(name)), float(SHORT_NAME_CHARACTERS)))
        if (other := short.setdefault(start, name)) != name:
            words = f"{name} and {other} begin with the same {SHORT_NAME_CHARACTERS} characters"
            findings.append(Finding("name_start_shared", words, name))
    bodies = [name for name in structures if interpreted_type(name) == "EXTERNAL"]
    if len(bodies) > 1:
        raise OutputError(f"a structure set has one external contour, got {', '.join(bodies)}")
    return findings


def _dataset(structures: StructureSet, identity: SeriesIdentity, export: Export) -> FileDataset:
    when = datetime.now()
    uid = UID(new_uid())
    dataset = FileDataset("", {}, file_meta=_file_meta(uid), preamble=b"\0" * 128)
    _add_identity(dataset, identity.header, [*structures, export.label or ""])
    _add_series(dataset, identity.series_number, uid, when)
    _add_structure_set(dataset, export, when)
    dataset.FrameOfReferenceUID = identity.frame_of_reference_uid
    dataset.ReferencedFrameOfReferenceSequence = Items([referenced_frame(identity)])
    colours = distinct_colours(structures)
    numbered = list(enumerate(structures, start=1))
    frame, grid = identity.frame_of_reference_uid, structures.geometry
    rois = [roi_item(n, name, frame, export.maker, when) for n, name in numbered]
    contours = [contour_item(n, colours[name], structures[name], grid, identity) for n, name in numbered]
    dataset.StructureSetROISequence = Items(rois)
    dataset.ROIContourSequence = Items(contours)
    dataset.RTROIObservationsSequence = Items([observation_item(n, name) for n, name in numbered])
    return dataset


def _file_meta(uid: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = f"RTSEG_{rtseg.__version__}"[:16]
    return meta


def _add_identity(dataset: Dataset, header: Dataset, ours: Sequence[str]) -> None:
    """Patient, study and frame of reference as the CT has them; in UTF-8 if its character set cannot spell what is ours."""
    for element in header:
        dataset[element.tag] = deepcopy(element)
    for keyword in MAY_BE_EMPTY:
        if keyword not in dataset:
            setattr(dataset, keyword, None)
    if not _can_spell(header.get("SpecificCharacterSet"), ours):
        for element in dataset:
            if element.VR == "PN" and element.value:  # holds the bytes of the old character set
                names = [str(name) for name in (element.value if element.VM > 1 else [element.value])]
                dataset[element.tag] = DataElement(element.tag, "PN", names, validation_mode=config.IGNORE)
        dataset.SpecificCharacterSet = UNICODE


def _can_spell(character_set: str | Sequence[str] | None, texts: Sequence[str]) -> bool:
    """Whether each text can be written in one of the character sets and read again; without any, in ASCII (ISO-IR 6)."""
    if all(text.isascii() for text in texts):
        return True
    sets = [character_set] if isinstance(character_set, str) else list(character_set or ())
    codecs = [python_encoding[s] for s in sets if s in python_encoding and s not in ("", "ISO_IR 6", "ISO 2022 IR 6")]
    return all(any(_fits(text, codec) for codec in codecs) and _comes_back(text, sets) for text in texts)


def _fits(text: str, codec: str) -> bool:
    try:
        return text.encode(codec).decode(codec) == text
    except UnicodeError:
        return False


def _comes_back(text: str, character_sets: Sequence[str]) -> bool:
    """Python's codecs know more letters than the standard's sets (kanji beside ISO_IR 13): what the file would hold counts."""
    encodings = convert_encodings(list(character_sets))
    return decode_bytes(encode_string(text, encodings), encodings, set()) == text


def _add_series(dataset: Dataset, number_of_ct: str, uid: UID, when: datetime) -> None:
    """SOP Common, RT Series and General Equipment."""
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = uid
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesInstanceUID = new_uid()
    dataset.SeriesNumber = next(number for number in SERIES_NUMBERS if number != number_of_ct)
    dataset.SeriesDescription = f"rtseg {rtseg.__version__} auto contours"
    dataset.OperatorsName = None
    dataset.Manufacturer = dataset.ManufacturerModelName = "rtseg"
    dataset.DeviceSerialNumber = None
    dataset.SoftwareVersions = rtseg.__version__
    for moment in ("InstanceCreation", "Series", "StructureSet"):
        setattr(dataset, f"{moment}Date", when.strftime("%Y%m%d"))
        setattr(dataset, f"{moment}Time", when.strftime("%H%M%S"))


def _add_structure_set(dataset: Dataset, export: Export, when: datetime) -> None:
    """Structure Set and Approval."""
    maker = export.maker
    dataset.StructureSetLabel = export.label or f"RTSEG{when:%m%d%H%M}"
    dataset.StructureSetName = "rtseg auto contours"
    dataset.StructureSetDescription = (
        f"Contours by {maker.model} {maker.version} (sha256:{maker.sha256}), rtseg {rtseg.__version__}."
        " For research use; not a medical device. Every contour needs a human's review before use."
    )
    dataset.InstanceNumber = "1"
    dataset.ApprovalStatus = "UNAPPROVED"


def _must_read_back(path: Path, structures: StructureSet, identity: SeriesIdentity) -> None:
    """Raises OutputError unless our reader, which shares no code with this writer, finds each mask to the voxel and no more."""
    found = read_rtstruct(path, CtGrid(structures.geometry, identity)).structures
    if list(found) != list(structures):
        raise OutputError("the structure set did not read back with the same organs; nothing was written")
    for name in structures:
        if not _same(structures[name], found[name]):
            raise OutputError(f"{name} did not read back the same; nothing was written")


def _same(one: Structure, other: Structure) -> bool:
    """Whether two structures set the same voxels, however wide their crops are."""
    tight = []
    for structure in (one, other):
        box = bounding_box(structure.mask)
        if box is None:
            return False
        tight.append(([o + side.start for o, side in zip(structure.offset, box, strict=True)], structure.mask[box]))
    (one_at, one_mask), (other_at, other_mask) = tight
    return one_at == other_at and np.array_equal(one_mask, other_mask)
