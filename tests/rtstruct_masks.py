"""Twelve geometries and the masks that structure sets are tried on: what scanners and organs do, and what breaks writers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phantoms import axial_geometry, coronal_geometry, sagittal_geometry, turned_geometry, without_slices

from rtseg.core import Geometry, Structure, StructureSet, Volume
from rtseg.dicom import CtGrid, Patient, read_ct_grid, write_ct_series

SQUARE_MM = (2.5, 0.977, 0.977)
SHAPE = (15, 64, 64)


def oblique_15() -> Geometry:
    """Axial, tipped by 15 degrees about the left-right axis."""
    c, s = np.cos(np.radians(15)), np.sin(np.radians(15))
    return turned_geometry((1, 0, 0), (0, c, s), SHAPE, SQUARE_MM)


PLACES = {
    "HFS": axial_geometry("HFS", SHAPE, SQUARE_MM),
    "HFP": axial_geometry("HFP", SHAPE, SQUARE_MM),
    "FFS": axial_geometry("FFS", SHAPE, SQUARE_MM),
    "oblique": oblique_15(),
    "sagittal": sagittal_geometry(),
    "coronal": coronal_geometry(),
    "slice gap": without_slices(axial_geometry("HFS", (17, 64, 64), SQUARE_MM), (7, 8)),
    "pixels not square": axial_geometry("HFS", SHAPE, (2.5, 0.8, 1.4)),
    "image not square": axial_geometry("HFS", (15, 50, 72), SQUARE_MM),
    "0.5 mm slices": axial_geometry("HFS", SHAPE, (0.5, 0.977, 0.977)),
    "5 mm slices": axial_geometry("HFS", SHAPE, (5.0, 0.977, 0.977)),
    "UTF-8 name": axial_geometry("HFS", SHAPE, SQUARE_MM),
}
"""The twelve geometries of the comparison with other writers and readers."""

Array = NDArray[np.bool_]


def masks(shape: tuple[int, int, int]) -> dict[str, Array]:
    """Seven masks of the comparison; each is told from the others by where it lies."""
    slices, rows, columns = (
        np.arange(n)[:, None, None].reshape([-1 if a == k else 1 for a in range(3)]) for k, n in enumerate(shape)
    )
    middle = np.array(shape) / 2 - 0.3
    in_plane = np.hypot(rows - middle[1], columns - middle[2] - 2)
    near = np.abs(slices - middle[0]) < 3
    one, islands, border, two = (np.zeros(shape, dtype=np.bool_) for _ in range(4))
    one[shape[0] // 2, 8:14, 9:20] = True
    islands[shape[0] // 2, 20:26, 20:26] = True
    islands[shape[0] // 2 + 1, 30, 31] = True
    border[3:6, :7, -9:] = True
    two[4:9, 5:12, 5:11] = two[4:9, 25:30, 30:41] = True
    sphere = ((slices - middle[0]) * 2.5) ** 2 + in_plane**2 < 13**2
    ring = (in_plane < 15) & (in_plane > 8) & near
    return {
        "Sphere": sphere,
        "OneSlice": one,
        "Islands": islands,
        "Border": border,
        "Ring": ring,
        "RingIsland": ring | ((in_plane < 4) & near),
        "TwoParts": two,
    }


def hard_masks(shape: tuple[int, int, int]) -> dict[str, Array]:
    """More of them: single voxels, corners that touch, the whole image, many holes, noise, a contour of more than 65 kB."""
    single, corners, full, holes, noise, long = (np.zeros(shape, dtype=np.bool_) for _ in range(6))
    single[2:8:2, 4::9, 5::11] = True
    corners[3, 10:20, 10:20] = np.indices((10, 10)).sum(axis=0) % 2 == 0
    full[1:4] = True
    holes[5, 2:-2, 2:-2] = True
    holes[5, 4:-4:3, 4:-4:3] = False
    noise[6] = np.random.default_rng(11).random(shape[1:]) < 0.55
    long[7] = True
    long[7, 1:-1:2, 1:-1:2] = False
    return {"Single": single, "Corners": corners, "Full": full, "Holes": holes, "Noise": noise, "Long": long}


@dataclass(frozen=True, eq=False)
class Place:
    """A CT on the disk, its grid, and masks on it."""

    folder: Path
    ct: CtGrid
    organs: StructureSet


def place(name: str, folder: Path, *, hard: bool = False) -> Place:
    """The CT of one of PLACES below ``folder``, with the seven masks, and an empty one that no file holds."""
    geometry = PLACES[name]
    patient = "Müller^Änne" if name == "UTF-8 name" else "Doe^Jane"
    write_ct_series(
        Volume(np.full(geometry.shape, -1000, np.int16), geometry), folder / "ct", Patient(patient, "P-1", "F", "19500102")
    )
    ct = read_ct_grid(folder / "ct")
    arrays = {**masks(ct.geometry.shape), **(hard_masks(ct.geometry.shape) if hard else {})}
    organs = {name: Structure.from_full(array) for name, array in arrays.items()}
    return Place(folder, ct, StructureSet(ct.geometry, organs))
