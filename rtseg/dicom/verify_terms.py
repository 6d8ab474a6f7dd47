"""What the checks of a structure set share: what they look at, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pydicom import FileDataset

from rtseg.core import Finding, StructureSet
from rtseg.dicom.data_set import Source
from rtseg.dicom.planning_ct import CtGrid
from rtseg.dicom.rtstruct_file import RtstructFile
from rtseg.dicom.rtstruct_reader import RtstructContents, contents_of

CHECKS = {
    "verify_file": (1, "file and file meta information"),
    "verify_encoding": (2, "class, transfer syntax, lengths of values"),
    "verify_modules": (3, "attributes that have to be there"),
    "verify_identity": (4, "patient, study, new UIDs, frame of reference"),
    "verify_references": (5, "images referred to"),
    "verify_rois": (6, "ROIs, names, types, colours"),
    "verify_contours": (7, "contours"),
    "verify_numbers": (8, "numbers"),
    "verify_masks": (9, "voxels read back"),
    "verify_plausible": (10, "sides, body, volumes"),
}
"""Kinds of finding with the number of the check and what it looks at (RTSTRUCT.md 4)."""


@dataclass(frozen=True)
class Noticed:
    """One thing that is not as it should be: a kind of CHECKS; a defect, or a warning."""

    kind: str
    words: str
    organ: str | None = None
    is_defect: bool = True


@dataclass(frozen=True, eq=False)
class Expected:
    """What a structure set is meant to hold.

    structures    by ROI name, on the CT's grid
    inexact       names of those of which points were left out on purpose, by up to ``tolerance_mm``
    beside        names of ROIs that were there before and have to be there still
    """

    structures: StructureSet
    inexact: frozenset[str] = frozenset()
    tolerance_mm: float = 0.0
    beside: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Look:
    """A structure set and its CT, as every check sees them. is_ours: written by this project."""

    source: Source
    called: str
    dataset: FileDataset
    file: RtstructFile
    ct: CtGrid
    expected: Expected | None
    is_ours: bool

    @cached_property
    def contents(self) -> RtstructContents:
        """What our reader finds. Raises InputError if it can read nothing."""
        return contents_of(self.file, self.ct, self.called)

    def is_judged(self, name: str) -> bool:
        """Whether an ROI is looked at: those that were there before are another maker's business."""
        return self.expected is None or name not in self.expected.beside


@dataclass(frozen=True)
class Verification:
    """Defects, and warnings: what is lawful, or not ours to judge, and yet worth a look. No defect means that it is good."""

    defects: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def is_good(self) -> bool:
        return not self.defects
