"""Organs as a DICOM Segmentation beside their CT, through highdicom (PS3.3 A.51), read back before it takes its name."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence as Items

import rtseg
from rtseg.core import Finding, GeometryError, InputError, OutputError, StructureSet
from rtseg.core.anatomy import Code, organ
from rtseg.dicom.atomic import must_be_free, whole_file
from rtseg.dicom.data_set import PARSE_ERRORS, read_data_set
from rtseg.dicom.export import Maker
from rtseg.dicom.planning_ct import CtGrid, PlanningCT, grid_of
from rtseg.dicom.rtstruct_items import ANATOMICAL_STRUCTURE, ARTIFICIAL_INTELLIGENCE, SIDES, code_item
from rtseg.dicom.rtstruct_rois import names_must_be_lawful
from rtseg.dicom.rtstruct_writer import Target, WrittenRtstruct
from rtseg.dicom.uids import new_uid

UNKNOWN_ORGAN = Code("91723000", "SCT", "Anatomical Structure")
"""Type of a segment whose organ has no code in the table: true of every organ, and no more is said."""

SERIES_NUMBERS = (9201, 9202)


def write_seg(
    structures: StructureSet, ct: PlanningCT | CtGrid, target: Target, maker: Maker, *, overwrite: bool = False
) -> WrittenRtstruct:
    """Writes the organs as one binary segmentation: a segment for each, a frame for each slice of the CT that it is on.

    Codes and sides are those of the structure set; organs may overlap. Organs without a voxel are left out. Of the CT headers
    alone are read, from the files that its identity names. Before it is kept the file is read back, each mask to the voxel.

    Raises GeometryError if the organs are not on the CT's grid, InputError if the CT has no DICOM identity or its files are gone,
    OutputError if there is no organ to write, a name is unlawful, or the file cannot be written or is there already.
    """
    grid = grid_of(ct)
    if not structures.geometry.same_as(grid.geometry):
        raise GeometryError("the organs are not on the grid of the CT: restore them first")
    if isinstance(target, Path):
        must_be_free(target, overwrite=overwrite)
    findings = names_must_be_lawful(structures, are_ours=False)
    left_out = tuple(name for name in structures if structures[name].is_empty)
    findings += [Finding("structure_empty", f"{name}: no voxel; left out of the segmentation", name, 0.0) for name in left_out]
    kept = structures.subset([name for name in structures if name not in left_out])
    if len(kept) == 0:
        raise OutputError("the segmentation: no organ has a voxel, and a segmentation needs one")
    unknown = [name for name in kept if (known := organ(name)) is None or known.code is None]
    if unknown:
        words = (
            f"{', '.join(unknown)}: no code is known; coded as an anatomical structure, the name stands in the segment's label"
        )
        findings.append(Finding("segment_without_code", words, value=float(len(unknown))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks of pydicom and highdicom on the CT's spelling
        written = _segmentation(kept, grid, maker)
        _save(written, target, kept, grid, overwrite=overwrite)
    path = target if isinstance(target, Path) else None
    return WrittenRtstruct(path, str(written.SOPInstanceUID), left_out, tuple(findings), kept)


def _segmentation(structures: StructureSet, ct: CtGrid, maker: Maker) -> Any:
    import highdicom.seg as hd  # a second to import

    sources = list(_sources(ct))
    masks = np.stack([structures.mask(name).array for name in structures], axis=-1).astype(np.uint8)
    segments = [_description(number, name, maker) for number, name in enumerate(structures, start=1)]
    made: Any = hd.Segmentation(
        source_images=sources,
        pixel_array=masks,
        segmentation_type=hd.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=new_uid(),
        series_number=next(n for n in SERIES_NUMBERS if str(n) != ct.identity.series_number),
        sop_instance_uid=new_uid(),
        instance_number=1,
        manufacturer="rtseg",
        manufacturer_model_name="rtseg",
        software_versions=rtseg.__version__,
        device_serial_number="none",
        content_label="RTSEG",
        content_description="auto contours; research use; every contour needs a human's review"[:64],
        series_description=f"rtseg {rtseg.__version__} auto contours",
        omit_empty_frames=True,
    )
    for item, name in zip(made.SegmentSequence, structures, strict=True):
        known = organ(name)
        if known is not None and known.code is not None and known.laterality is not None:
            side = Items([code_item(SIDES[known.laterality])])  # highdicom has no argument for it
            item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = side
    return made


def _sources(ct: CtGrid) -> Iterator[Dataset]:
    for image in ct.identity.slices:
        if image.frame is not None:
            raise InputError("a segmentation of a multi-frame CT cannot be written: use a structure set")
        try:
            yield read_data_set(image.path, pixels=False)
        except PARSE_ERRORS as error:
            raise InputError(
                f"{image.path} cannot be read any more ({type(error).__name__}): the CT's files are needed"
            ) from error


def _description(number: int, name: str, maker: Maker) -> Any:
    import highdicom as hd
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription

    known = organ(name)
    code = UNKNOWN_ORGAN if known is None or known.code is None else known.code
    family = hd.sr.CodedConcept(ARTIFICIAL_INTELLIGENCE.value, ARTIFICIAL_INTELLIGENCE.scheme, ARTIFICIAL_INTELLIGENCE.meaning)
    return SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=hd.sr.CodedConcept(
            ANATOMICAL_STRUCTURE.value, ANATOMICAL_STRUCTURE.scheme, ANATOMICAL_STRUCTURE.meaning
        ),
        segmented_property_type=hd.sr.CodedConcept(code.value, code.scheme, code.meaning),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(maker.model, family, maker.version),
    )


def _save(written: Any, target: Target, structures: StructureSet, ct: CtGrid, *, overwrite: bool) -> None:
    buffer = io.BytesIO()
    written.save_as(buffer, enforce_file_format=True)
    found = read_seg(buffer, ct)
    for name in structures:
        if name not in found or not np.array_equal(found[name], structures.mask(name).array):
            raise OutputError(f"the segmentation: {name} did not read back the same; nothing was written")
    if isinstance(target, Path):
        with whole_file(target, overwrite=overwrite) as temporary:
            temporary.write_bytes(buffer.getvalue())
    else:
        target.write(buffer.getvalue())


def read_seg(source: Target, ct: CtGrid) -> dict[str, NDArray[np.bool_]]:
    """The masks (slices, rows, columns) of a binary segmentation of this CT, by the segments' labels.

    Each frame goes to the slice whose image it was made from, turned by nothing. Raises KeyError for a frame of another image.
    """
    dataset = read_data_set(source)
    labels = {int(item.SegmentNumber): str(item.SegmentLabel) for item in dataset.SegmentSequence}
    places = {image.sop_instance_uid: index for index, image in enumerate(ct.identity.slices)}
    masks = {label: np.zeros(ct.geometry.shape, dtype=np.bool_) for label in labels.values()}
    frames = dataset.pixel_array.reshape(-1, *ct.geometry.shape[1:])
    for pixels, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        number = int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        image = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        masks[labels[number]][places[str(image)]] = pixels > 0
    return masks
