"""Checks 4 and 5 of a structure set: it is the CT's patient, study and frame of reference, and it refers to the CT's images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pydicom import Dataset

from rtseg.dicom.raw_items import decoded_text, items, plain_text
from rtseg.dicom.verify_terms import Look, Noticed

PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID")
"""Another value is a defect in anybody's file."""

STUDY = ("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName")
"""Another value is a warning in other makers' files."""


def identity_defects(look: Look) -> Iterator[Noticed]:
    """Check 4: patient and study are the CT's, series and instance are new, the frame of reference is the CT's everywhere."""
    of_ct = look.ct.identity
    for keyword in (*PATIENT, *STUDY):
        if _same_text(look.dataset, keyword) != _same_text(of_ct.header, keyword):
            words = f"{keyword} is not the CT's"
            yield Noticed("verify_identity", words, is_defect=keyword in PATIENT or look.is_ours)
    if plain_text(look.dataset, "SeriesInstanceUID") == of_ct.series_instance_uid:
        yield Noticed("verify_identity", "the structure set has the series UID of the CT")
    if plain_text(look.dataset, "SOPInstanceUID") == plain_text(look.dataset, "SeriesInstanceUID"):
        yield Noticed("verify_identity", "series and instance have the same UID")
    if plain_text(look.dataset, "SOPInstanceUID") in {image.sop_instance_uid for image in of_ct.slices}:
        yield Noticed("verify_identity", "the structure set has the instance UID of an image of the CT")
    frame = plain_text(look.dataset, "FrameOfReferenceUID")
    if frame is not None and frame != of_ct.frame_of_reference_uid:
        yield Noticed("verify_identity", "FrameOfReferenceUID is not the CT's")
    frames = [plain_text(item, "FrameOfReferenceUID") for item in items(look.dataset, "ReferencedFrameOfReferenceSequence")]
    if frames and of_ct.frame_of_reference_uid not in frames:
        yield Noticed("verify_identity", "the structure set refers to another frame of reference than the CT's")
    for item in items(look.dataset, "StructureSetROISequence"):
        name, its = decoded_text(item, "ROIName"), plain_text(item, "ReferencedFrameOfReferenceUID")
        if look.is_judged(name) and its and its != of_ct.frame_of_reference_uid:
            yield Noticed("verify_identity", f"{name} lies in another frame of reference than the CT", name)


def _same_text(dataset: Dataset, keyword: str) -> str:
    """Text to compare: empty parts of a name at its end do not tell two names apart."""
    return decoded_text(dataset, keyword).rstrip("^=")


def reference_defects(look: Look) -> Iterator[Noticed]:
    """Check 5, the images: each of the CT once and with its class in the list, and one for each contour.

    That a contour lies on the image it names is looked at with the contours.
    """
    images = {image.sop_instance_uid: image.sop_class_uid for image in look.ct.identity.slices}
    listed = list(_listed(look))
    missing = sum(uid not in {uid for uid, _ in listed} for uid in images)
    if missing:
        words = f"{missing} of {len(images)} images of the CT are not in the list of images"
        yield Noticed("verify_references", words, is_defect=look.is_ours)
    twice = sum(count > 1 for count in Counter(uid for uid, _ in listed).values())
    if twice:
        yield Noticed("verify_references", f"{twice} images stand in the list more than once", is_defect=look.is_ours)
    strangers = sum(uid not in images for uid, _ in listed)
    if strangers:
        yield Noticed("verify_references", f"{strangers} images in the list are not in the CT that was given", is_defect=False)
    wrong = sum(uid in images and images[uid] != sop_class for uid, sop_class in listed)
    if wrong:
        yield Noticed("verify_references", f"{wrong} images stand in the list with another SOP class than they have")


def _listed(look: Look) -> Iterator[tuple[str, str]]:
    """(instance, class) of each image in the list of the CT's series, or of all series where the CT's is not there."""
    series = [
        each
        for frame in items(look.dataset, "ReferencedFrameOfReferenceSequence")
        for study in items(frame, "RTReferencedStudySequence")
        for each in items(study, "RTReferencedSeriesSequence")
    ]
    its = [each for each in series if plain_text(each, "SeriesInstanceUID") == look.ct.identity.series_instance_uid]
    for each in its or series:
        for image in items(each, "ContourImageSequence"):
            uid, sop_class = plain_text(image, "ReferencedSOPInstanceUID"), plain_text(image, "ReferencedSOPClassUID")
            yield uid or "", sop_class or ""
