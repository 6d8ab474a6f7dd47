"""Is a structure set as it should be? Ten checks, written against the standard and the reader, never against our writer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

from pydicom import FileDataset

from rtseg.core import Finding, InputError
from rtseg.dicom.data_set import PARSE_ERRORS, Source, name_of, read_data_set, words_of
from rtseg.dicom.planning_ct import CtGrid
from rtseg.dicom.raw_items import plain_text
from rtseg.dicom.rtstruct_file import rtstruct_of
from rtseg.dicom.verify_contours import contour_defects
from rtseg.dicom.verify_file import encoding_defects, file_defects, module_defects
from rtseg.dicom.verify_identity import identity_defects, reference_defects
from rtseg.dicom.verify_rois import roi_defects
from rtseg.dicom.verify_terms import CHECKS, Expected, Look, Noticed, Verification
from rtseg.dicom.verify_voxels import plausibility, voxel_defects

__all__ = ["CHECKS", "Expected", "Verification", "verify"]

OURS = "rtseg"
"""Manufacturer of the structure sets that we write: these also have what the standard leaves free."""

Check = Callable[[Look], Iterator[Noticed]]

CHECKS_IN_ORDER: tuple[Check, ...] = (
    file_defects,
    encoding_defects,
    module_defects,
    identity_defects,
    reference_defects,
    roi_defects,
    contour_defects,
    voxel_defects,
    plausibility,
)


def verify(source: Source, ct: CtGrid, expected: Expected | None = None) -> Verification:
    """What is wrong with a structure set of this CT (RTSTRUCT.md 4), in plain words; no defect means that it is good.

    source    file, or a binary file object that is read from its start
    expected  what was meant to be written; without it the masks are only checked for being readable

    What the standard leaves free, but we ask of ourselves, is a warning in other makers' files. Raises InputError if the source
    is no structure set, cannot be read at all, or has no ROI.
    """
    called = name_of(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on unlawful spelling are what is judged here
        try:
            dataset = read_data_set(source)
            look = Look(source, called, dataset, rtstruct_of(dataset, called), ct, expected, _is_ours(dataset))
            noticed = [each for check in CHECKS_IN_ORDER for each in check(look)]
        except OSError as error:
            raise InputError(f"{called} cannot be read: {error.strerror or error}. See that it is there.") from error
        except PARSE_ERRORS as error:
            raise InputError(f"{called} is not a whole DICOM file ({words_of(error)}). Export it again.") from error
    return Verification(
        tuple(_finding(each) for each in noticed if each.is_defect),
        tuple(_finding(each) for each in noticed if not each.is_defect),
    )


def _is_ours(dataset: FileDataset) -> bool:
    return plain_text(dataset, "Manufacturer") == OURS


def _finding(noticed: Noticed) -> Finding:
    return Finding(noticed.kind, noticed.words, noticed.organ)
