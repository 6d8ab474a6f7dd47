"""The road: a planning CT goes in, its organs come out as a structure set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rtseg.core import EMPTY, ConfigError, Contouring, Finding, Geometry, InputError, StructureSet, Volume
from rtseg.dicom import Maker, PlanningCT
from rtseg.imaging import Prepared, Probabilities, Stretch, prepare, restore, restore_mask, stretches
from rtseg.imaging.metal import metal
from rtseg.jobs.contour_order import ContourOrder, ContourResult
from rtseg.jobs.contour_output import outputs_must_be_free, write_organs
from rtseg.jobs.contour_report import write_page
from rtseg.jobs.read_ct import read_ct
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.jobs.synthetic_mr import write_synthetic_mr
from rtseg.segmentation.confidence import confidence
from rtseg.segmentation.find import around
from rtseg.segmentation.inference import recognised, segment
from rtseg.segmentation.review import review
from rtseg.segmentation.tidy import tidy
from rtseg.synthesis.inference import synthesize
from rtseg.synthesis.review import where_trained
from rtseg.systems import Bundle

__all__ = ["ContourOrder", "ContourResult", "Stopwatch", "contour", "contour_series"]

FIRST = ("wrong_region", "sides", "not_hu")
"""Kinds of finding that put every contour in doubt: told before all others."""

BODY = "External"
"""TG-263 name of the body's outline."""


def contour(ct: PlanningCT, model: Bundle, *, body: bool = False) -> Contouring:
    """The model's organs on the CT's own grid (and the body, if asked for), with what a human should look at.

    The synthetic MR, of a model that makes one, is on the model's working grid, -1 to 1.
    """
    stretch, ready, smr, seen = max(_looked_at(ct, model), key=lambda look: recognised(look[3]))
    organs = tidy(restore(seen, ready), model.rules)
    sure = confidence(organs, seen, model.limits.calibration)
    guessed = () if smr is None else where_trained(ready, model.task.mr_region, force=True)
    noticed = (
        *ct.findings,
        *_left_out(stretch),
        *metal(ct.volume, stretch),
        *review(organs, seen, ready, sure, model.limits, model.rules),
        *guessed,
    )
    findings = tuple(sorted(noticed, key=lambda finding: finding.kind not in FIRST))
    whole = _placed(organs, stretch.first, ct.volume.geometry)
    return Contouring(_with_body(whole, prepare(ct.volume, model.preparation)) if body else whole, smr, findings, sure)


def _looked_at(ct: PlanningCT, model: Bundle) -> Iterator[tuple[Stretch, Prepared, Volume | None, Probabilities]]:
    """Each stretch of the scan as a scan of its own: only one can be the model's region."""
    for stretch in stretches(ct.volume, max(model.preparation.spacing_mm[1:])):
        if model.finder is not None:
            first = prepare(ct.volume, model.finder.preparation, stretch)
            stretch = around(segment(first, model.finder.segmenter), ct.volume.geometry, stretch)
        ready = prepare(ct.volume, model.preparation, stretch)
        smr = synthesize(ready, model.translator) if model.translator else None
        yield stretch, ready, smr, segment(ready, model.segmenter, smr)


def _left_out(stretch: Stretch) -> tuple[Finding, ...]:
    if not stretch.left_out:
        return ()
    words = (
        f"{stretch.left_out} slices do not go on from the others (another scan, or copies of one slice): "
        f"only slices {stretch.first + 1} to {stretch.end} were contoured."
    )
    return (Finding("broken_stack", words, None, float(stretch.left_out), 0.0),)


def _placed(organs: StructureSet, first: int, geometry: Geometry) -> StructureSet:
    """Organs of the slices from ``first`` on, on the grid of all slices."""
    moved = {name: replace(organs[name], offset=(first + organs[name].offset[0], *organs[name].offset[1:])) for name in organs}
    return StructureSet(geometry, {name: EMPTY if organ.is_empty else organ for name, organ in moved.items()})


def contour_series(order: ContourOrder, model: Bundle, watch: Stopwatch) -> ContourResult:
    """Read the CT, contour it, write the structure set, have it read by others, make the report.

    Raises an RtsegError in the user's words if the CT cannot be contoured or the output not written; then no structure
    set or mask is there. Only where a whole structure set could be written and its report could not, it stays.
    """
    wanted, maker = _wanted(order, model), Maker(f"rtseg-{model.about.name}", model.about.version, model.sha256)
    outputs_must_be_free(order)
    if order.write_smr is not None and model.translator is None:
        raise ConfigError(f"model {model.about.name} works on the CT alone: it makes no synthetic MR to write")
    with watch.step("read CT"):
        ct = read_ct(order.source, order.series, files=order.files, allow_gaps=order.allow_gaps)
    with watch.step("contour"):
        made = contour(ct, model, body=order.body)
    organs = made.structures.subset(wanted)
    _must_hold_an_organ(organs, made, order)
    with watch.step("write and read back"):
        uid, about_writing = write_organs(organs, ct, order, maker)
    if order.write_smr is not None and made.synthetic_mr is not None and model.translator is not None:
        with watch.step("write synthetic MR"):
            scale = model.translator.scale
            write_synthetic_mr(made.synthetic_mr, scale, ct, order.write_smr, maker, overwrite=order.overwrite)
    about_organs = (finding for finding in made.findings if finding.organ is None or finding.organ in wanted)
    findings = (*about_organs, *(finding for finding in about_writing if finding.kind != "structure_empty"))  # missing says it
    result = ContourResult(
        name=ct.name,
        model=f"{model.about.name} {model.about.version} sha256:{model.sha256[:8]}",
        model_sha256=model.sha256,
        compute=model.segmenter.compute.words,
        structure_set_uid=uid,
        output=order.output,
        report=None,
        volumes_ml={name: organs.volume_ml(name) for name in organs},
        confidence={name: made.confidence[name] for name in organs if name in made.confidence},
        findings=findings,
        timings=watch.seconds,
        ct=ct,
        structures=organs,
        synthetic_mr=made.synthetic_mr,
    )
    if order.report is None:
        return result
    with watch.step("report"):
        return replace(result, report=write_page(result, order.report, model))


def _must_hold_an_organ(organs: StructureSet, made: Contouring, order: ContourOrder) -> None:
    """A structure set without a contour cannot be written: say what was noticed instead. Masks may be empty."""
    if order.is_nifti or any(not organs[name].is_empty for name in organs):
        return
    about = (finding for finding in made.findings if finding.organ is None or finding.organ in organs)
    noticed = "; ".join(finding.words.rstrip(".") for finding in about)
    raise InputError(
        f"{order.source}: none of {', '.join(organs)} was found, so there is nothing to write. {noticed}. "
        "Is this a CT of the model's region, in HU? `rtseg check` tells what it is."
    )


def _wanted(order: ContourOrder, model: Bundle) -> list[str]:
    """Names of what is to be written. Raises ConfigError for an organ that the model does not know, or for nothing at all."""
    known = list(model.task.organs)
    names = known if order.organs is None else list(order.organs)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"model {model.about.name} has no {', '.join(unknown)}; it has {', '.join(known)}")
    if not names and not order.body:
        raise ConfigError(f"no organ is asked for; model {model.about.name} has {', '.join(known)}")
    return [*names, BODY] if order.body else names


def _with_body(organs: StructureSet, ready: Prepared) -> StructureSet:
    return StructureSet(organs.geometry, {**organs.structures, BODY: restore_mask(ready.body, ready)})
