"""Check 6 of a structure set: its ROIs, one item of each kind, with lawful names, types, colours and makers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pydicom import Dataset

from rtseg.dicom.raw_items import decoded_text, items, plain_text, raw_bytes, whole_number
from rtseg.dicom.verify_terms import Look, Noticed

TYPES = frozenset(
    (
        *("EXTERNAL", "PTV", "CTV", "GTV", "TREATED_VOLUME", "IRRAD_VOLUME", "OAR", "BOLUS", "AVOIDANCE", "ORGAN", "MARKER"),
        *("REGISTRATION", "ISOCENTER", "CONTRAST_AGENT", "CAVITY", "BRACHY_CHANNEL", "BRACHY_ACCESSORY", "BRACHY_SRC_APP"),
        *("BRACHY_CHNL_SHLD", "SUPPORT", "FIXATION", "DOSE_REGION", "CONTROL", "DOSE_MEASUREMENT", "DEVICE"),
    )
)
"""Defined terms of RT ROI Interpreted Type (PS3.3 C.8.8.8.1)."""

ALGORITHMS = frozenset(("AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"))
"""Enumerated values of ROI Generation Algorithm (PS3.3 C.8.8.5)."""

LONG_NAME = 16
"""Longer names are cut by older planning systems (TG-263)."""


def roi_defects(look: Look) -> Iterator[Noticed]:
    """Check 6."""
    rois = items(look.dataset, "StructureSetROISequence")
    yield from _one_to_one(look, rois)
    yield from _names(look, rois)
    for item in rois:
        name = decoded_text(item, "ROIName")
        if look.is_judged(name):
            yield from _maker(look, item, name)
    yield from _types(look)
    yield from _colours(look)


def _one_to_one(look: Look, rois: list[Dataset]) -> Iterator[Noticed]:
    named = Counter(whole_number(item, "ROINumber") for item in rois)
    for number, count in named.items():
        if number is None or number < 0:
            yield Noticed("verify_rois", f"{count} ROIs have no number, or one below 0", is_defect=number is None)
        elif count > 1:
            yield Noticed("verify_rois", f"{count} ROIs have the number {number}")
    for sequence, what in (("ROIContourSequence", "contours"), ("RTROIObservationsSequence", "observations")):
        there = Counter(whole_number(item, "ReferencedROINumber") for item in items(look.dataset, sequence))
        for number in named:
            if there[number] != 1 and number is not None and look.is_judged(_name_of(rois, number)):
                words = f"{_name_of(rois, number)} has {there[number]} items in {sequence}, one was expected"
                is_allowed = not look.is_ours and (what == "contours" or there[number] > 1)
                yield Noticed("verify_rois", words, _name_of(rois, number), is_defect=not is_allowed)
        if strangers := [number for number in there if number not in named]:
            yield Noticed("verify_rois", f"{sequence} has items of {len(strangers)} ROIs that do not exist")


def _name_of(rois: list[Dataset], number: int) -> str:
    return next(decoded_text(item, "ROIName") for item in rois if whole_number(item, "ROINumber") == number)


def _names(look: Look, rois: list[Dataset]) -> Iterator[Noticed]:
    names = [decoded_text(item, "ROIName") for item in rois]
    for folded, count in Counter(name.casefold() for name in names).items():
        if count > 1 and any(look.is_judged(name) for name in names if name.casefold() == folded):
            several = ", ".join(name for name in names if name.casefold() == folded)
            yield Noticed("verify_rois", f"{several}: names of several ROIs that differ in case at most", is_defect=look.is_ours)
    for name in names:
        if not look.is_judged(name):
            continue
        if not name or "\\" in name or not name.isprintable():
            yield Noticed("verify_rois", f"{name!r} is no lawful ROI name", name)
        elif len(name) > LONG_NAME:
            words = f"{name} has more than {LONG_NAME} characters: older planning systems cut it"
            yield Noticed("verify_rois", words, name, is_defect=False)


def _maker(look: Look, item: Dataset, name: str) -> Iterator[Noticed]:
    algorithm = plain_text(item, "ROIGenerationAlgorithm")
    if algorithm and algorithm not in ALGORITHMS:
        yield Noticed("verify_rois", f"{name}: ROI Generation Algorithm is {algorithm!r}, none of the standard's", name)
    if not look.is_ours and look.expected is None:
        return
    described = bool(plain_text(item, "ROIGenerationDescription"))
    if not algorithm:
        words = f"{name} does not say whether a human or a program drew it"
        yield Noticed("verify_rois", words, name, is_defect=not described)
    if not described:
        yield Noticed("verify_rois", f"{name} does not say by what it was generated", name)
    if algorithm == "AUTOMATIC" and not items(item, "ROIDerivationAlgorithmIdentificationSequence"):
        yield Noticed("verify_rois", f"{name} does not identify the algorithm that made it", name)


def _types(look: Look) -> Iterator[Noticed]:
    by_number = {roi.number: roi.name for roi in look.file.rois}
    bodies = []
    for item in items(look.dataset, "RTROIObservationsSequence"):
        name = by_number.get(whole_number(item, "ReferencedROINumber") or 0, "an ROI")
        kind = plain_text(item, "RTROIInterpretedType") or ""
        bodies += [name] * (kind == "EXTERNAL")
        if not look.is_judged(name):
            continue
        if not kind:
            yield Noticed("verify_rois", f"{name} has no interpreted type", name, is_defect=look.is_ours)
        elif kind not in TYPES:
            yield Noticed(
                "verify_rois", f"{name} has the type {kind!r}, which is none of the standard's", name, is_defect=look.is_ours
            )
    if len(bodies) > 1:
        yield Noticed("verify_rois", f"{', '.join(bodies)}: there is one external contour at most")


def _colours(look: Look) -> Iterator[Noticed]:
    of: dict[tuple[int, ...], list[str]] = {}
    for roi in look.file.rois:
        if roi.colour is not None and all(0 <= part <= 255 for part in roi.colour):
            of.setdefault(roi.colour, []).append(roi.name)
        elif look.is_judged(roi.name) and (roi.colour is not None or look.is_ours):
            yield Noticed("verify_rois", f"{roi.name} has no lawful colour", roi.name)
    for names in of.values():
        if len(names) > 1 and any(look.is_judged(name) for name in names):
            yield Noticed("verify_rois", f"{', '.join(names)} have the same colour", is_defect=look.is_ours)
    for item in items(look.dataset, "ROIContourSequence"):
        if b"." in raw_bytes(item, "ROIDisplayColor"):
            yield Noticed("verify_rois", "an ROI Display Color is not in whole numbers")
