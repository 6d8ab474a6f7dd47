"""OpenKBP's CSV files: which voxel an index is, the offset of HU, shipped cases there and back, and what is cropped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from openkbp_csv import source_grid, write_arrays, write_case_as_csv

from rtseg.core import Geometry, InputError, Mask, Volume
from rtseg.data import axial, find_cases
from rtseg.data.openkbp import cropped, read_patient, whole_body_slices

SPACING_MM = (2.0, 4.688, 4.688)
"""That of pt_242: its voxel_dimensions.csv holds 4.688, 4.688, 2."""


def files(folder: Path, ct: str, **masks: str) -> Path:
    folder.mkdir()
    (folder / "voxel_dimensions.csv").write_text("4.687999999999999723e+00\n4.687999999999999723e+00\n2.000000000000000000e+00\n")
    (folder / "ct.csv").write_text(ct)
    for name, text in masks.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


# One voxel by hand: index = a * 16384 + b * 128 + c; a from anterior, b from right, c from superior, 0..127 each.


@pytest.mark.parametrize(
    ("a", "b", "c", "point"),
    [
        (0, 64, 64, (0.5 * 4.688, -63.5 * 4.688, -1.0)),  # anterior: y to posterior is negative
        (64, 127, 64, (63.5 * 4.688, 0.5 * 4.688, -1.0)),  # left: x to left is positive
        (64, 64, 0, (0.5 * 4.688, 0.5 * 4.688, 127.0)),  # superior: z to superior is positive
    ],
)
def test_an_index_is_its_place_in_the_patient(tmp_path: Path, a: int, b: int, c: int, point: tuple[float, ...]) -> None:
    index = a * 16384 + b * 128 + c
    patient = read_patient(files(tmp_path / "pt_1", f",data\n{index},1037.0\n", LeftParotid=f",data\n{index},\n"))
    for there in (patient.ct.array == 37, patient.organs.mask("Parotid_L").array):
        assert patient.ct.geometry.points(np.argwhere(there)) == pytest.approx(np.array([point]))
    assert patient.ct.geometry.pixel_spacing == (4.688, 4.688)
    assert patient.ct.geometry.slice_spacing == 2.0


def test_hu_are_1000_below_what_is_stored_and_metal_is_cut(tmp_path: Path) -> None:
    patient = read_patient(files(tmp_path / "pt_1", ",data\n0,1000.0\n1,882.0\n2,3976.0\n3,9000.0\n"))
    values = patient.ct.array[::-1].transpose(1, 2, 0).ravel()[:5]
    assert values.tolist() == [0, -118, 2976, 3095, -1000]
    assert patient.ct.array.dtype == np.int16


def test_an_organ_without_a_voxel_and_one_that_is_something_else_were_not_contoured(tmp_path: Path) -> None:
    folder = files(tmp_path / "pt_215", ",data\n0,1000.0\n", Larynx=",data\n", SpinalCord=",data\n5,\n", Brainstem=",data\n6,\n")
    assert list(read_patient(folder).organs) == ["Brainstem"]


@pytest.mark.parametrize("name", ["pt_1", "pt_22", "pt_201"])
def test_a_case_written_back_and_read_is_the_same_and_nothing_is_cropped(
    name: str, tmp_path: Path, test_data: Callable[[str], Path]
) -> None:
    case = axial(next(one for one in find_cases(test_data("openkbp_head_neck")) if one.name == name).read())
    made = cropped(read_patient(write_case_as_csv(case, tmp_path / name)))
    full, grid = made.case.ct.geometry, case.ct.geometry
    start = np.rint(full.indices(grid.points([[0, 0, 0]]))[0]).astype(int)
    assert (start[0], full.shape[0]) == (0, grid.shape[0])
    assert full.crop(tuple(start), grid.shape).same_as(grid, tolerance_mm=1e-3)  # NIfTI keeps 24 bits of a spacing
    box = tuple(slice(a, a + n) for a, n in zip(start, grid.shape, strict=True))
    np.testing.assert_array_equal(made.case.ct.array[box], case.ct.array)
    assert (made.case.ct.array == -1000).sum() == (case.ct.array == -1000).sum() + made.case.ct.array.size - case.ct.array.size
    assert sorted(made.case.contoured) == sorted(case.contoured)
    for organ in case.contoured:
        np.testing.assert_array_equal(made.case.structures.mask(organ).array[box], case.structures.mask(organ).array)
        assert made.kept[organ] == 1
    assert made.last_slice - made.first_slice + 1 == grid.shape[0]


@pytest.mark.conformance
def test_no_shipped_case_loses_a_slice(test_data: Callable[[str], Path]) -> None:
    """They were cropped by the rule, with the targets known, which are not among the shipped contours."""
    for found in find_cases(test_data("openkbp_head_neck")):
        case = found.read()
        slices, rows, columns = case.ct.geometry.shape
        spacing_mm = (case.ct.geometry.slice_spacing, *case.ct.geometry.pixel_spacing)
        grid = Geometry.regular((slices + 8, rows, columns), spacing_mm)  # blank above and below, as in the source
        around = ((4, 4), (0, 0), (0, 0))
        contoured = np.zeros(case.ct.geometry.shape, dtype=bool)
        for organ in case.contoured:
            contoured |= case.structures.mask(organ).array
        ct = Volume(np.pad(case.ct.array, around, constant_values=-1000), grid)
        organs, targets = Mask(np.pad(contoured, around), grid), Mask(np.zeros(grid.shape, dtype=bool), grid)
        assert whole_body_slices(ct, organs, targets) == slice(4, slices + 4), case.name


# The crop


def disc(radius_mm: float, centre_mm: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """(rows, columns) of a disc on the source grid; centre (posterior, left)."""
    mm = (np.arange(128) - 63.5) * SPACING_MM[1]
    return (mm[:, None] - centre_mm[0]) ** 2 + (mm[None] - centre_mm[1]) ** 2 <= radius_mm**2


def blanked() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, organ, target: a neck of radius 70 mm with a spine in slices 40..79; above and below what a blanked CT leaves.

    An organ in slices 20..109 (an island of it outside the neck), a brain without skull in 90..109, a shell in 30..39, the target
    with 20 mm round it in 80..84.
    """
    hu = np.full((128, 128, 128), -1000)
    organ, target = np.zeros((2, 128, 128, 128), dtype=bool)
    organ[20:110] = disc(18)
    target[80:85] = disc(50)
    hu[40:80][:, disc(70)] = 20
    hu[40:80][:, disc(18, (40.0, 0.0))] = 600
    hu[30:40][:, disc(75) & ~disc(70)] = 0
    hu[90:110][:, disc(60)] = 30
    hu[organ] = 40
    hu[target] = 35
    return hu, organ, target


def crop_of(hu: np.ndarray, organ: np.ndarray, target: np.ndarray) -> slice | None:
    grid = source_grid(SPACING_MM)
    return whole_body_slices(Volume(hu.astype(np.int16), grid), Mask(organ, grid), Mask(target, grid))


def test_islands_brain_and_shell_are_cropped() -> None:
    assert crop_of(*blanked()) == slice(40, 80)


def test_the_stack_ends_where_the_area_jumps() -> None:
    hu, organ, target = blanked()
    hu[70:80][:, disc(70) & ~disc(50)] = -1000  # 70 mm to 50 mm: the area falls by half
    assert crop_of(hu, organ, target) == slice(40, 70)


def test_of_two_stacks_the_one_with_most_of_the_organs_is_kept() -> None:
    hu, organ, target = blanked()
    hu[55] = -1000
    assert crop_of(hu, organ, target) == slice(56, 80)  # the same organ in 24 slices and in 15
    organ[40:55] |= disc(40)
    assert crop_of(hu, organ, target) == slice(40, 55)


def test_an_organ_cut_by_the_crop_is_told_and_one_outside_is_not_contoured(tmp_path: Path) -> None:
    hu, organ, target = blanked()
    outside = np.zeros_like(organ)
    outside[100:105] = disc(18)
    masks = {"SpinalCord": organ & ~outside, "Brainstem": outside, "PTV70": target}
    made = cropped(read_patient(write_arrays(tmp_path / "pt_7", hu, masks, SPACING_MM)))
    assert made.case.contoured == ("SpinalCord",)
    assert (made.first_slice, made.last_slice) == (127 - 79, 127 - 40)
    assert made.kept == {"SpinalCord": pytest.approx(40 / 85), "Brainstem": 0}
    assert made.case.ct.geometry.points([[0, 0, 0]])[0, 2] == pytest.approx((40 - 63.5) * 2.0)


def test_a_patient_without_a_whole_body_is_refused(tmp_path: Path) -> None:
    hu, organ, _ = blanked()
    hu[40:80] = np.where(organ[40:80], hu[40:80], -1000)
    folder = write_arrays(tmp_path / "pt_7", hu, {"SpinalCord": organ}, SPACING_MM)
    with pytest.raises(InputError, match="pt_7: no slice shows the whole body"):
        cropped(read_patient(folder))


def test_where_organs_overlap_the_first_keeps_the_voxel(tmp_path: Path) -> None:
    hu, organ, _ = blanked()
    folder = write_arrays(tmp_path / "pt_7", hu, {"Brainstem": organ, "SpinalCord": organ & (hu == 40)}, SPACING_MM)
    assert cropped(read_patient(folder)).case.contoured == ("Brainstem",)


BAD = {
    "index,value\n1,2\n": "begins with 'index,value', expected the line ',data'",
    "": "begins with ''",
    ",data\n1,2\n1,3\n": "or one twice",
    ",data\n2097152,2\n": r"indices outside 0\.\.2097151",
    ",data\n-1,2\n": r"indices outside 0\.\.2097151",
    ",data\n1,two\n": "a line that is not index,value",
    ",data\n1.5,2\n": "a line that is not index,value",
}


@pytest.mark.parametrize("text", BAD)
def test_a_file_that_is_not_the_challenges_is_named(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"ct\.csv .*{BAD[text]}"):
        read_patient(files(tmp_path / "pt_1", text))


def test_a_missing_file_and_wrong_dimensions_are_named(tmp_path: Path) -> None:
    folder = files(tmp_path / "pt_1", ",data\n1,2\n")
    (folder / "ct.csv").unlink()
    with pytest.raises(InputError, match=r"ct\.csv is not there"):
        read_patient(folder)
    (folder / "voxel_dimensions.csv").write_text("4.6 4.6\n")
    with pytest.raises(InputError, match=r"voxel_dimensions\.csv must hold three lines"):
        read_patient(folder)
