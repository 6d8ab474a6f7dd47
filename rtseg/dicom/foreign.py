"""A second, foreign reading of a structure set that we wrote: rt-utils must see the same masks."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from rtseg.core import Finding, StructureSet
from rtseg.dicom.planning_ct import SeriesIdentity

SQUARE_MM = 1e-6
"""Pixels whose sides differ by more are not square; rt-utils 1.2.7 swaps their sides."""


def foreign_check(rs_path: Path, identity: SeriesIdentity, structures: StructureSet) -> tuple[Finding, ...]:
    """What rt-utils, if it can be loaded, reads differently from ``structures``; no finding means every mask is the same.

    rs_path     the structure set; organs without a voxel may be missing in it
    identity    the CT series: its files are read again from their paths
    structures  the organs on the CT's grid

    Findings: ``foreign_reader_unavailable`` (its OpenCV wants system libraries), ``foreign_reader_not_applicable`` (rt-utils
    1.2.7 misreads pixels or images that are not square, and cannot read every CT), ``foreign_reader_differs`` (organ, value:
    voxels).
    """
    grid = structures.geometry
    if abs(grid.pixel_spacing[0] - grid.pixel_spacing[1]) > SQUARE_MM or grid.shape[1] != grid.shape[2]:
        words = "rt-utils was not asked: it misreads pixels or images that are not square"
        return (Finding("foreign_reader_not_applicable", words),)
    if any(image.frame is not None for image in identity.slices):
        return (Finding("foreign_reader_not_applicable", "rt-utils was not asked: it does not read multi-frame images"),)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from rt_utils import RTStructBuilder  # heavy, and may lack system libraries
    except ImportError as error:
        return (Finding("foreign_reader_unavailable", f"rt-utils cannot be loaded, no second reading: {error}"),)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on the CT's spelling
        _gather(identity, Path(folder))
        try:
            read = RTStructBuilder.create_from(dicom_series_path=folder, rt_struct_path=str(rs_path))
        except Exception as error:  # noqa: BLE001  # it raises bare Exceptions: for a CT without file meta information, say
            return (Finding("foreign_reader_not_applicable", f"rt-utils cannot read this CT, no second reading: {error}"),)
        return tuple(finding for name in structures if (finding := _compared(read, name, structures, identity)) is not None)


def _gather(identity: SeriesIdentity, folder: Path) -> None:
    """This series' files alone, as links where the system has them: rt-utils takes every file below a folder."""
    for i, image in enumerate(identity.slices):
        target = folder / f"{i:05d}.dcm"
        try:
            target.symlink_to(image.path.resolve())
        except OSError:
            shutil.copyfile(image.path, target)


def _compared(read: Any, name: str, structures: StructureSet, identity: SeriesIdentity) -> Finding | None:
    """The finding about one organ, None if rt-utils reads the same mask; its slices are told by their image UIDs."""
    if structures[name].is_empty:
        return None
    expected = structures.mask(name).array
    if name not in read.get_roi_names():
        words = f"rt-utils does not find {name} in the structure set"
        return Finding("foreign_reader_differs", words, name, float(expected.sum()), 0.0)
    place = {str(image.SOPInstanceUID): i for i, image in enumerate(read.series_data)}
    order = [place[image.sop_instance_uid] for image in identity.slices]
    found = np.moveaxis(read.get_roi_mask_by_name(name), 2, 0)[order]
    differing = int((found != expected).sum())
    if differing == 0:
        return None
    return Finding("foreign_reader_differs", f"rt-utils reads {name} with {differing} other voxels", name, float(differing), 0.0)
