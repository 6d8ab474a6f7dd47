"""Where contours go: a structure set beside its CT, or masks for a CT without DICOM identity. All or nothing."""

from __future__ import annotations

from pathlib import Path

from rtseg.core import ConfigError, Finding, OutputError, StructureSet
from rtseg.core.anatomy import organ
from rtseg.data import write_nifti
from rtseg.dicom import Maker, PlanningCT, append, foreign_check, write_rtstruct, write_seg
from rtseg.dicom.atomic import folder_must_be_free, must_be_free, whole_folder
from rtseg.jobs.contour_order import ContourOrder
from rtseg.jobs.contour_report import PAGE, page_must_be_free
from rtseg.jobs.synthetic_mr import output_must_be_free
from rtseg.jobs.writing import PLAINLY

MASK = ".nii.gz"


def outputs_must_be_free(order: ContourOrder) -> None:
    """Say at once, not after the work, that an output cannot be written.

    Raises OutputError naming the remedy, ConfigError for options that a NIfTI CT has no use for.
    """
    if not order.is_nifti:
        must_be_free(order.output, overwrite=order.overwrite)
    elif order.output.suffix:
        raise OutputError(f"{order.output}: a NIfTI CT has no DICOM identity, masks come out: give --output a folder")
    else:
        if order.writing != PLAINLY:
            raise ConfigError(
                f"{order.source}: masks come out of a NIfTI CT; names, appending and fineness are for structure sets"
            )
        folder_must_be_free(order.output, overwrite=order.overwrite)
        _must_hold_only_ours(order.output)
    if order.writing.seg is not None:
        must_be_free(order.writing.seg, overwrite=order.overwrite)
        if order.writing.seg.resolve() == order.output.resolve():
            raise OutputError(f"{order.output} is named for the structure set and for the segmentation: name two files")
    if order.write_smr is not None:
        output_must_be_free(order.write_smr, order.source, overwrite=order.overwrite)
    if order.report is not None:
        page_must_be_free(order.report, overwrite=order.overwrite)


def write_organs(
    organs: StructureSet, ct: PlanningCT, order: ContourOrder, maker: Maker
) -> tuple[str | None, tuple[Finding, ...]]:
    """Write the structure set and have rt-utils read it, or write masks for a CT without identity.

    Returns the structure set's SOP Instance UID, None for masks, and what was odd.
    """
    if ct.identity is None:
        with whole_folder(order.output, overwrite=order.overwrite) as folder:
            for name in organs:
                write_nifti(organs.mask(name), folder / f"{name}{MASK}")
        return None, ()
    if order.output.resolve() in {image.path.resolve() for image in ct.identity.slices}:
        raise OutputError(f"{order.output} is a slice of the CT: name another file for the structure set")
    writing, export = order.writing, order.writing.export(maker, overwrite=order.overwrite)
    if writing.append_to is None:
        written = write_rtstruct(organs, ct, order.output, export)
    else:
        written = append(organs, ct, writing.append_to, order.output, export, writing.clash)
    if writing.subvoxel or writing.simplify_mm:
        words = "rt-utils was not asked: it rounds points to pixels, and contours were to run within them"
        foreign: tuple[Finding, ...] = (Finding("foreign_reader_not_applicable", words),)
    else:
        foreign = foreign_check(order.output, ct.identity, written.meant)
    as_seg: tuple[Finding, ...] = ()
    if writing.seg is not None:
        told = {finding.kind for finding in written.findings}
        about = write_seg(organs, ct, writing.seg, maker, overwrite=order.overwrite).findings
        as_seg = tuple(finding for finding in about if finding.kind not in told)
    return written.sop_instance_uid, (*written.findings, *as_seg, *foreign)


def _must_hold_only_ours(folder: Path) -> None:
    """Overwriting replaces the whole folder: it may hold nothing but masks of organs and a report."""
    strangers = [path.name for path in folder.iterdir() if not _is_ours(path)] if folder.is_dir() else []
    if strangers:
        raise OutputError(f"{folder} holds {strangers[0]}, which is no mask of an organ: name another folder")


def _is_ours(path: Path) -> bool:
    name = path.name.removesuffix(MASK)
    return path.is_file() and (path.name == PAGE or (name != path.name and organ(name) is not None))
