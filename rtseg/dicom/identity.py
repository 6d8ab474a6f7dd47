"""Who and what a CT series is: that all slices agree on it, and the attributes that a structure set copies."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from pydicom import DataElement, Dataset, config
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.valuerep import validate_value

from rtseg.core import Finding, InputError
from rtseg.dicom.data_set import PARSE_ERRORS, read_data_set
from rtseg.dicom.planning_ct import SeriesIdentity, SliceIdentity
from rtseg.dicom.slice_header import SliceHeader

AGREED = ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
"""All slices of a series must agree on these."""

NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
"""Without these a structure set cannot refer to the CT (PS3.3 C.7.4.1, C.8.8.5)."""

COPIED = (
    "SpecificCharacterSet",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "InstitutionName",
    "ReferringPhysicianName",
    "StudyDescription",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "LongitudinalTemporalOffsetFromEvent",
    "LongitudinalTemporalEventType",
    "ConsentForClinicalTrialUseSequence",
    "ClinicalTrialCoordinatingCenterName",
    "StudyInstanceUID",
    "StudyID",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
)
"""Patient, study, clinical trial, frame of reference and de-identification: what an RTSTRUCT takes over from its CT."""

PLAIN_VRS = frozenset(("AS", "CS", "DA", "DS", "IS", "TM", "UI"))
"""Kinds of text that no character set changes; pydicom reads them without a word, whatever they hold."""


def series_identity(headers: Sequence[SliceHeader]) -> tuple[SeriesIdentity, tuple[Finding, ...]]:
    """Identity of a series from its slices, in their order; the first lends the attributes.

    A finding ``identity_unlawful`` names the attributes that break the rules of their kind: they are kept as they are.
    Raises InputError if slices disagree on patient, study, series or frame of reference, or a needed UID is missing.
    """
    must_agree(headers)
    first = headers[0]
    for word in NEEDED:
        if not first.text(word):
            raise InputError(
                f"{word} is missing in {first.path}: a structure set could not refer to this CT. "
                "Export the series again with its identity."
            )
    try:
        header, unlawful = _copied(first)
    except PARSE_ERRORS as error:
        raise InputError(
            f"patient and study of {first.path} cannot be read: it does not keep to its encoding ({type(error).__name__}). "
            "Copy or export it again."
        ) from error
    slices = tuple(SliceIdentity(h.text("SOPClassUID"), h.text("SOPInstanceUID"), _position_text(h), h.path) for h in headers)
    study, series, frame = (first.text(word) for word in NEEDED)
    identity = SeriesIdentity(header, study, series, frame, slices, first.text("SeriesNumber"))
    words = f"{', '.join(unlawful)} of the CT not as the standard wants; copied as it is"
    return identity, (Finding("identity_unlawful", words, value=float(len(unlawful))),) if unlawful else ()


def must_agree(headers: Sequence[SliceHeader]) -> None:
    """Raises InputError naming attribute and files if slices disagree on who or what they are; no patient's name is told."""
    first = headers[0]
    for word in AGREED:
        other = [header for header in headers if header.texts.get(word, ("",)) != first.texts.get(word, ("",))]
        if other:
            what = "two frames of reference" if word == "FrameOfReferenceUID" else "slices that disagree on identity"
            raise InputError(
                f"{what} in one series: {word} of {other[0].path} differs from {first.path} "
                f"({len(other)} of {len(headers)} slices differ from the first). "
                "They may be of two patients or two scans: separate them by hand."
            )


def _copied(first: SliceHeader) -> tuple[Dataset, list[str]]:
    """The attributes to copy that are there, each decoded once, and the keywords of those that are not lawful."""
    unlawful = []
    copied = Dataset()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = read_data_set(first.path, only=COPIED, pixels=False)
        for tag in data.keys():  # noqa: SIM118  # iterating a Dataset yields elements
            before = len(caught)
            well_spelt = _is_well_spelt(data.get_item(tag))
            copied[tag] = data[tag]
            if len(caught) > before or not well_spelt or (dictionary_VM(tag) == "1" and copied[tag].VM > 1):
                unlawful.append(keyword_for_tag(tag))
    return copied, unlawful


def _is_well_spelt(element: DataElement | RawDataElement) -> bool:
    """Whether dates, ages, numbers and the like are spelt as their kind wants; nothing of them goes into a log."""
    kind = dictionary_VR(element.tag)
    if kind not in PLAIN_VRS or not isinstance(element.value, bytes):
        return True
    try:
        for text in element.value.decode("latin-1").split("\\"):
            validate_value(kind, text.strip(" \0"), config.RAISE)
    except ValueError:
        return False
    return True


def _position_text(header: SliceHeader) -> tuple[str, str, str]:
    x, y, z = header.texts["ImagePositionPatient"]
    return x, y, z
