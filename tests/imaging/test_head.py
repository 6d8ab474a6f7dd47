"""The head in an MR and the height above the jaw: phantoms by hand, and the real people that the rules were found on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from rtseg.core import Geometry, GeometryError, Mask, Volume
from rtseg.data import find_cases, read_nifti
from rtseg.data.case import axial
from rtseg.imaging import body_mask
from rtseg.imaging.head import head_mask, heights_in_ct, heights_in_mr

GRID = Geometry.regular((80, 50, 44), (2.5, 4.0, 4.0), (-86.0, -98.0, -100.0))


def head_and_neck() -> np.ndarray:
    """A ball of 75 mm round the origin on a neck of 50 mm that the grid's lower border cuts."""
    z, y, x = np.moveaxis(GRID.points(np.moveaxis(np.indices(GRID.shape), 0, -1)), -1, 0)[::-1]
    return (x**2 + y**2 + z**2 < 75**2) | ((x**2 + y**2 < 50**2) & (z < 0))


def test_a_head_is_found_whole_with_its_dark_inside_and_the_cut_neck():
    truth = head_and_neck()
    random = np.random.default_rng(0)
    mr = np.where(truth, 100.0, 0.0) + np.abs(random.normal(0, 2, GRID.shape))
    mr[38:44, 22:28, 20:24] = 0  # an air cell
    found = head_mask(Volume(mr, GRID)).array
    assert (truth & ~found).sum() == 0  # the air cell too
    assert (found & ~binary_dilation(truth)).sum() < 0.01 * truth.sum()  # wide by a voxel at most: it was smoothed
    assert found[0].sum() == pytest.approx(truth[0].sum(), rel=0.15)


def test_an_image_of_nothing_is_refused():
    with pytest.raises(GeometryError, match="nothing bright"):
        head_mask(Volume(np.zeros(GRID.shape), GRID))


def test_height_in_an_mr_is_counted_from_the_vertex():
    """The topmost slice lies 202 mm above the jaw."""
    head = np.zeros(GRID.shape, dtype=np.bool_)
    head[:71, 20:30, 15:30] = True
    heights = heights_in_mr(Mask(head, GRID))
    assert heights[70] == pytest.approx(202.0)
    assert heights[69] == pytest.approx(199.5)


def test_height_in_a_ct_is_counted_from_the_bone_in_front_of_the_neck():
    """Shoulders to slice 20, a neck to slice 39, a head above; bone in front from slice 42 on, spine behind everywhere."""
    _, y, x = np.moveaxis(GRID.points(np.moveaxis(np.indices(GRID.shape), 0, -1)), -1, 0)[::-1]
    index = np.arange(GRID.shape[0])[:, None, None]
    radius = np.where(index <= 20, 82, np.where(index < 40, 46, 70))
    body = x**2 + y**2 < radius**2
    hu = np.where(body, 0, -1000).astype(np.int16)
    hu[(x**2 + (y - 25) ** 2 < 15**2) & body] = 600
    hu[(np.abs(x) < 24) & (np.abs(y + 50) < 10) & (index >= 42) & body] = 800
    hu[:20, 8:12, 20:24] = 700  # a clavicle in front, below the neck
    heights = heights_in_ct(Volume(hu, GRID), Mask(body, GRID))
    assert heights is not None
    assert heights[42] == 0
    assert heights[46] == pytest.approx(10.0)
    hu[(hu == 800)] = 0
    assert heights_in_ct(Volume(hu, GRID), Mask(body, GRID)) is None


def test_heads_of_real_people_have_no_hole_and_no_jump(test_data: Callable[[str], Path]) -> None:
    """As found when the set was made: no slice of the lower part under 83 cm2, none more than 10 % from the next."""
    files = sorted(test_data("ixi_head_t1").glob("*.nii.gz"))[::15]
    for file in files:
        head = head_mask(read_nifti(file)).array
        cm2 = head.sum(axis=(1, 2)) * 0.16
        lower = cm2[: len(cm2) // 2]
        assert lower.min() > 83, file.name
        assert (np.abs(np.diff(lower)) / lower[:-1]).max() < 0.10, file.name


def test_the_jaw_of_real_patients_is_found_where_it_was_contoured(test_data: Callable[[str], Path]) -> None:
    """Within 10 mm of the contour's lower end in nearly all (131 of 133 when the rule was made)."""
    cases = [case for case in find_cases(test_data("openkbp_head_neck")) if "Bone_Mandible" in case.contoured]
    found = []
    for folder in cases[::12]:
        case = axial(folder.read())
        heights = heights_in_ct(case.ct, body_mask(case.ct))
        lowest = np.flatnonzero(case.structures.mask("Bone_Mandible").array.any(axis=(1, 2)))[0]
        found.append(None if heights is None else float(heights[lowest]))
    assert len(found) >= 8
    assert sum(mm is not None and abs(mm) <= 10 for mm in found) >= len(found) - 1, found
