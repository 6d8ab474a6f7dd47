"""Is an MR-like series as it should be? Read from its files, by nothing of what wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import FileDataset
from pydicom.uid import MRImageStorage

from rtseg.core import Finding
from rtseg.dicom.data_set import PARSE_ERRORS, read_data_set
from rtseg.dicom.planning_ct import CtGrid
from rtseg.dicom.raw_items import decoded_text, items, plain_text

SYNTHETIC = "SYNTHETIC MR (from CT)"
"""How Series Description begins; Image Comments say it again."""

PLACE_MM = 0.001
"""Each image lies where its slice of the CT lies, within this."""

THE_CTS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyID",
    "AccessionNumber",
)

FIXED = {
    "Modality": "MR",
    "ImageType": "DERIVED\\SECONDARY\\OTHER",
    "ScanningSequence": "RM",
    "SequenceVariant": "NONE",
    "PhotometricInterpretation": "MONOCHROME2",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "ContentQualification": "RESEARCH",
}
"""Values that every image has."""

NEVER = (
    *("MagneticFieldStrength", "InversionTime", "RescaleSlope", "RescaleIntercept", "RescaleType"),
    *("StationName", "KVP", "ImagingFrequency"),
)
"""What nobody measured, or MR images do not have."""

HAS_TO_BE_THERE = (
    "PatientPosition",
    "EchoTime",
    "RepetitionTime",
    "ScanOptions",
    "WindowCenter",
    "WindowWidth",
    "PositionReferenceIndicator",
)


@dataclass(frozen=True, eq=False)
class StoredValues:
    """The numbers that the pixels are meant to be: (slices, rows, columns)."""

    array: NDArray[np.uint16]


def verify_mr_series(folder: Path, ct: CtGrid, expected: StoredValues | None = None) -> tuple[Finding, ...]:
    """What is wrong with an MR-like series of this CT, in words; nothing is wrong if nothing comes.

    Looks at every file of the folder: one for each slice of the CT, on its plane and pixels, with new UIDs, the CT's patient,
    study and frame of reference; what says that it is synthetic; and, if told, the pixels.
    """
    images: list[FileDataset] = []
    for path in sorted(folder.iterdir()):
        try:
            images.append(read_data_set(path))
        except PARSE_ERRORS as error:
            return (_defect(f"{path.name} cannot be read: {type(error).__name__}"),)
    if len(images) != ct.geometry.shape[0]:
        return (_defect(f"{len(images)} images for {ct.geometry.shape[0]} slices of the CT"),)
    images.sort(key=lambda image: float(np.dot(image.ImagePositionPatient, ct.geometry.direction[0])))
    words: dict[str, int] = {}
    for index, image in enumerate(images):
        for word in _image_defects(image, index, ct, expected):
            words[word] = words.get(word, 0) + 1
    every = [f"{word} ({count} images)" if count > 1 else word for word, count in words.items()]
    return tuple(_defect(word) for word in (*every, *_series_defects(images, ct)))


def _defect(words: str) -> Finding:
    return Finding("mr_series_defect", words)


def _image_defects(image: FileDataset, index: int, ct: CtGrid, expected: StoredValues | None) -> Iterator[str]:
    source = ct.identity.slices[index]
    if plain_text(image, "SOPClassUID") != MRImageStorage:
        yield "the SOP class is not MR Image Storage"
    if plain_text(image.file_meta, "MediaStorageSOPInstanceUID") != plain_text(image, "SOPInstanceUID"):
        yield "the UID of the file meta information is another"
    yield from (
        f"{word} is not the CT's" for word in THE_CTS if decoded_text(image, word) != decoded_text(ct.identity.header, word)
    )
    if plain_text(image, "FrameOfReferenceUID") != ct.identity.frame_of_reference_uid:
        yield "FrameOfReferenceUID is not the CT's"
    yield from (f"{word} is not {value}" for word, value in FIXED.items() if plain_text(image, word) != value)
    yield from (f"{word} is there, though nobody measured it" for word in NEVER if word in image)
    yield from (f"{word} is missing" for word in HAS_TO_BE_THERE if word not in image)
    if not decoded_text(image, "SeriesDescription").startswith(SYNTHETIC) or SYNTHETIC not in decoded_text(
        image, "ImageComments"
    ):
        yield "it does not say that it is synthetic"
    if "not for diagnosis" not in decoded_text(image, "DerivationDescription"):
        yield "DerivationDescription does not say that it is not for diagnosis"
    its = items(image, "SourceImageSequence")
    if [plain_text(item, "ReferencedSOPInstanceUID") for item in its] != [source.sop_instance_uid]:
        yield "SourceImageSequence does not name the slice of the CT"
    yield from _place_defects(image, index, ct)
    if expected is not None and not np.array_equal(image.pixel_array, expected.array[index]):
        yield "pixels are not what was meant"


def _place_defects(image: FileDataset, index: int, ct: CtGrid) -> Iterator[str]:
    rows, columns = ct.geometry.shape[1:]
    if (image.Rows, image.Columns) != (rows, columns):
        yield "rows and columns are not the CT's"
        return
    orientation = np.array(image.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    down, along = np.array(image.PixelSpacing, dtype=np.float64)
    corners = np.array([(0, 0), (0, columns - 1), (rows - 1, 0), (rows - 1, columns - 1)])
    ours = np.array(image.ImagePositionPatient, dtype=np.float64) + corners @ np.stack(
        [orientation[1] * down, orientation[0] * along]
    )
    theirs = ct.geometry.points(np.column_stack([np.full(4, index), corners]).astype(np.float64))
    if np.abs(ours - theirs).max() > PLACE_MM:
        yield "it does not lie where its slice of the CT lies"


def _series_defects(images: list[FileDataset], ct: CtGrid) -> Iterator[str]:
    if len({plain_text(image, "SOPInstanceUID") for image in images}) < len(images):
        yield "two images have the same SOPInstanceUID"
    taken = {ct.identity.series_instance_uid, *(image.sop_instance_uid for image in ct.identity.slices)}
    if any(plain_text(image, word) in taken for image in images for word in ("SOPInstanceUID", "SeriesInstanceUID")):
        yield "UIDs of the CT are used again"
    if len({plain_text(image, "SeriesInstanceUID") for image in images}) > 1:
        yield "the images are of several series"
