"""A folder of NIfTI masks, one file for each ROI, beside a table that keeps the ROIs' own names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, GeometryError, InputError, Structure, StructureSet, Volume
from rtseg.data.nifti import read_nifti, write_nifti

TABLE = "rois.json"
SUFFIXES = (".nii.gz", ".nii")

SAME_MM = 0.01
"""Voxel centres of a mask lie within this of those of the CT."""

FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*\x7f]|^\.|[. ]$')
"""What the file systems in use do not allow in a name."""


@dataclass(frozen=True)
class RoiFile:
    """One line of the table: the ROI's own name, its file, and what the structure set said of it."""

    name: str
    file: str
    volume_ml: float
    number: int | None = None
    interpreted_type: str | None = None
    colour: tuple[int, int, int] | None = None


def file_names(names: list[str]) -> dict[str, str]:
    """A file name for each ROI, no two alike whatever their case: what a file system forbids becomes an underscore."""
    taken = {TABLE}
    files = {}
    for name in names:
        stem = FORBIDDEN.sub("_", name) or "_"
        number, file = 2, f"{stem}{SUFFIXES[0]}"
        while file.casefold() in taken:
            file, number = f"{stem}_{number}{SUFFIXES[0]}", number + 1
        taken.add(file.casefold())
        files[name] = file
    return files


def write_masks(structures: StructureSet, folder: Path, about: Mapping[str, RoiFile]) -> None:
    """Each structure as a NIfTI mask into a folder that is there, and the table. Raises GeometryError for uneven slices."""
    for name in structures:
        write_nifti(structures.mask(name), folder / about[name].file)
    lines = [asdict(about[name]) for name in structures]
    (folder / TABLE).write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def is_mask(path: Path) -> bool:
    """Whether it may be one of a folder's masks."""
    return path.name.endswith(SUFFIXES) and not path.name.startswith(".") and path.is_file()


def read_masks(folder: Path, grid: Geometry | None = None) -> StructureSet:
    """The masks of a folder on the grid of a CT, by the names of the table, of the files where there is none.

    A mask is put into its place by its own affine, however its axes lie in the file; it is never resampled. Without ``grid`` all
    must lie on that of the first. Raises InputError if there is none, a file of the table is missing, or a file holds more than
    one label; GeometryError for another grid.
    """
    structures = {}
    for file, name in _names(folder).items():
        image = read_nifti(folder / file)
        if not _is_one_label(image.array):
            raise InputError(
                f"{folder / file} holds several labels, or probabilities; expected one ROI and 0 outside it: a file for each"
            )
        grid = grid or image.geometry
        structures[name] = Structure.from_full(on_grid(image, grid, str(folder / file)) > 0)
    assert grid is not None
    return StructureSet(grid, structures)


def _is_one_label(array: NDArray[Any]) -> bool:
    """Whether there is one value above 0 at most, and nothing below."""
    inside = array[array != 0]
    return inside.size == 0 or bool(inside[0] > 0 and (inside == inside[0]).all())


def _names(folder: Path) -> dict[str, str]:
    """File -> ROI name, in the order of the table or of the files."""
    there = sorted(path.name for path in folder.iterdir() if is_mask(path)) if folder.is_dir() else []
    if not there:
        raise InputError(f"{folder} holds no NIfTI mask: a folder with one .nii.gz file for each ROI was expected")
    table = folder / TABLE
    if not table.is_file():
        return {name: name.split(".nii")[0] for name in there}
    try:
        lines = {line["file"]: line["name"] for line in json.loads(table.read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{table} is not the table that `rtseg convert` writes ({error}): mend it, or remove it") from error
    if missing := [file for file in lines if file not in there]:
        raise InputError(f"{folder} lacks {', '.join(missing)}, which {TABLE} lists: bring it back, or remove its line")
    return {**lines, **{name: name.split(".nii")[0] for name in there if name not in lines}}


def on_grid(image: Volume, grid: Geometry, called: str) -> NDArray[Any]:
    """The image's array in the axis order and directions of ``grid``. Raises GeometryError unless its voxels are the grid's."""
    zero = grid.indices(image.geometry.points(np.zeros((1, 3))))[0]
    steps = np.stack([grid.indices(image.geometry.points(np.eye(3)[None, k]))[0] - zero for k in range(3)])
    axes = np.abs(steps).argmax(axis=1)
    is_turned = sorted(axes.tolist()) == [0, 1, 2]
    order = np.argsort(axes)
    array = image.array.transpose(order)
    if is_turned:
        signs = np.sign(steps[np.arange(3), axes])[order]
        array = array[tuple(slice(None, None, -1) if sign < 0 else slice(None) for sign in signs)]
    if not is_turned or array.shape != grid.shape or _furthest_mm(image.geometry, grid) > SAME_MM:
        raise GeometryError(
            f"{called} is not on the grid of the CT: {image.geometry.shape} voxels (slices, rows, columns) against {grid.shape}, "
            f"or another place, spacing or orientation (by more than {SAME_MM} mm). Resample it onto the CT first"
        )
    return array


def _furthest_mm(one: Geometry, other: Geometry) -> float:
    """Largest distance from a voxel centre of one grid, looked at on its edges, to the nearest centre of the other."""
    lines = [
        np.stack([np.full(n, corner[k]) if k != axis else np.arange(n) for k in range(3)], axis=1)
        for axis, n in enumerate(one.shape)
        for corner in np.ndindex(2, 2, 2)
        for corner in [np.array(corner) * (np.array(one.shape) - 1)]
    ]
    points = one.points(np.concatenate(lines).astype(np.float64))
    nearest = np.rint(other.indices(points))
    nearest = np.clip(nearest, 0, np.array(other.shape) - 1)
    return float(np.linalg.norm(other.points(nearest) - points, axis=1).max())
