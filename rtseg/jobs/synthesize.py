"""A synthetic MR of a planning CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtseg import __version__
from rtseg.core import Finding, InputError, Volume
from rtseg.dicom import Maker, PlanningCT
from rtseg.imaging import prepare, stretches
from rtseg.jobs.read_ct import read_ct
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.jobs.synthetic_mr import output_must_be_free, write_synthetic_mr
from rtseg.synthesis.inference import synthesize
from rtseg.synthesis.review import where_trained
from rtseg.systems import TranslatorBundle

NOT_HU = "not_hu"


@dataclass(frozen=True)
class SynthesizeOrder:
    """What a user asks of `rtseg synthesize`.

    source  folder with a planning CT as DICOM, or a NIfTI CT
    output  folder for the DICOM series, or a file whose name ends in .nii.gz
    force   go on where nothing of the model's region is in view, or values may not be HU
    """

    source: Path
    output: Path
    series: str | None = None
    overwrite: bool = False
    allow_gaps: bool = False
    force: bool = False


@dataclass(frozen=True, eq=False)
class SynthesizeResult:
    """What was made: findings, timings in seconds, and where it lies."""

    name: str
    model: str
    model_sha256: str
    compute: str
    output: Path
    findings: Sequence[Finding]
    timings: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "rtseg": __version__,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "compute": self.compute,
            "output": str(self.output),
            "findings": [finding.as_dict() for finding in self.findings],
            "seconds": {step: round(s, 2) for step, s in self.timings.items()},
        }


def synthesize_series(order: SynthesizeOrder, model: TranslatorBundle, watch: Stopwatch) -> SynthesizeResult:
    """Read the CT, make its synthetic MR, write it on the CT's own grid.

    Raises an RtsegError in the user's words if it cannot be made or written; then nothing is there.
    """
    output_must_be_free(order.output, order.source, overwrite=order.overwrite)
    with watch.step("read CT"):
        ct = read_ct(order.source, order.series, allow_gaps=order.allow_gaps)
    _must_be_hu(ct, order)
    with watch.step("synthesize"):
        smr, findings = synthetic_mr(ct, model, force=order.force)
    maker = Maker(f"rtseg-{model.about.name}", model.about.version, model.sha256)
    with watch.step("write"):
        write_synthetic_mr(smr, model.translator.scale, ct, order.output, maker, overwrite=order.overwrite)
    return SynthesizeResult(
        name=ct.name,
        model=f"{model.about.name} {model.about.version} sha256:{model.sha256[:8]}",
        model_sha256=model.sha256,
        compute=model.translator.compute.words,
        output=order.output,
        findings=(*ct.findings, *findings),
        timings=watch.seconds,
    )


def synthetic_mr(ct: PlanningCT, model: TranslatorBundle, *, force: bool) -> tuple[Volume, tuple[Finding, ...]]:
    """The synthetic MR of the scan's longest stretch, -1 to 1, on the model's working grid, and where it is a guess."""
    preparation = model.task.preparation
    longest = max(stretches(ct.volume, max(preparation.spacing_mm[1:])), key=lambda stretch: stretch.end - stretch.first)
    ready = prepare(ct.volume, preparation, longest)
    findings = where_trained(ready, model.task.mr_region, force=force)
    return synthesize(ready, model.translator), findings


def _must_be_hu(ct: PlanningCT, order: SynthesizeOrder) -> None:
    odd = [finding.words for finding in ct.findings if finding.kind == NOT_HU]
    if odd and not order.force:
        raise InputError(f"{order.source}: {odd[0].rstrip('.')}. A synthetic MR is made of HU; go on all the same with --force")
