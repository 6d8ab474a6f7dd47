"""Which organs become which ROIs of a structure set: names, numbers, colours, contours, and their items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom import Dataset

from rtseg.core import ConfigError, Finding, OutputError, StructureSet
from rtseg.dicom.drawing import draw
from rtseg.dicom.export import NAME_CHARACTERS, NAME_RULE, Export, Maker, is_lawful
from rtseg.dicom.planning_ct import CtGrid
from rtseg.dicom.rtstruct_items import (
    Colour,
    RoiPlan,
    contour_item,
    distinct_colours,
    interpreted_type,
    observation_item,
    roi_item,
)

SHORT_NAME_CHARACTERS = 16
"""Longest name that older planning systems keep (TG-263)."""

EXTERNAL = "EXTERNAL"


@dataclass(frozen=True, eq=False)
class PlannedRois:
    """The ROIs to be written; left_out are the organs without a voxel, each with a finding."""

    rois: tuple[RoiPlan, ...]
    left_out: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def meant(self) -> dict[str, RoiPlan]:
        """By the names that the file has."""
        return {roi.name: roi for roi in self.rois}


@dataclass(frozen=True)
class There:
    """What a structure set that organs are added to has already: the largest number, colours, whether there is a body."""

    number: int = 0
    colours: Collection[Colour] = ()
    has_external: bool = False


def plan_rois(structures: StructureSet, export: Export, there: There = There()) -> PlannedRois:  # frozen
    """The ROIs of a structure set, numbered on from those that are ``there``.

    Raises OutputError for a name that no file can hold or that comes twice, or more than one body; ConfigError if two ROIs are to
    have one colour, or the template names an organ's place twice.
    """
    asked = {key: key for key in structures}
    findings: list[Finding] = []
    if export.names is not None:
        others = [key for key in structures if key not in export.names]
        asked = {key: export.names[key].name for key in structures if key in export.names}
        if others:
            words = f"{', '.join(others)}: not in the table of names, so not written"
            findings.append(Finding("not_in_names", words, value=float(len(others))))
    findings += names_must_be_lawful(asked.values(), are_ours=isinstance(export.maker, Maker))
    drawings = {}
    for key, name in asked.items():
        drawing = draw(name, structures[key], structures.geometry, export, is_external=_type(key, export) == EXTERNAL)
        findings += drawing.findings
        if drawing.contours:
            drawings[key] = drawing
        else:
            findings.append(Finding("structure_empty", f"{name}: no voxel; left out of the structure set", key, 0.0))
    _must_be_one_body([asked[key] for key in drawings if _type(key, export) == EXTERNAL], there)
    colours = _colours(list(drawings), export, there)
    rois = tuple(
        RoiPlan(number, key, asked[key], colours[key], _type(key, export), drawing)
        for number, (key, drawing) in enumerate(drawings.items(), start=there.number + 1)
    )
    return PlannedRois(rois, tuple(key for key in asked if key not in drawings), tuple(findings))


def roi_items(
    rois: Sequence[RoiPlan], ct: CtGrid, export: Export, when: datetime
) -> tuple[list[Dataset], list[Dataset], list[Dataset]]:
    """The items of Structure Set ROI, ROI Contour and RT ROI Observations Sequence, one of each for each ROI."""
    frame = ct.identity.frame_of_reference_uid
    named = [roi_item(roi, frame, export.maker, when) for roi in rois]
    return named, [contour_item(roi, ct) for roi in rois], [observation_item(roi) for roi in rois]


def names_must_be_lawful(names: Iterable[str], *, are_ours: bool) -> list[Finding]:
    """Findings about names that are long; raises OutputError for names that no file can hold, or that differ in case at most.

    are_ours: whether we, or the clinic's table, chose them. Then two that older planning systems would cut to the same are
    refused; of names that came with converted masks that is told.
    """
    findings = []
    folded: dict[str, str] = {}
    short: dict[str, str] = {}
    for name in names:
        if not is_lawful(name) or len(name) > NAME_CHARACTERS:
            raise OutputError(f"{name!r} cannot name an ROI: {NAME_RULE}")
        if name.casefold() in folded:
            raise OutputError(
                f"{folded[name.casefold()]!r} and {name!r} differ in case at most: planning systems would merge them"
            )
        folded[name.casefold()] = name
        start = name[:SHORT_NAME_CHARACTERS].casefold()
        if len(name) > SHORT_NAME_CHARACTERS:
            words = f"{name} has more than {SHORT_NAME_CHARACTERS} characters: older planning systems cut it"
            findings.append(Finding("name_long", words, name, float(len(name)), float(SHORT_NAME_CHARACTERS)))
        if (other := short.setdefault(start, name)) != name:
            if are_ours:
                raise OutputError(
                    f"{other!r} and {name!r} begin with the same {SHORT_NAME_CHARACTERS} characters: older planning systems "
                    "would cut them to one name. Give them others, in a table of names"
                )
            words = f"{name} and {other} begin with the same {SHORT_NAME_CHARACTERS} characters"
            findings.append(Finding("name_start_shared", words, name))
    return findings


def _type(key: str, export: Export) -> str:
    asked = None if export.names is None else export.names[key].interpreted_type
    return asked or interpreted_type(key)


def _must_be_one_body(bodies: Sequence[str], there: There) -> None:
    if len(bodies) + there.has_external > 1:
        already = "beside the one that is there, " if there.has_external else ""
        raise OutputError(f"a structure set has one external contour, got {already}{', '.join(bodies)}")


def _colours(keys: Sequence[str], export: Export, there: There) -> dict[str, Colour]:
    asked = {} if export.names is None else {key: colour for key in keys if (colour := export.names[key].colour) is not None}
    if len(set(asked.values())) < len(asked):
        raise ConfigError("two ROIs are to have one colour: give each its own")
    others = [key for key in keys if key not in asked]
    return {**asked, **distinct_colours(others, {*there.colours, *asked.values()})}
