"""What `rtseg convert` does: structure sets become NIfTI masks, NIfTI masks structure sets; one patient, or a whole tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtseg.core import Finding, InputError, RtsegError
from rtseg.data.dicom_tree import ct_of, scan_tree
from rtseg.data.mask_folder import RoiFile, file_names, is_mask, read_masks, write_masks
from rtseg.dicom import Conversion, CtGrid, Export, WrittenRoi, read_ct_grid, read_rtstruct, write_rtstruct
from rtseg.dicom.atomic import whole_folder
from rtseg.dicom.series import series_grid

STRUCTURE_SET = "RS.dcm"


@dataclass(frozen=True)
class ConvertOrder:
    """What a user asks of `rtseg convert`.

    source   a structure set, a folder of NIfTI masks, or a tree of either
    output   folder of masks or structure set; for a tree the folder that mirrors it
    ct       folder of the CT; for a tree of masks a tree that has the same sub-folders. Not for a tree of DICOM: it holds them
    """

    source: Path
    output: Path
    ct: Path | None = None
    series: str | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Converted:
    """One structure set: where it came from and went, its ROIs with their volumes in ml, what is odd; or why it could not be."""

    source: str
    output: str
    rois_ml: dict[str, float]
    findings: tuple[Finding, ...]
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "findings": [finding.as_dict() for finding in self.findings]}


def convert(order: ConvertOrder, heard: Callable[[str], None]) -> list[Converted]:
    """Convert what is there; in a tree one that cannot be converted stops no other. ``heard`` hears of each.

    Raises InputError if there is nothing to convert, or the CT is not said; for a single one any RtsegError.
    """
    source = order.source
    if not source.exists():
        raise InputError(f"{source} does not exist: name a structure set, a folder of NIfTI masks, or a tree of either")
    if source.is_file():
        return [_to_masks(source, _ct(order), order.output, order.overwrite)]
    if any(is_mask(path) for path in source.iterdir()):
        return [_to_structure_set(source, _ct(order), order.output, order.overwrite)]
    masks = sorted({path.parent for path in source.rglob("*.nii*") if is_mask(path)})
    return list(_mask_tree(order, masks, heard) if masks else _dicom_tree(order, heard))


def _ct(order: ConvertOrder) -> CtGrid:
    if order.ct is None:
        raise InputError(f"{order.source}: on which CT? Name its folder with --ct")
    return read_ct_grid(order.ct, order.series)


def _dicom_tree(order: ConvertOrder, heard: Callable[[str], None]) -> Iterator[Converted]:
    """Every structure set of a tree, on the CT of the tree that it was drawn on."""
    tree = scan_tree(order.source)
    if not tree.structure_sets and not tree.broken:
        raise InputError(f"{order.source} holds neither a structure set nor NIfTI masks: nothing to convert")
    for words in tree.broken:
        yield Converted("", "", {}, (), words)
    for one in sorted(tree.structure_sets, key=lambda found: found.path):
        place = one.path.relative_to(order.source).with_suffix("")
        heard(str(place))
        ct = ct_of(one, tree)
        try:
            if isinstance(ct, str):
                raise InputError(f"{one.path.name}: {ct}")
            yield _to_masks(one.path, series_grid(ct), order.output / place, order.overwrite)
        except RtsegError as error:
            yield Converted(str(place), "", {}, (), str(error))


def _mask_tree(order: ConvertOrder, folders: list[Path], heard: Callable[[str], None]) -> Iterator[Converted]:
    """Every folder of masks of a tree, on the CT in the folder of the same name below ``order.ct``."""
    if order.ct is None:
        raise InputError(f"{order.source}: on which CTs? Name a tree that has the same sub-folders with --ct")
    for folder in folders:
        place = folder.relative_to(order.source)
        heard(str(place))
        try:
            target = order.output / place
            ct = read_ct_grid(order.ct / place, order.series)
            target.mkdir(parents=True, exist_ok=True)
            yield _to_structure_set(folder, ct, target / STRUCTURE_SET, order.overwrite)
        except RtsegError as error:
            yield Converted(str(place), "", {}, (), str(error))


def _to_masks(source: Path, ct: CtGrid, output: Path, overwrite: bool) -> Converted:
    """A structure set as a folder of masks, all or nothing."""
    contents = read_rtstruct(source, ct)
    structures = contents.structures
    files = file_names(list(structures))
    volumes = {name: structures.volume_ml(name) for name in structures}
    about = {
        roi.name: RoiFile(roi.name, files[roi.name], round(volumes[roi.name], 3), roi.number, roi.interpreted_type, roi.colour)
        for roi in contents.rois
    }
    with whole_folder(output, overwrite=overwrite) as folder:
        write_masks(structures, folder, about)
    return Converted(str(source), str(output), volumes, contents.findings)


def _to_structure_set(source: Path, ct: CtGrid, output: Path, overwrite: bool) -> Converted:
    """A folder of masks as a structure set, all or nothing; whoever drew the masks is not known."""
    structures = read_masks(source, ct.geometry)
    names = {name: WrittenRoi(name) for name in structures}
    written = write_rtstruct(structures, ct, output, Export(Conversion(), overwrite=overwrite, names=names))
    return Converted(str(source), str(output), {n: structures.volume_ml(n) for n in structures}, written.findings)
