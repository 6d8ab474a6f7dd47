"""What pipelines measure of synthetic MRs: against the real MR of the same patient, and their edges against those of the CT."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Mask, Volume
from rtseg.data import Case, PackedCase
from rtseg.data.pack import BYTES
from rtseg.imaging import Preparation, Prepared, prepare
from rtseg.imaging.prepare_mr import beside_ct
from rtseg.metrics import boundary_shift, image_figures
from rtseg.metrics.boundary_shift import BODY_HU, BONE_HU

BINS_HU = (-700, -400, -250, -160, -130, -110, -90, -70, -50, -20, 0, 20, 40, 60, 80, 110, 150, 200, 300, 500, 800)
"""Borders of the look-up table: fine where soft tissue is."""

SHOWN = ("mae", "psnr", "ssim", "pearson_r")
EDGES = ("body_shift_mm", "bone_shift_mm")

Maker = Callable[[Prepared], NDArray[np.float32]]
"""From a prepared CT to an MR in -1..1 on its grid."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A patient with both: the prepared CT, the MR on its grid in 0..1, and where both count: inside the body, where the MR was
    measured.
    """

    name: str
    ready: Prepared
    mr: Volume
    inside: Mask


def pair(case: Case, how: Preparation) -> Pair:
    """Raises GeometryError if CT and MR do not overlap."""
    assert case.mr is not None
    ready = prepare(case.ct, how)
    mr, valid, _ = beside_ct(case.mr, case.mr_valid, ready)
    return Pair(case.name, ready, _to_one(mr.array, ready), Mask(valid.array & ready.body.array, valid.geometry))


def look_up(cases: Sequence[PackedCase]) -> Maker:
    """The floor that a network must beat: for each range of HU the median of the training pairs' MRs."""
    inside = [case.body & case.mr_valid for case in cases]  # type: ignore[operator]  # packed pairs have both
    hu = np.concatenate([case.ct[there] for case, there in zip(cases, inside, strict=True)])
    mr = np.concatenate([case.mr[there] for case, there in zip(cases, inside, strict=True)])  # type: ignore[index]
    bins = np.digitize(hu, BINS_HU)
    there = [n for n in range(len(BINS_HU) + 1) if (bins == n).any()]
    middles = [float(np.median(hu[bins == n])) for n in there]
    values = [float(np.median(mr[bins == n])) * 2 / BYTES - 1 for n in there]

    def made(ready: Prepared) -> NDArray[np.float32]:
        return np.interp(ready.volume.array, middles, values).astype(np.float32)

    return made


def figures(of: Pair, made: NDArray[np.float32]) -> dict[str, float | None]:
    """Image figures inside the body where the MR was measured, on a scale of 0 to 1, and edges against the CT's."""
    synthetic = _to_one(np.where(of.ready.body.array, made, np.float32(-1.0)), of.ready)
    found = image_figures(of.mr, synthetic, of.inside, data_range=1.0)
    return {**{name: found[name] for name in SHOWN}, **edges(of.ready, made)}


def edges(ready: Prepared, made: NDArray[np.float32]) -> dict[str, float | None]:
    """Mean absolute boundary shift at skin and bone, mm; None without an edge."""
    image = Volume(np.where(ready.body.array, made, np.float32(-1.0)), ready.volume.geometry)
    levels = zip(EDGES, (BODY_HU, BONE_HU), strict=True)
    return {name: boundary_shift(ready.volume, image, level).mean_absolute_mm for name, level in levels}


def moved(of: Pair) -> NDArray[np.float32]:
    """The real MR, one voxel to the back: what a good pair's own error of place costs."""
    return (np.roll(of.mr.array, 1, axis=1) * 2 - 1).astype(np.float32)


def write_rows(rows: Sequence[Mapping[str, object]], file: Path) -> None:
    """One line per row under the names that any of them has."""
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows({name: round(v, 5) if isinstance(v, float) else v for name, v in row.items()} for row in rows)


def mean_and_spread(values: Sequence[float | None], digits: int) -> str:
    """Mean and standard deviation of those that are there."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
    return f"{np.mean(known):.{digits}f} \N{PLUS-MINUS SIGN} {spread:.{digits}f}"


def _to_one(scaled: NDArray[np.float32], ready: Prepared) -> Volume:
    return Volume((scaled + 1) / 2, ready.volume.geometry)
