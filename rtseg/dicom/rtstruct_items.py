"""The items of an RTSTRUCT: references, and for each organ its line in the three ROI sequences (RTSTRUCT.md 2.5)."""

from __future__ import annotations

import colorsys
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom import DataElement, Dataset, Sequence
from pydicom.tag import Tag

from rtseg.contours import Loop
from rtseg.core import Geometry
from rtseg.core.anatomy import Code, organ
from rtseg.dicom.decimal_text import decimal_text
from rtseg.dicom.drawing import Drawing
from rtseg.dicom.export import Conversion, Maker
from rtseg.dicom.planning_ct import CtGrid, SeriesIdentity, SliceIdentity

Colour = tuple[int, int, int]

STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management SOP Class (retired): the class that RT Referenced Study Sequence asks for (PS3.3 C.8.8.5)."""

ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
"""Segmented property category of an organ (PS3.16 CID 7150)."""

ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
"""Algorithm family (PS3.16 CID 7162)."""

SIDES = {"left": Code("7771000", "SCT", "Left"), "right": Code("24028007", "SCT", "Right")}
"""Laterality as a modifier (PS3.16 CID 244)."""

CONTOUR_DATA = Tag(0x3006, 0x0050)

PER_MM = 1000
"""Coordinates are rounded to whole thousandths of a millimetre."""


def referenced_frame(identity: SeriesIdentity) -> Dataset:
    """The item of Referenced Frame of Reference Sequence: the study, the series, each image of it once."""
    images = {image.sop_instance_uid: image for image in identity.slices}
    series = Dataset()
    series.SeriesInstanceUID = identity.series_instance_uid
    series.ContourImageSequence = Sequence([_image(image, with_frame=False) for image in images.values()])
    study = Dataset()
    study.ReferencedSOPClassUID = STUDY_CLASS
    study.ReferencedSOPInstanceUID = identity.study_instance_uid
    study.RTReferencedSeriesSequence = Sequence([series])
    frame = Dataset()
    frame.FrameOfReferenceUID = identity.frame_of_reference_uid
    frame.RTReferencedStudySequence = Sequence([study])
    return frame


@dataclass(frozen=True, eq=False)
class RoiPlan:
    """One ROI to be written: key is its TG-263 name, name what the file calls it."""

    number: int
    key: str
    name: str
    colour: tuple[int, int, int]
    interpreted_type: str
    drawing: Drawing


def roi_item(roi: RoiPlan, frame_of_reference_uid: str, maker: Maker | Conversion, when: datetime) -> Dataset:
    """The item of Structure Set ROI Sequence: number, name, and what made it; nothing where that is not known (type 2)."""
    item = Dataset()
    item.ROINumber = roi.number
    item.ReferencedFrameOfReferenceUID = frame_of_reference_uid
    item.ROIName = roi.name
    item.ROIDescription = roi.key
    item.ROIGenerationDescription = maker.words
    item.ROIDateTime = when.strftime("%Y%m%d%H%M%S")
    item.ROIGenerationAlgorithm = "AUTOMATIC" if isinstance(maker, Maker) else None
    if isinstance(maker, Maker):
        item.ROIDerivationAlgorithmIdentificationSequence = Sequence([algorithm_item(maker)])
    return item


def algorithm_item(maker: Maker) -> Dataset:
    """The item of an algorithm identification sequence (PS3.3 10.16)."""
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = Sequence([code_item(ARTIFICIAL_INTELLIGENCE)])
    item.AlgorithmName = maker.model
    item.AlgorithmVersion = maker.version
    return item


def contour_item(roi: RoiPlan, ct: CtGrid) -> Dataset:
    """The item of ROI Contour Sequence: one CLOSED_PLANAR contour for each part of the organ on each slice."""
    grid, identity = ct
    images = {index: Sequence([_image(identity.slices[index], with_frame=True)]) for index, _ in roi.drawing.contours}
    contours = [
        _contour(number, _points_mm(loop, grid, identity.slices[index]), images[index])
        for number, (index, loop) in enumerate(roi.drawing.contours, start=1)
    ]
    item = Dataset()
    item.ReferencedROINumber = roi.number
    item.ROIDisplayColor = list(roi.colour)
    item.ContourSequence = Sequence(contours)
    if grid.is_regular:
        item.SourcePixelPlanesCharacteristicsSequence = Sequence([_planes(grid, identity)])
    return item


def observation_item(roi: RoiPlan) -> Dataset:
    """The item of RT ROI Observations Sequence: the type and, for an organ of the table, its codes."""
    known = organ(roi.key)
    item = Dataset()
    item.ObservationNumber = roi.number
    item.ReferencedROINumber = roi.number
    item.ROIObservationLabel = roi.name[:16].rstrip()
    item.RTROIInterpretedType = roi.interpreted_type
    item.ROIInterpreter = ""
    if known is not None and known.code is not None:
        item.SegmentedPropertyCategoryCodeSequence = Sequence([code_item(ANATOMICAL_STRUCTURE)])
        concept = code_item(known.code)
        if known.laterality is not None:
            concept.SegmentedPropertyTypeModifierCodeSequence = Sequence([code_item(SIDES[known.laterality])])
        item.RTROIIdentificationCodeSequence = Sequence([concept])
    return item


def interpreted_type(name: str) -> str:
    """RT ROI Interpreted Type of a name; ORGAN for one that is not in the table."""
    known = organ(name)
    return "ORGAN" if known is None else known.interpreted_type


def distinct_colours(names: Iterable[str], taken: Iterable[Colour] = ()) -> dict[str, Colour]:
    """A colour (red, green, blue, 0-255) for each name, no two alike and none that is taken: the table's, else one that follows
    from the name."""
    names, used = list(names), set(taken)
    colours: dict[str, Colour] = {}
    for name in names:
        if (known := organ(name)) is not None and known.colour not in used:
            colours[name] = known.colour
    used |= set(colours.values())
    for name in names:
        turn = 0
        while name not in colours:
            hue, paleness = hashlib.sha256(f"{name}{turn}".encode()).digest()[:2]
            red, green, blue = colorsys.hsv_to_rgb(hue / 256, 0.9 - 0.5 * paleness / 256, 0.95)
            colour = round(255 * red), round(255 * green), round(255 * blue)
            if colour not in used:
                colours[name] = colour
                used.add(colour)
            turn += 1
    return colours


def _points_mm(loop: Loop, grid: Geometry, image: SliceIdentity) -> NDArray[np.float64]:
    """LPS points (n, 3), mm, of a loop (row, column) on the image: from the image's own position (PS3.3 C.7.6.2.1.1)."""
    origin = np.array([float(text) for text in image.position_text])
    points: NDArray[np.float64] = origin + (loop * grid.pixel_spacing) @ grid.direction[1:]
    return points


def _contour(number: int, points: NDArray[np.float64], image: Sequence) -> Dataset:
    """One item of Contour Sequence. Its data are put in as bytes: in implicit VR no VR stands beside them in the file."""
    thousandths = np.rint(points * PER_MM).astype(np.int64)
    text = "\\".join([str(n / PER_MM).removesuffix(".0") for n in thousandths.ravel().tolist()])
    item = Dataset()
    item.ContourImageSequence = image
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points)
    item.ContourNumber = number
    item[CONTOUR_DATA] = DataElement(CONTOUR_DATA, "OB", (text + " " * (len(text) % 2)).encode("ascii"))
    return item


def _image(image: SliceIdentity, *, with_frame: bool) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = image.sop_class_uid
    item.ReferencedSOPInstanceUID = image.sop_instance_uid
    if with_frame and image.frame is not None:
        item.ReferencedFrameNumber = image.frame
    return item


def _planes(grid: Geometry, identity: SeriesIdentity) -> Dataset:
    """The grid the masks were on (PS3.3 C.8.8.6.4), so that a reader can take the same; for evenly spaced slices only."""
    item = Dataset()
    item.PixelSpacing = [decimal_text(mm) for mm in grid.pixel_spacing]
    item.SpacingBetweenSlices = decimal_text(grid.slice_spacing)
    item.ImageOrientationPatient = [decimal_text(float(part)) for part in (*grid.direction[2], *grid.direction[1])]
    item.ImagePositionPatient = [decimal_text(float(text)) for text in identity.slices[0].position_text]
    item.NumberOfFrames = grid.shape[0]
    item.Rows, item.Columns = grid.shape[1:]
    return item


def code_item(code: Code) -> Dataset:
    """The item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    return item
