"""What a translator is trained on, from packed data: CTs and MRs in -1..1, blank outside of the body on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rtseg.core import InputError
from rtseg.data.pack import BYTES, SHARES, PackedCase, PackedMR
from rtseg.imaging.intensity import CT_SCALE, Scale
from rtseg.synthesis.patches import OUTSIDE, Scan


@dataclass(frozen=True, eq=False)
class Scans:
    """CTs and MRs; for paired training the n-th of both are one patient's. scale: of the MRs, the median of theirs."""

    cts: Sequence[Scan]
    mrs: Sequence[Scan]
    scale: Scale


def unpaired_scans(cases: Sequence[PackedCase], mrs: Sequence[PackedMR], *, labelled: bool = False) -> Scans:
    """Everybody's CT; the MRs of other people, and of the cases that have one, as if they were other people's.

    Where a case has its MR, the CT shows no more of the patient than the MR does: a critic would learn the field of view.
    labelled: the CTs bring their organs. Raises InputError if one side is empty.
    """
    cts = [
        Scan(case.name, _ct(case, inside=case.mr_valid), case.heights_mm, labels=_labels(case) if labelled else None)
        for case in cases
    ]
    others = [Scan(mr.name, _mr(mr.mr), mr.heights_mm) for mr in mrs]
    own = [case for case in cases if case.mr is not None]
    others += [Scan(case.name, _mr(case.mr), case.heights_mm) for case in own if case.mr is not None]
    ranges = [mr.mr_range for mr in mrs] + [case.mr_range for case in own if case.mr_range is not None]
    if not cts or not others:
        side, remedy = ("CT", "cases") if not cts else ("MR", "MRs of their own or of other people (rtseg data pack --mr)")
        raise InputError(f"there is no {side} to learn from: a translation needs images of both kinds; pack {remedy}")
    return Scans(cts, others, _median(ranges))


def paired_scans(cases: Sequence[PackedCase]) -> Scans:
    """CT and MR of the cases whose MR lies on the CT (pairing weak or registered).

    Raises InputError naming cases without an MR, or if there is no pair at all.
    """
    if lone := [case.name for case in cases if case.mr is None]:
        named = ", ".join(lone[:5]) + (" ..." if len(lone) > 5 else "")
        raise InputError(
            f"{len(lone)} cases have no MR of their own: {named}; paired training needs one for each, pack those only"
        )
    pairs = [case for case in cases if case.pairing != "none"]
    if not pairs:
        raise InputError("no case is a pair (pairing weak or registered in its case.json): this system needs registered pairs")
    cts = [Scan(case.name, _ct(case), None) for case in pairs]
    mrs = [Scan(case.name, _mr(case.mr), None, _measured(case)) for case in pairs if case.mr is not None]
    return Scans(cts, mrs, _median([case.mr_range for case in pairs if case.mr_range is not None]))


def ct_image(hu: NDArray[np.int16] | NDArray[np.float32], body: NDArray[np.bool_] | None) -> torch.Tensor:
    """(1, d, h, w) in -1..1, OUTSIDE beyond the body: what a generator sees of a CT, in training and in use."""
    scaled = CT_SCALE(hu)
    return torch.from_numpy(scaled if body is None else np.where(body, scaled, np.float32(OUTSIDE)))[None]


def _ct(case: PackedCase, inside: NDArray[np.bool_] | None = None) -> torch.Tensor:
    body = case.body if inside is None or case.body is None else case.body & inside
    return ct_image(case.ct, body)


def _mr(grey: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(grey.astype(np.float32) * (2 / BYTES) - 1)[None]


def _labels(case: PackedCase) -> torch.Tensor:
    known = np.zeros_like(case.organs)
    for organ, (first, end) in enumerate(case.known):
        known[organ, first:end] = SHARES * case.contoured[organ]
    return torch.from_numpy(np.concatenate([case.organs, known]).astype(np.float16) / SHARES)


def _measured(case: PackedCase) -> torch.Tensor | None:
    """Where a comparison counts: inside the body, where the MR was measured."""
    known = [mask for mask in (case.body, case.mr_valid) if mask is not None]
    return torch.from_numpy(np.logical_and.reduce(known).astype(np.float32))[None] if known else None


def _median(ranges: Sequence[NDArray[np.float64]]) -> Scale:
    low, high = np.median(np.stack(ranges), axis=0)
    return Scale((float(low), float(high)), (-1.0, 1.0))
