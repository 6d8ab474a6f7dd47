"""NIfTI: whatever way a file stores its axes, the patient's left is on the left; what cannot be read is named."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from phantoms import (
    ROW_AND_COLUMN,
    axial_geometry,
    coronal_geometry,
    oblique_geometry,
    sagittal_geometry,
    three_balls,
    without_slices,
)

from rtseg.core import Geometry, GeometryError, InputError, Mask, Volume
from rtseg.data import read_nifti, write_nifti

MARKS_LPS = {100: (30.0, -10.0, 5.0), 200: (-20.0, 8.0, -12.0), 300: (4.0, 32.0, 13.0)}
"""Value of one voxel each and the LPS point where it lies: left in front above, right behind below, far behind."""


def save(path: Path, array: NDArray[np.generic], affine: NDArray[np.float64]) -> Path:
    nibabel.save(nibabel.Nifti1Image(array, affine), path)  # type: ignore[no-untyped-call]
    return path


def marked(path: Path, axes: NDArray[np.float64], spacing: tuple[float, float, float]) -> Path:
    """A file with MARKS_LPS, its affine written by hand: ``axes`` (3, 3) RAS unit vectors of the file's i, j, k."""
    steps = axes.T * spacing
    affine = np.eye(4)
    affine[:3, :3] = steps
    affine[:3, 3] = -steps @ np.array([40, 40, 40])  # voxel (40, 40, 40) lies at the origin
    array = np.zeros((81, 81, 81), dtype=np.int16)
    for value, (x, y, z) in MARKS_LPS.items():
        i, j, k = np.rint(np.linalg.inv(steps) @ [-x, -y, z]).astype(int) + 40  # RAS: x to the right is negated LPS
        array[i, j, k] = value
    return save(path, array, affine)


def turned(degrees: float) -> NDArray[np.float64]:
    """Turned about two axes, by this angle and half of it."""
    a, b = np.radians([degrees, degrees / 2])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


AXES = {
    "RAS": np.eye(3),
    "LPS": np.diag([-1.0, -1.0, 1.0]),
    "LAI": np.diag([-1.0, 1.0, -1.0]),
    **{f"RAS as {p}": np.eye(3)[list(p)] for p in itertools.permutations(range(3))},
    **{f"LPI as {p}": np.diag([-1.0, -1.0, -1.0])[list(p)] for p in itertools.permutations(range(3))},
    "oblique": turned(25),
    "oblique and permuted": turned(-35)[[2, 0, 1]],
}


@pytest.mark.parametrize("name", AXES)
def test_marks_lie_where_the_patient_has_them(name: str, tmp_path: Path) -> None:
    # rounding to a voxel of 1, 1 and 2 mm: sqrt(0.5^2 + 0.5^2 + 1^2) = 1.2 mm at most
    image = read_nifti(marked(tmp_path / "marks.nii", AXES[name], (1.0, 1.0, 2.0)))
    for value, point in MARKS_LPS.items():
        found = image.geometry.points(np.argwhere(image.array == value))
        assert found.shape == (1, 3)
        np.testing.assert_allclose(np.linalg.norm(found[0] - point), 0, atol=1.25)


@pytest.mark.parametrize("name", AXES)
def test_array_axes_are_nearest_to_slices_rows_and_columns(name: str, tmp_path: Path) -> None:
    grid = read_nifti(marked(tmp_path / "marks.nii", AXES[name], (1.0, 1.0, 2.0))).geometry
    assert np.abs(grid.direction).argmax(axis=1).tolist() == [2, 1, 0]


def test_on_an_axial_ras_file_left_has_the_lower_column(tmp_path: Path) -> None:
    # stored from left to right: nothing is mirrored, the direction says so
    image = read_nifti(marked(tmp_path / "marks.nii", np.eye(3), (1.0, 1.0, 1.0)))
    left, right = (np.argwhere(image.array == value)[0] for value in (100, 200))
    assert left[2] < right[2]
    np.testing.assert_array_equal(image.geometry.direction, [[0, 0, 1], [0, -1, 0], [-1, 0, 0]])


GRIDS = {
    **{position: axial_geometry(position) for position in ROW_AND_COLUMN},
    "sagittal": sagittal_geometry(),
    "coronal": coronal_geometry(),
    "oblique": oblique_geometry(),
    "one slice": axial_geometry(shape=(1, 5, 6)),
}


def same_voxels(a: Volume, grid: Geometry, array: NDArray[np.generic]) -> bool:
    """Whether each voxel of ``a`` has the value of the voxel of ``grid`` at its place, and there are as many."""
    index = grid.indices(a.geometry.points(np.moveaxis(np.indices(a.array.shape), 0, -1)))
    nearest = np.rint(index).astype(int)
    assert np.abs(index - nearest).max() < 0.01
    return a.array.size == array.size and np.array_equal(a.array, array[tuple(np.moveaxis(nearest, -1, 0))])


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_written_and_read_again_each_voxel_is_at_its_place(name: str, suffix: str, tmp_path: Path) -> None:
    phantom = three_balls(GRIDS[name])
    again = read_nifti(write_nifti(phantom.ct, tmp_path / f"ct{suffix}"))
    assert again.array.dtype == np.int16
    assert same_voxels(again, GRIDS[name], phantom.ct.array)


@pytest.mark.parametrize("name", ["HFS", "HFP", "FFS", "FFP", "one slice"])
def test_an_axial_grid_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    image = three_balls(GRIDS[name]).ct
    again = read_nifti(write_nifti(image, tmp_path / "ct.nii.gz"))
    assert again.geometry.same_as(image.geometry)
    np.testing.assert_array_equal(again.array, image.array)


def test_masks_and_fractions_come_back(tmp_path: Path) -> None:
    phantom = three_balls(axial_geometry())
    mask = phantom.organs.mask("Parotid_L")
    np.testing.assert_array_equal(read_nifti(write_nifti(mask, tmp_path / "mask.nii.gz")).array, mask.array)
    image = Volume(np.linspace(0, 1, mask.array.size, dtype=np.float32).reshape(mask.array.shape), mask.geometry)
    np.testing.assert_array_equal(read_nifti(write_nifti(image, tmp_path / "share.nii")).array, image.array)


def test_scaled_values_are_read_in_their_unit(tmp_path: Path) -> None:
    # stored 0, 1, 2, 3 with slope 2 and intercept -1000
    image = nibabel.Nifti1Image(np.arange(4, dtype=np.int16).reshape(1, 2, 2), np.eye(4))  # type: ignore[no-untyped-call]
    image.header.set_slope_inter(2, -1000)
    nibabel.save(image, tmp_path / "ct.nii")
    raw = bytearray((tmp_path / "ct.nii").read_bytes())
    raw[112:120] = np.array([2, -1000], dtype="<f4").tobytes()  # scl_slope, scl_inter
    raw[352:] = np.arange(4, dtype="<i2").tobytes()
    (tmp_path / "ct.nii").write_bytes(raw)
    assert sorted(read_nifti(tmp_path / "ct.nii").array.ravel()) == [-1000, -998, -996, -994]


def test_uneven_slices_are_refused_when_writing(tmp_path: Path) -> None:
    grid = without_slices(axial_geometry(shape=(5, 4, 4)), [3])
    with pytest.raises(GeometryError, match="not evenly spaced"):
        write_nifti(Mask(np.zeros(grid.shape, dtype=np.bool_), grid), tmp_path / "uneven.nii")
    assert not (tmp_path / "uneven.nii").exists()


def test_a_sheared_file_is_named(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[0, 2] = 0.1  # each slice 0.1 mm further to the right: a tilted gantry
    with pytest.raises(GeometryError, match=r"tilted\.nii.*right angles"):
        read_nifti(save(tmp_path / "tilted.nii", np.zeros((3, 3, 3), dtype=np.int16), affine))


def test_a_flat_affine_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "flat.nii", np.zeros((3, 3, 3), dtype=np.int16), np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[280:296] = bytes(16)  # first row of the affine
    path.write_bytes(raw)
    with pytest.raises(GeometryError, match=r"flat\.nii has no usable affine"):
        read_nifti(path)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 2), (4, 4, 4, 1, 3)])
def test_anything_but_one_volume_is_named(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = save(tmp_path / "many.nii.gz", np.zeros(shape, dtype=np.int16), np.eye(4))
    with pytest.raises(InputError, match=r"many\.nii\.gz has . axes"):
        read_nifti(path)


def test_a_fourth_axis_of_one_is_no_axis(tmp_path: Path) -> None:
    assert read_nifti(save(tmp_path / "ct.nii", np.zeros((2, 3, 4, 1), dtype=np.int16), np.eye(4))).array.shape == (4, 3, 2)


@pytest.mark.parametrize("dtype", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])])
def test_colours_and_complex_numbers_are_named(dtype: np.dtype[np.generic], tmp_path: Path) -> None:
    path = save(tmp_path / "colours.nii", np.zeros((2, 2, 2), dtype=dtype), np.eye(4))
    with pytest.raises(InputError, match=r"colours\.nii holds"):
        read_nifti(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ct\.nii\.gz is not there"):
        read_nifti(tmp_path / "ct.nii.gz")


def test_a_folder_instead_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_nifti(tmp_path)


def good(tmp_path: Path) -> bytes:
    array = np.random.default_rng(0).integers(-1000, 1000, (9, 10, 11)).astype(np.int16)
    return save(tmp_path / "good.nii", array, np.eye(4)).read_bytes()


def changed(raw: bytes, start: int, stop: int, value: int) -> bytes:
    return raw[:start] + bytes([value]) * (stop - start) + raw[stop:]


BROKEN = {
    "empty": ("ct.nii", lambda raw: raw[:0]),
    "words": ("ct.nii.gz", lambda raw: b"this is not an image" + bytes(len(raw))),
    "truncated": ("ct.nii", lambda raw: raw[:1000]),
    "truncated header": ("ct.nii", lambda raw: raw[:200]),
    "truncated gzip": ("ct.nii.gz", lambda raw: gzip.compress(raw)[:800]),
    "damaged gzip": ("ct.nii.gz", lambda raw: changed(gzip.compress(raw), 900, 960, 0xFF)),
    "one wrong byte in gzip": ("ct.nii.gz", lambda raw: changed(gzip.compress(raw, 0), 900, 901, 0x55)),
    "plain under a gzip name": ("ct.nii.gz", lambda raw: raw),
    "no data type": ("ct.nii", lambda raw: changed(raw, 70, 72, 0x7A)),
    "negative length": ("ct.nii", lambda raw: changed(raw, 42, 44, 0x80)),
    "huge length": ("ct.nii", lambda raw: changed(raw, 42, 48, 0x7F)),
    "voxels within the header": ("ct.nii", lambda raw: changed(raw, 108, 112, 0x42)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(name: str, tmp_path: Path) -> None:
    file, spoil = BROKEN[name]
    (tmp_path / file).write_bytes(spoil(good(tmp_path)))
    with pytest.raises(InputError, match=rf"{file} cannot be read as NIfTI"):
        read_nifti(tmp_path / file)


def without_codes(path: Path, codes: slice) -> Path:
    """The file with qform_code (bytes 252, 253) or sform_code (254, 255) set to 0: that orientation is not told."""
    raw = bytearray(path.read_bytes())
    raw[codes] = bytes(codes.stop - codes.start)
    path.write_bytes(raw)
    return path


def test_a_file_that_does_not_tell_left_from_right_is_refused(tmp_path: Path) -> None:
    path = without_codes(save(tmp_path / "ct.nii", np.zeros((3, 4, 5), dtype=np.int16), np.eye(4)), slice(252, 256))
    with pytest.raises(InputError, match=r"ct\.nii does not tell its orientation .*write the orientation"):
        read_nifti(path)


def test_one_of_both_ways_to_tell_the_orientation_is_enough(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    image = nibabel.Nifti1Image(array, np.diag([1.0, 1.0, 2.0, 1.0]))  # type: ignore[no-untyped-call]
    image.set_qform(image.affine, 1)
    for name, codes in {"qform": slice(254, 256), "sform": slice(252, 254)}.items():
        nibabel.save(image, tmp_path / f"{name}.nii")
        read = read_nifti(without_codes(tmp_path / f"{name}.nii", codes))
        assert read.geometry.slice_spacing == pytest.approx(2.0)
        np.testing.assert_array_equal(read.array, array.transpose(2, 1, 0))


def test_voxels_that_are_no_numbers_are_counted_and_refused(tmp_path: Path) -> None:
    array = np.zeros((3, 4, 5), dtype=np.float32)
    array[0, 0, :2], array[2, 3, 4] = np.nan, np.inf
    with pytest.raises(InputError, match=r"ct\.nii holds 3 voxels of 60 that are no number .*write a number there"):
        read_nifti(save(tmp_path / "ct.nii", array, np.eye(4)))


def test_another_format_than_nifti_is_named(tmp_path: Path) -> None:
    nibabel.save(nibabel.MGHImage(np.zeros((3, 4, 5), dtype=np.float32), np.eye(4)), tmp_path / "ct.mgz")  # type: ignore[no-untyped-call]
    with pytest.raises(InputError, match=r"ct\.mgz is MGHImage, not NIfTI; convert it"):
        read_nifti(tmp_path / "ct.mgz")
