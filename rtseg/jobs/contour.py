"""The road: a planning CT goes in, its organs come out as a structure set."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rtseg.core import ConfigError, Contouring, Finding, GeometryError, OutputError, StructureSet
from rtseg.data import read_nifti, write_nifti
from rtseg.dicom import PlanningCT, read_planning_ct
from rtseg.dicom.atomic import must_be_free
from rtseg.dicom.foreign import foreign_check
from rtseg.dicom.rtstruct_items import Maker
from rtseg.dicom.rtstruct_writer import Export, write_rtstruct
from rtseg.dicom.stack import largest_gap
from rtseg.imaging import Prepared, prepare, restore, restore_mask
from rtseg.segmentation.inference import segment
from rtseg.segmentation.review import review
from rtseg.segmentation.tidy import tidy
from rtseg.systems import Bundle

BODY = "External"
"""TG-263 name of the body's outline."""

NIFTI = (".nii", ".nii.gz")


def contour(ct: PlanningCT, model: Bundle, *, body: bool = False) -> Contouring:
    """The model's organs on the CT's own grid (and the body, if asked for), with what a human should look at."""
    ready = prepare(ct.volume, model.preparation)
    seen = segment(ready, model.segmenter)
    organs = tidy(restore(seen, ready), model.rules)
    findings = (*ct.findings, *review(organs, seen, model.limits))
    return Contouring(_with_body(organs, ready) if body else organs, None, findings)


@dataclass(frozen=True)
class ContourOrder:
    """What a user asks of `rtseg contour`.

    source   folder with a planning CT as DICOM, or a NIfTI CT
    output   RTSTRUCT file; for a NIfTI CT the folder that takes one NIfTI mask per organ
    organs   those wanted, None for all that the model knows; body: the outline of the body too
    report   folder for the HTML page, None for none
    allow_gaps: go on over a hole in the CT larger than twice the neighbouring spacing
    """

    source: Path
    output: Path
    organs: tuple[str, ...] | None = None
    body: bool = False
    report: Path | None = None
    series: str | None = None
    overwrite: bool = False
    allow_gaps: bool = False


@dataclass(frozen=True, eq=False)
class ContourResult:
    """What was made of an order: volumes in ml, timings in seconds, findings, and where things lie."""

    name: str
    model: str
    output: Path
    report: Path | None
    volumes_ml: dict[str, float]
    findings: tuple[Finding, ...]
    timings: dict[str, float]
    ct: PlanningCT
    structures: StructureSet

    def as_dict(self) -> dict[str, Any]:
        """For JSON: all but the voxels."""
        return {
            "name": self.name,
            "model": self.model,
            "output": str(self.output),
            "report": None if self.report is None else str(self.report),
            "volumes_ml": {organ: round(ml, 2) for organ, ml in self.volumes_ml.items()},
            "findings": [asdict(finding) for finding in self.findings],
            "seconds": {step: round(s, 2) for step, s in self.timings.items()},
        }


@dataclass
class Stopwatch:
    """Seconds of each step, in order; ``heard`` is told when one begins."""

    heard: Callable[[str], None] = lambda step: None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.heard(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def contour_series(order: ContourOrder, model: Bundle, watch: Stopwatch) -> ContourResult:
    """Read the CT, contour it, write the structure set, have it read by others, make the report.

    Raises an RtsegError in the user's words if the CT cannot be contoured or the output not written; then nothing
    of the output is there.
    """
    wanted = _wanted(order, model)
    _must_be_free(order)
    with watch.step("read CT"):
        ct = read_ct(order.source, order.series)
        must_have_no_hole(ct, order)
    with watch.step("contour"):
        made = contour(ct, model, body=order.body)
    organs = made.structures.subset(wanted)
    findings = [finding for finding in made.findings if finding.organ is None or finding.organ in wanted]
    with watch.step("write and read back"):
        findings += _write(organs, ct, order, model)
    volumes = {name: organs.volume_ml(name) for name in organs}
    result = ContourResult(ct.name, words(model), order.output, None, volumes, tuple(findings), watch.seconds, ct, organs)
    return result if order.report is None else _reported(result, order.report, model, watch)


def read_ct(source: Path, series: str | None = None) -> PlanningCT:
    """A planning CT from a DICOM folder, or from a NIfTI file: that one has no identity, the road is the same."""
    if source.is_file() and source.name.endswith(NIFTI):
        return PlanningCT(read_nifti(source), None, (), source.name.split(".nii")[0])
    return read_planning_ct(source, series)


def must_have_no_hole(ct: PlanningCT, order: ContourOrder) -> None:
    """Refuse a CT with missing slices unless the user said that it is fine."""
    gap = largest_gap(ct.volume.geometry)
    if gap is not None and gap.is_hole and not order.allow_gaps:
        raise GeometryError(
            f"{order.source}: slices are missing: a gap of {gap.gap_mm:.1f} mm beside slices {gap.neighbour_mm:.1f} mm apart. "
            "Export the series again, or contour it all the same with --allow-gaps."
        )


def words(model: Bundle) -> str:
    """The model in short: name, version, first digits of its hash."""
    return f"{model.about.name} {model.about.version} sha256:{model.sha256[:8]}"


def _wanted(order: ContourOrder, model: Bundle) -> list[str]:
    known = list(model.task.organs)
    names = known if order.organs is None else list(order.organs)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"model {model.about.name} has no {', '.join(unknown)}; it has {', '.join(known)}")
    return [*names, BODY] if order.body else names


def _with_body(organs: StructureSet, ready: Prepared) -> StructureSet:
    return StructureSet(organs.geometry, {**organs.structures, BODY: restore_mask(ready.body, ready)})


def _must_be_free(order: ContourOrder) -> None:
    """Say at once, not after the work, that an output cannot be written."""
    is_nifti = order.source.name.endswith(NIFTI)
    if not is_nifti:
        must_be_free(order.output, overwrite=order.overwrite)
    elif order.output.suffix:
        raise OutputError(f"{order.output}: a NIfTI CT has no DICOM identity, masks come out: give --output a folder")
    elif order.output.exists() and not order.overwrite:
        raise OutputError(f"{order.output} exists already: name another folder, or ask for overwriting with --overwrite")
    if order.report is not None and (order.report / PAGE).exists() and not order.overwrite:
        raise OutputError(f"{order.report / PAGE} exists already: name another folder, or ask for overwriting with --overwrite")


def _write(organs: StructureSet, ct: PlanningCT, order: ContourOrder, model: Bundle) -> list[Finding]:
    """Write the structure set and have rt-utils read it, or write masks for a CT without identity."""
    if ct.identity is None:
        _write_masks(organs, order.output)
        return []
    maker = Maker(f"rtseg-{model.about.name}", model.about.version, model.sha256)
    written = write_rtstruct(organs, ct, order.output, Export(maker, overwrite=order.overwrite))
    return [*written.findings, *foreign_check(written.path, ct.identity, organs)]


def _write_masks(organs: StructureSet, folder: Path) -> None:
    """One NIfTI mask per organ, all or none: written beside, then put in place."""
    try:
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error
    try:
        part.chmod(0o755)
        for name in organs:
            write_nifti(organs.mask(name), part / f"{name}.nii.gz")
        if folder.exists():
            shutil.rmtree(folder)
        part.replace(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


PAGE = "report.html"


def _reported(result: ContourResult, folder: Path, model: Bundle, watch: Stopwatch) -> ContourResult:
    from dataclasses import replace

    with watch.step("report"):
        page = write_page(result, folder, model)
    return replace(result, report=page)


def write_page(result: ContourResult, folder: Path, model: Bundle, compared: Sequence[Any] = ()) -> Path:
    """The HTML page of a result; ``compared``: manual StructureSet and agreement per organ, if there are any."""
    from datetime import datetime

    from rtseg import __version__
    from rtseg.report import ContourReport, Provenance, write_report

    about = model.about
    made = Provenance(about.name, about.version, model.sha256, __version__, datetime.now().strftime("%Y-%m-%d %H:%M"))
    manual, agreement = compared if compared else (None, {})
    report = ContourReport(
        result.name, result.ct.volume, result.structures, result.findings, result.timings, made, model.limits_in_words, manual, agreement
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return write_report(report, folder / PAGE)
    except OSError as error:
        raise OutputError(f"{folder / PAGE} cannot be written: {error.strerror or error}") from error
