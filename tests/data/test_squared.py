"""Air beside a case, so that its images are square: organs and voxels keep their place in the patient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from phantoms import BALLS, axial_geometry, centroid, sagittal_geometry, three_balls

from rtseg.core import EMPTY, Geometry, StructureSet
from rtseg.data import Case, squared


def case(geometry: Geometry) -> Case:
    phantom = three_balls(geometry)
    organs = StructureSet(geometry, {**phantom.organs.structures, "Larynx": EMPTY})
    return Case("p1", phantom.ct, organs, tuple(organs))


@pytest.mark.parametrize(
    ("geometry", "square"),
    [
        (axial_geometry(shape=(34, 56, 64)), (34, 64, 64)),
        (axial_geometry("FFP", shape=(34, 61, 56)), (34, 61, 61)),
        (sagittal_geometry(), (46, 60, 60)),
    ],
)
def test_every_organ_and_voxel_keeps_its_place(geometry: Geometry, square: tuple[int, int, int]) -> None:
    before = case(geometry)
    after = squared(before)
    assert after.ct.geometry.shape == after.structures.geometry.shape == square
    assert after.ct.array.dtype == np.int16
    corner = np.rint(after.ct.geometry.indices(geometry.points([[0, 0, 0]]))[0]).astype(int)
    np.testing.assert_allclose(after.ct.geometry.points([corner]), geometry.points([[0, 0, 0]]), atol=1e-9)
    inside = tuple(slice(first, first + n) for first, n in zip(corner, geometry.shape, strict=True))
    np.testing.assert_array_equal(after.ct.array[inside], before.ct.array)
    assert (after.ct.array == -1000).sum() == (before.ct.array == -1000).sum() + np.prod(square) - np.prod(geometry.shape)
    for name in BALLS:
        assert after.structures.volume_ml(name) == pytest.approx(before.structures.volume_ml(name))
        np.testing.assert_allclose(centroid(after.structures.mask(name)), centroid(before.structures.mask(name)), atol=1e-9)
    assert after.structures["Larynx"].is_empty


def test_a_square_case_stays_as_it_is() -> None:
    before = case(axial_geometry(shape=(34, 60, 60)))
    after = squared(before)
    assert after.ct.geometry == before.ct.geometry
    np.testing.assert_array_equal(after.ct.array, before.ct.array)


def test_the_mr_on_a_grid_of_its_own_stays() -> None:
    before = case(axial_geometry(shape=(34, 56, 64)))
    mr = three_balls(axial_geometry(shape=(10, 12, 14), spacing_mm=(6.0, 5.0, 5.0))).ct
    assert squared(replace(before, mr=mr, pairing="weak")).mr is mr
