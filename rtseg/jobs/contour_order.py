"""What a user asks of `rtseg contour`, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtseg import __version__
from rtseg.core import Confidence, Finding, StructureSet, Volume
from rtseg.dicom import PlanningCT
from rtseg.jobs.nifti_ct import is_nifti
from rtseg.jobs.writing import PLAINLY, Writing


@dataclass(frozen=True)
class ContourOrder:
    """What a user asks of `rtseg contour`.

    source   folder with a planning CT as DICOM, or a NIfTI CT
    output   RTSTRUCT file; for a NIfTI CT the folder that takes one NIfTI mask per organ
    organs   those wanted, None for all that the model knows; body: the outline of the body too
    report   folder for the HTML page, None for none
    allow_gaps: go on over a hole in the CT larger than twice the neighbouring spacing
    writing  names, fineness and place of the contours; nothing of it goes with a NIfTI CT
    write_smr  where the synthetic MR goes: a folder for a DICOM series, or a name that ends in .nii.gz. None: it is not written
    files    the CT's own files, where they are known already: nothing else of the folder is looked at. None for all below it
    """

    source: Path
    output: Path
    organs: tuple[str, ...] | None = None
    body: bool = False
    report: Path | None = None
    series: str | None = None
    overwrite: bool = False
    allow_gaps: bool = False
    files: tuple[Path, ...] | None = None
    writing: Writing = PLAINLY
    write_smr: Path | None = None

    @property
    def is_nifti(self) -> bool:
        """Whether the CT has no DICOM identity, so that masks come out."""
        return is_nifti(self.source)


@dataclass(frozen=True, eq=False)
class ContourResult:
    """What was made of an order: volumes in ml, how sure the model was, timings in seconds, findings, and where things
    lie.

    model: name, version and first digits of the bundle's SHA-256; compute: device and precision; structure_set_uid: the SOP
    Instance UID of what was written, None for masks.
    """

    name: str
    model: str
    model_sha256: str
    compute: str
    structure_set_uid: str | None
    output: Path
    report: Path | None
    volumes_ml: dict[str, float]
    confidence: dict[str, Confidence]
    findings: tuple[Finding, ...]
    timings: dict[str, float]
    ct: PlanningCT
    structures: StructureSet
    synthetic_mr: Volume | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: all but the voxels."""
        return {
            "name": self.name,
            "rtseg": __version__,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "compute": self.compute,
            "ct_series_uid": None if self.ct.identity is None else self.ct.identity.series_instance_uid,
            "structure_set_uid": self.structure_set_uid,
            "output": str(self.output),
            "report": None if self.report is None else str(self.report),
            "volumes_ml": {organ: round(ml, 2) for organ, ml in self.volumes_ml.items()},
            "confidence": {organ: about.as_dict() for organ, about in self.confidence.items()},
            "findings": [finding.as_dict() for finding in self.findings],
            "seconds": {step: round(s, 2) for step, s in self.timings.items()},
        }
