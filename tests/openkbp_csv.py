"""OpenKBP's CSV files, written as the challenge writes them: for cases whose CT, organs and place are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtseg.core import AXIAL, Geometry
from rtseg.data import Case, axial

FILES = {
    "Brainstem": "Brainstem",
    "SpinalCord": "SpinalCord",
    "Bone_Mandible": "Mandible",
    "Esophagus": "Esophagus",
    "Larynx": "Larynx",
    "Parotid_L": "LeftParotid",
    "Parotid_R": "RightParotid",
}

Array = NDArray[np.generic]


def source_grid(spacing_mm: tuple[float, float, float]) -> Geometry:
    """128^3 voxels round (0, 0, 0); spacing of slices, rows, columns."""
    half = np.array([spacing_mm[2], spacing_mm[1], spacing_mm[0]]) * 127 / 2
    return Geometry.regular((128, 128, 128), spacing_mm, -half, AXIAL)


def write_arrays(folder: Path, hu: Array, masks: dict[str, Array], spacing_mm: tuple[float, float, float]) -> Path:
    """(slices to superior, rows to posterior, columns to left) on the 128^3 grid; masks by the name of their file."""
    folder.mkdir(parents=True)
    _write(folder / "ct.csv", np.asarray(hu, dtype=np.int64) + 1000, with_values=True)
    for name, mask in masks.items():
        _write(folder / f"{name}.csv", mask, with_values=False)
    slices, rows, columns = spacing_mm
    (folder / "voxel_dimensions.csv").write_text("".join(f"{mm:.18e}\n" for mm in (rows, columns, slices)))
    return folder


def write_case_as_csv(case: Case, folder: Path) -> Path:
    """A case of the indexed tree, back in its place in the source's 128^3 voxels."""
    turned = axial(case)
    grid = turned.ct.geometry
    spacing_mm = (grid.slice_spacing, *grid.pixel_spacing)
    start = np.rint(source_grid(spacing_mm).indices(grid.points([[0, 0, 0]]))[0]).astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(start, grid.shape, strict=True))
    hu = np.full((128, 128, 128), -1000)
    hu[box] = turned.ct.array
    masks = {}
    for organ in case.contoured:
        masks[FILES[organ]] = np.zeros((128, 128, 128), dtype=bool)
        masks[FILES[organ]][box] = turned.structures.mask(organ).array
    return write_arrays(folder, hu, masks, spacing_mm)


def _write(file: Path, array: Array, with_values: bool) -> None:
    flat = array[::-1].transpose(1, 2, 0).ravel()  # (anterior to posterior, right to left, superior to inferior), C order
    there = np.flatnonzero(flat)
    lines = [f"{i},{float(flat[i])}" if with_values else f"{i}," for i in there]
    file.write_text("\n".join([",data", *lines]) + "\n")
