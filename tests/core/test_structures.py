"""Organs as crops: nothing is lost, nothing outside is believed, and mask and probability never disagree."""

from __future__ import annotations

import numpy as np
import pytest
from phantoms import BALLS, Phantom, axial_geometry, without_slices

from rtseg.core import AXIAL, EMPTY, Geometry, GeometryError, Structure, StructureSet, bounding_box

GRID = Geometry((4, 5, 6), (2.0, 1.5), np.array([0.0, 3.0, 5.0, 15.0]), np.zeros(3), AXIAL)
"""Slices 3, 2.5, 6 and 10 mm thick; a voxel's face is 3 mm2."""


def block(*sides: tuple[int, int]) -> Structure:
    full = np.zeros(GRID.shape, dtype=np.bool_)
    full[tuple(slice(*side) for side in sides)] = True
    return Structure.from_full(full)


def test_only_the_crop_around_an_organ_is_stored() -> None:
    organ = block((1, 3), (2, 5), (0, 1))
    assert organ.offset == (1, 2, 0)
    assert organ.mask.shape == (2, 3, 1)
    assert organ.box == (slice(1, 3), slice(2, 5), slice(0, 1))


def test_a_crop_over_the_whole_grid_is_the_organ_again(phantom: Phantom) -> None:
    centres = phantom.ct.geometry.points(np.moveaxis(np.indices(phantom.ct.geometry.shape), 0, -1))
    for name, ball in BALLS.items():
        inside = np.linalg.norm(centres - ball.centre, axis=-1) <= ball.radius_mm
        np.testing.assert_array_equal(phantom.organs.mask(name).array, inside)


def test_a_crop_holds_no_view_of_the_whole_grid() -> None:
    full = np.ones(GRID.shape, dtype=np.bool_)
    organ = Structure.from_full(full[:, :3])
    assert organ.mask.base is None or organ.mask.base.size == organ.mask.size


def test_an_organ_not_found_is_empty_and_has_no_volume() -> None:
    assert Structure.from_full(np.zeros(GRID.shape, dtype=np.bool_)) is EMPTY
    nowhere = StructureSet(GRID, {"Larynx": EMPTY, "Esophagus": Structure(np.zeros((2, 2, 2), dtype=np.bool_), (1, 1, 1))})
    for name in nowhere:
        assert nowhere[name].is_empty
        assert nowhere.volume_ml(name) == 0.0
        assert not nowhere.mask(name).array.any()


def test_mask_is_where_probability_is_above_one_half() -> None:
    probability = np.array([0.5, 0.5001, 0.4999, 1.0], dtype=np.float32).reshape(1, 1, 4)
    organ = Structure(np.array([False, True, False, True]).reshape(1, 1, 4), (0, 0, 0), probability)
    np.testing.assert_array_equal(organ.mask, probability > 0.5)


@pytest.mark.parametrize("mask", [[True, True, False, True], [False, True, False, False]])
def test_mask_and_probability_that_disagree_are_refused(mask: list[bool]) -> None:
    probability = np.array([0.5, 0.6, 0.4, 1.0]).reshape(1, 1, 4)
    with pytest.raises(GeometryError, match=r"above 0\.5"):
        Structure(np.array(mask).reshape(1, 1, 4), (0, 0, 0), probability)


def test_probability_of_another_shape_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"above 0\.5"):
        Structure(np.ones((1, 1, 2), dtype=np.bool_), (0, 0, 0), np.ones((1, 2, 1)))


@pytest.mark.parametrize("mask", [np.ones((1, 1, 1), dtype=np.uint8), np.ones((1, 1), dtype=np.bool_)])
def test_a_mask_of_numbers_or_of_two_axes_is_refused(mask: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(GeometryError, match="boolean with three axes"):
        Structure(mask, (0, 0, 0))


@pytest.mark.parametrize("offset", [(3, 0, 0), (0, 4, 0), (0, 0, 5), (-1, 0, 0)])
def test_a_crop_outside_the_grid_is_refused_by_name(offset: tuple[int, int, int]) -> None:
    with pytest.raises(GeometryError, match="Larynx"):
        StructureSet(GRID, {"Larynx": Structure(np.ones((2, 2, 2), dtype=np.bool_), offset)})


def test_volume_counts_each_slice_with_its_thickness() -> None:
    # slices 1 and 2, 2.5 and 6 mm, six voxels of 3 mm2 on each
    assert StructureSet(GRID, {"Larynx": block((1, 3), (0, 3), (0, 2))}).volume_ml("Larynx") == pytest.approx(6 * 3 * 8.5 / 1000)


def test_an_organ_on_one_slice_has_the_thickness_of_that_slice() -> None:
    # 6 mm, not the 1 mm of a slice that stands alone
    assert StructureSet(GRID, {"Larynx": block((2, 3), (0, 3), (0, 2))}).volume_ml("Larynx") == pytest.approx(6 * 3 * 6 / 1000)


def test_volume_of_the_crop_is_the_volume_of_the_mask(phantom: Phantom) -> None:
    grid = without_slices(axial_geometry(), [16, 17, 20])
    kept = [k for k in range(34) if k not in (16, 17, 20)]
    organs = {name: Structure.from_full(phantom.organs.mask(name).array[kept]) for name in phantom.organs}
    uneven = StructureSet(grid, organs)
    for name in uneven:
        assert uneven.volume_ml(name) == pytest.approx(uneven.mask(name).volume_ml)


def test_volume_of_a_ball(phantom: Phantom) -> None:
    # 4/3 pi 14^3 mm3 = 11.49 ml
    assert phantom.organs.volume_ml("Parotid_L") == pytest.approx(11.49, rel=0.02)


def test_a_subset_keeps_the_order_asked_for(phantom: Phantom) -> None:
    some = phantom.organs.subset(["Brainstem", "Parotid_L"])
    assert list(some) == ["Brainstem", "Parotid_L"]
    assert len(some) == 2
    with pytest.raises(KeyError):
        phantom.organs.subset(["Cochlea_L"])


def test_a_bounding_box_is_the_smallest() -> None:
    array = np.zeros((5, 6, 7), dtype=np.bool_)
    assert bounding_box(array) is None
    array[1, 2, 6] = array[3, 0, 4] = True
    assert bounding_box(array) == (slice(1, 4), slice(0, 3), slice(4, 7))
