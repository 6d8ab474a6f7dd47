"""Every figure of one organ of one patient, under the names that tables have (METRICS.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from rtseg.core import Mask, bounding_box
from rtseg.metrics.contour_length import added_path_length_mm
from rtseg.metrics.overlap import centroid_shift_mm, dsc, jaccard, must_share_grid, precision, recall
from rtseg.metrics.reference_range import in_reference_range
from rtseg.metrics.surface import SurfaceModel, surface_distances


class Outcome(StrEnum):
    """Whether the organ is there, and whether it was drawn."""

    FOUND = "found"
    MISSED = "missed"
    FALSE_ORGAN = "false_organ"
    TRUE_ABSENCE = "true_absence"


@dataclass(frozen=True)
class HowMeasured:
    """What the figures of one organ depend on.

    nsd_mm          tolerance of the normalised surface Dice, mm
    apl_mm          tolerance of the added path length, mm; None for one pixel
    is_open_ended   whether its contours end where a protocol says: figures in the reference's range are given too
    """

    nsd_mm: float = 2.0
    apl_mm: float | None = None
    is_open_ended: bool = False
    model: SurfaceModel = SurfaceModel.SURFEL


def figures(reference: Mask, predicted: Mask, how: HowMeasured = HowMeasured()) -> tuple[Outcome, Mapping[str, float | None]]:
    """The outcome, and name -> figure; None where a figure has no meaning (a distance of a missed organ, say), never left out.

    A missed organ and a false one have a DSC of 0, a missed one an NSD of 0; a true absence has neither. Names carry tolerances:
    ``nsd_2``, ``apl_2.5_mm``. Cost grows with the organs: everything is done on the box around both. Raises GeometryError if the
    grids differ.
    """
    must_share_grid(reference, predicted)
    reference, predicted = _cropped(reference, predicted)
    outcome = _outcome(reference, predicted)
    volumes = {"volume_reference_ml": reference.volume_ml, "volume_predicted_ml": predicted.volume_ml}
    ratio = volumes["volume_predicted_ml"] / volumes["volume_reference_ml"] if reference.array.any() else None
    apl_mm = max(reference.geometry.pixel_spacing) if how.apl_mm is None else how.apl_mm
    found: dict[str, float | None] = {
        "dsc": dsc(reference, predicted),
        "jaccard": jaccard(reference, predicted),
        "precision": precision(reference, predicted),
        "recall": recall(reference, predicted),
        **volumes,
        "volume_difference_ml": volumes["volume_predicted_ml"] - volumes["volume_reference_ml"],
        "volume_ratio": ratio,
        **_centroids(reference, predicted),
        **_distances(reference, predicted, how, outcome),
        f"apl_{apl_mm:g}_mm": added_path_length_mm(reference, predicted, apl_mm),
    }
    if how.is_open_ended:
        within = in_reference_range(reference, predicted)
        distances = surface_distances(reference, within, how.model)
        found["dsc_in_reference_range"] = dsc(reference, within)
        found["hd95_in_reference_range_mm"] = None if distances is None else distances.hd95_mm
    return outcome, found


def _outcome(reference: Mask, predicted: Mask) -> Outcome:
    if reference.array.any():
        return Outcome.FOUND if predicted.array.any() else Outcome.MISSED
    return Outcome.FALSE_ORGAN if predicted.array.any() else Outcome.TRUE_ABSENCE


def _cropped(reference: Mask, predicted: Mask) -> tuple[Mask, Mask]:
    """Both masks on the smallest box that holds them, with one voxel all round and every slice: thickness stays what it is."""
    box = bounding_box(reference.array | predicted.array)
    if box is None:
        return reference, predicted
    rows, columns = (slice(max(0, side.start - 1), side.stop + 1) for side in box[1:])
    shape = reference.array[:, rows, columns].shape
    geometry = reference.geometry.crop((0, rows.start, columns.start), (shape[0], shape[1], shape[2]))
    one, other = (Mask(np.ascontiguousarray(mask.array[:, rows, columns]), geometry) for mask in (reference, predicted))
    return one, other


def _centroids(reference: Mask, predicted: Mask) -> dict[str, float | None]:
    names = [f"centroid_{way}_mm" for way in ("left", "posterior", "superior")]
    shift = centroid_shift_mm(reference, predicted)
    if shift is None:
        return dict.fromkeys(["centroid_distance_mm", *names])
    return {"centroid_distance_mm": float(np.linalg.norm(shift)), **dict(zip(names, map(float, shift), strict=True))}


def _distances(reference: Mask, predicted: Mask, how: HowMeasured, outcome: Outcome) -> dict[str, float | None]:
    names = ("hd_mm", "hd95_mm", "hd95_pooled_mm", "assd_mm", "msd_mm", "rmsd_mm")
    nsd = f"nsd_{how.nsd_mm:g}"
    distances = surface_distances(reference, predicted, how.model)
    if distances is None:
        return {**dict.fromkeys(names), nsd: 0.0 if outcome is Outcome.MISSED else None}
    return {**{name: getattr(distances, name) for name in names}, nsd: distances.nsd(how.nsd_mm)}
