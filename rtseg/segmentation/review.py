"""What a human should look at in a model's contours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Confidence, Finding, StructureSet
from rtseg.imaging import Prepared, Probabilities
from rtseg.imaging.body import grown
from rtseg.segmentation.confidence import Calibration, doubts
from rtseg.segmentation.expected import Expected, unexpected
from rtseg.segmentation.tidy import TOUCHING, Rules

FOREIGN_ML = 0.5
"""Couch, shell or head-rest in a contour up to this volume may be a voxel's share at the skin [ours]."""

OUTSIDE = 0.1
"""Share of a contour that may lie outside the body: an airway that is open to the outside is no body, and larynges drawn by
hand have up to 0.07 of their volume there (60 OpenKBP patients)."""


@dataclass(frozen=True)
class Limits:
    """What findings are held against.

    piece_ml     pieces smaller than this are not worth a word
    expected     what training saw
    calibration  organ -> what a soft Dice was worth when the model was judged; an organ without has no predicted DSC
    """

    piece_ml: float = 0.3
    expected: Expected = field(default_factory=Expected)
    calibration: Mapping[str, Calibration] = field(default_factory=dict)


def review(
    organs: StructureSet,
    seen: Probabilities,
    ready: Prepared,
    sure: Mapping[str, Confidence],
    limits: Limits,
    rules: Rules = Rules(),  # noqa: B008  it is frozen
) -> tuple[Finding, ...]:
    """Findings about organs on the CT's grid.

    Kinds: ``missing``, ``scan_edge``, ``pieces``, ``foreign_matter``, ``outside_body``, ``low_confidence``, ``volume``,
    ``position``, ``sides``, ``wrong_region``.
    seen: the probabilities they were made from, before tidying by ``rules`` took pieces away; ready: what these were seen on.
    """
    findings: list[Finding] = []
    skin_mm = max(ready.body.geometry.pixel_spacing)  # a contour may go round the skin's voxels
    outside = ~grown(ready.body, skin_mm).array & ~ready.foreign.array
    for index, name in enumerate(seen.organs):
        if organs[name].is_empty:
            findings.append(Finding("missing", f"{name} was not found on this scan.", name))
            continue
        largest, sizes_ml = _by_size(seen, index)
        findings += _scan_edge(organs, name, name in limits.expected.open_ended)
        findings += _pieces(name, sizes_ml, limits, rules.kept(name))
        findings += _foreign(name, _ml(largest & ready.foreign.array, seen))
        findings += _outside(name, _ml(largest & outside, seen), sizes_ml[0])
    return (*findings, *doubts(sure, limits.calibration), *unexpected(organs, seen.organs, limits.expected))


def _scan_edge(organs: StructureSet, name: str, is_open_ended: bool) -> list[Finding]:
    """An organ on the first or last slice, or at the image border, may be cut there.

    An open-ended organ leaves nearly every scan below: that is not worth a word.
    """
    box, shape = organs[name].box, organs.geometry.shape
    ends = []
    upwards = organs.geometry.direction[0, 2]
    first = box[0].start == 0 and not (is_open_ended and upwards > 0.5)
    last = box[0].stop == shape[0] and not (is_open_ended and upwards < -0.5)
    if first or last:
        ends.append("the first or last slice")
    if any(box[axis].start == 0 or box[axis].stop == shape[axis] for axis in (1, 2)):
        ends.append("the border of the image")
    return [Finding("scan_edge", f"{name} reaches {end}: it may be cut by the scan.", name) for end in ends]


def _by_size(seen: Probabilities, index: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The largest piece that was seen of an organ, and the pieces' volumes in ml from the largest down."""
    from scipy import ndimage

    labels, count = ndimage.label(seen.array[index] > 0.5, TOUCHING)
    per_slice = np.stack([np.bincount(plane.ravel(), minlength=count + 1)[1:] for plane in labels])
    sizes_ml = seen.geometry.voxel_ml @ per_slice
    return labels == 1 + sizes_ml.argmax(), np.sort(sizes_ml)[::-1]


def _pieces(name: str, sizes_ml: NDArray[np.float64], limits: Limits, kept: int) -> list[Finding]:
    """More pieces worth a word were seen than were kept (0: all were)."""
    large = int((sizes_ml >= limits.piece_ml).sum())
    if kept == 0 or large <= kept:
        return []
    others = ", ".join(f"{ml:.1f}" for ml in sizes_ml[kept:large])
    stayed = "the largest was kept" if kept == 1 else f"the {kept} largest were kept"
    words = f"{name} was seen in {large} pieces; {stayed}, {others} ml (on the model's grid) left out."
    return [Finding("pieces", words, name, float(large), float(kept))]


def _foreign(name: str, foreign_ml: float) -> list[Finding]:
    if foreign_ml <= FOREIGN_ML:
        return []
    words = f"{name} holds {foreign_ml:.1f} ml of what was taken for couch, mask or head-rest."
    return [Finding("foreign_matter", words, name, foreign_ml, FOREIGN_ML)]


def _outside(name: str, outside_ml: float, whole_ml: float) -> list[Finding]:
    limit_ml = OUTSIDE * whole_ml
    if outside_ml <= limit_ml:
        return []
    words = f"{name} lies outside the body with {outside_ml:.1f} of {whole_ml:.1f} ml, or the body was not found whole."
    return [Finding("outside_body", words, name, outside_ml, limit_ml)]


def _ml(mask: NDArray[np.bool_], seen: Probabilities) -> float:
    return float(mask.sum(axis=(1, 2)) @ seen.geometry.voxel_ml)
