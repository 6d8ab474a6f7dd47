"""NIfTI in and out: RAS files become LPS grids, nothing is flipped by guess."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, GeometryError, InputError, Mask, Volume

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])

Array = NDArray[Any]


def read_nifti(path: Path) -> Volume:
    """An image on its own grid; array axes in the order nearest to (slices, rows, columns), data never mirrored.

    Values keep their stored type unless the file scales them. Raises InputError if the file cannot be read, is not
    three-dimensional, does not tell its orientation or holds values that are no numbers, GeometryError if its affine shears.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        _check_sum(path)
        image: Any = nibabel.load(path)
        array = np.asanyarray(image.dataobj)
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there; check the name, or put the file into its place") from error
    except (ImageFileError, HeaderDataError, zlib.error, OSError, EOFError, ValueError, OverflowError, MemoryError) as error:
        raise InputError(
            f"{path} cannot be read as NIfTI ({error}); expected .nii or .nii.gz, whole: write or copy it again"
        ) from error
    array = array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array
    if array.ndim != 3:
        raise InputError(
            f"{path} has {array.ndim} axes, expected a single volume with 3; write that volume into a file of its own"
        )
    if array.dtype.kind not in "iuf":
        raise InputError(
            f"{path} holds {array.dtype} values, expected one plain number for each voxel; write it as int16 or float32"
        )
    _must_be_oriented(image, path)
    _must_be_numbers(array, path)
    return _volume(array, image.affine, path)


def write_nifti(image: Volume | Mask, path: Path) -> Path:
    """A volume or mask as NIfTI (RAS affine). Raises GeometryError where NIfTI cannot say the grid: uneven slices."""
    import nibabel

    grid = image.geometry
    spacing = 1.0 if grid.shape[0] == 1 else grid.slice_spacing
    steps = grid.direction * np.array([spacing, *grid.pixel_spacing])[:, None]
    affine = np.eye(4)
    affine[:3, :3] = RAS_TO_LPS @ steps[::-1].T  # columns: along a row, down a column, through the slices
    affine[:3, 3] = RAS_TO_LPS @ grid.points([[0, 0, 0]])[0]
    array = image.array.astype(np.uint8) if image.array.dtype == np.bool_ else image.array
    written = nibabel.Nifti1Image(np.ascontiguousarray(array).T, affine)  # type: ignore[no-untyped-call]
    written.header.set_xyzt_units("mm")  # type: ignore[no-untyped-call]
    nibabel.save(written, path)
    return path


def _check_sum(path: Path) -> None:
    """Read a compressed file to its end, where its checksum stands: nibabel stops before it, and damage would go unseen."""
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            while file.read(2**20):
                pass


def _must_be_oriented(image: Any, path: Path) -> None:
    """Without sform and qform nibabel guesses that x grows to the left: right or wrong, nobody would know."""
    import nibabel

    if not isinstance(image, nibabel.Nifti1Pair):
        raise InputError(f"{path} is {type(image).__name__}, not NIfTI; convert it, with its orientation")
    if image.header["sform_code"] <= 0 and image.header["qform_code"] <= 0:
        raise InputError(
            f"{path} does not tell its orientation (sform_code and qform_code are 0), so left and right would be a guess; "
            "write the orientation into it (sform), or convert the images again from DICOM"
        )


def _must_be_numbers(array: Array, path: Path) -> None:
    """One voxel that is no number spreads to its neighbours with every resampling."""
    if array.dtype.kind != "f":
        return
    wrong = array.size - int(np.count_nonzero(np.isfinite(array)))
    if wrong:
        raise InputError(
            f"{path} holds {wrong} voxels of {array.size} that are no number (NaN or infinite); "
            "write a number there, in a CT -1000 HU for what lies outside the scan"
        )


def _volume(array: Array, affine: NDArray[np.float64], path: Path) -> Volume:
    steps = RAS_TO_LPS @ affine[:3, :3]
    spacing = np.linalg.norm(steps, axis=0)
    if not np.isfinite(affine).all() or spacing.min() <= 0:
        raise GeometryError(f"{path} has no usable affine: {affine.tolist()}; write its orientation again (sform)")
    units = (steps / spacing).T
    order = _axis_order(units)
    units, spacing = units[list(order)], spacing[list(order)]
    array = array.transpose(order)
    try:
        return Volume(array, Geometry.regular(array.shape, tuple(spacing), RAS_TO_LPS @ affine[:3, 3], units))
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error


def _axis_order(units: NDArray[np.float64]) -> tuple[int, int, int]:
    """File axes in the order (nearest to z, nearest to y, nearest to x)."""
    from itertools import permutations

    z, y, x = max(permutations(range(3)), key=lambda p: abs(units[p[0], 2]) + abs(units[p[1], 1]) + abs(units[p[2], 0]))
    return z, y, x
