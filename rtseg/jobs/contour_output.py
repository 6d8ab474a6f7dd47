"""Where contours go: a structure set beside its CT, or masks for a CT without DICOM identity. All or nothing."""

from __future__ import annotations

from pathlib import Path

from rtseg.core import Finding, OutputError, StructureSet
from rtseg.core.anatomy import organ
from rtseg.data import write_nifti
from rtseg.dicom import Export, Maker, PlanningCT, foreign_check, write_rtstruct
from rtseg.dicom.atomic import folder_must_be_free, must_be_free, whole_folder
from rtseg.jobs.contour_order import ContourOrder
from rtseg.jobs.contour_report import PAGE, page_must_be_free

MASK = ".nii.gz"


def outputs_must_be_free(order: ContourOrder) -> None:
    """Say at once, not after the work, that an output cannot be written. Raises OutputError naming the remedy."""
    if not order.is_nifti:
        must_be_free(order.output, overwrite=order.overwrite)
    elif order.output.suffix:
        raise OutputError(f"{order.output}: a NIfTI CT has no DICOM identity, masks come out: give --output a folder")
    else:
        folder_must_be_free(order.output, overwrite=order.overwrite)
        _must_hold_only_ours(order.output)
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
    written = write_rtstruct(organs, ct, order.output, Export(maker, overwrite=order.overwrite))
    return written.sop_instance_uid, (*written.findings, *foreign_check(order.output, ct.identity, organs))


def _must_hold_only_ours(folder: Path) -> None:
    """Overwriting replaces the whole folder: it may hold nothing but masks of organs and a report."""
    strangers = [path.name for path in folder.iterdir() if not _is_ours(path)] if folder.is_dir() else []
    if strangers:
        raise OutputError(f"{folder} holds {strangers[0]}, which is no mask of an organ: name another folder")


def _is_ours(path: Path) -> bool:
    name = path.name.removesuffix(MASK)
    return path.is_file() and (path.name == PAGE or (name != path.name and organ(name) is not None))
