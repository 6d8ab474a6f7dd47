"""What a human should look at in a model's contours."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rtseg.core import Finding, StructureSet
from rtseg.imaging import Probabilities
from rtseg.segmentation.expected import Expected, unexpected
from rtseg.segmentation.tidy import TOUCHING


@dataclass(frozen=True)
class Limits:
    """What findings are held against. piece_ml: pieces smaller than this are not worth a word; expected: what training saw."""

    piece_ml: float = 0.3
    expected: Expected = field(default_factory=Expected)


def review(organs: StructureSet, seen: Probabilities, limits: Limits) -> tuple[Finding, ...]:
    """Findings about organs on the CT's grid.

    Kinds: ``missing``, ``scan_edge``, ``pieces``, ``volume``, ``position``, ``sides``, ``wrong_region``.
    seen: the probabilities they were made from, before tidying took pieces away.
    """
    findings: list[Finding] = []
    for index, name in enumerate(seen.organs):
        if organs[name].is_empty:
            findings.append(Finding("missing", f"{name} was not found on this scan.", name))
            continue
        findings += _scan_edge(organs, name, name in limits.expected.open_ended)
        findings += _pieces(name, seen, index, limits)
    return (*findings, *unexpected(organs, seen.organs, limits.expected))


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


def _pieces(name: str, seen: Probabilities, index: int, limits: Limits) -> list[Finding]:
    """More than one piece worth a word was seen; the largest was kept."""
    from scipy import ndimage

    labels, count = ndimage.label(seen.array[index] > 0.5, TOUCHING)
    if count < 2:
        return []
    per_slice = np.stack([np.bincount(plane.ravel(), minlength=count + 1)[1:] for plane in labels])
    sizes = np.sort(seen.geometry.voxel_ml @ per_slice)[::-1]
    large = int((sizes >= limits.piece_ml).sum())
    if large < 2:
        return []
    others = ", ".join(f"{ml:.1f}" for ml in sizes[1:large])
    words = f"{name} was seen in {large} pieces; the largest was kept, {others} ml (on the model's grid) left out."
    return [Finding("pieces", words, name, float(large), 1.0)]
