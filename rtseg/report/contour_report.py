"""What a report of contours tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rtseg.core import Confidence, Finding, StructureSet, Volume
from rtseg.metrics.cohort import Score


@dataclass(frozen=True)
class Provenance:
    """What made the contours of what, as it shall be printed; an empty text is left out.

    model with version and SHA-256, version of rtseg, date, device and precision, UIDs of the CT series and the structure set.
    """

    model: str
    model_version: str
    model_sha256: str
    rtseg_version: str
    date: str
    compute: str = ""
    ct_series_uid: str = ""
    structure_set_uid: str = ""


@dataclass(frozen=True, eq=False)
class ContourReport:
    """The whole of a report.

    case        name of the case; never a patient's name or ID
    ct          the planning CT in HU, any orientation
    structures  the contours to review; their grid need not be that of the CT
    findings    what a human should look at
    timings     step -> seconds, in the order in which the steps were done
    provenance  what made the contours
    limits      what the model is known not to do, in plain text; a blank line parts paragraphs
    confidence  organ -> how sure the model was
    synthetic_mr  the MR that was made of the CT, -1 to 1, on any grid; None if there is none
    manual      contours to compare with, None if there are none
    agreement   organ -> how it agrees with the manual contour, for the organs that were compared
    """

    case: str
    ct: Volume
    structures: StructureSet
    findings: Sequence[Finding]
    timings: Mapping[str, float]
    provenance: Provenance
    limits: str = ""
    confidence: Mapping[str, Confidence] = field(default_factory=dict)
    synthetic_mr: Volume | None = None
    manual: StructureSet | None = None
    agreement: Mapping[str, Score] = field(default_factory=dict)
