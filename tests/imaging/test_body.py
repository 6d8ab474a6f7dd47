"""Finding the body: what belongs to the patient is kept, what the patient lies on, in or under is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from rtseg.core import Geometry, GeometryError, Mask, Volume
from rtseg.imaging import body_mask
from rtseg.imaging.body import grown

GRID = Geometry.regular((5, 80, 90), (2.5, 4.0, 4.0))
"""320 mm from front to back, 360 mm from right to left."""

X, Y = np.meshgrid((np.arange(90) - 44.5) * 4.0, (np.arange(80) - 35.5) * 4.0)
"""(rows, columns) mm to the left and to posterior of the middle of the body."""

BODY = (X / 110) ** 2 + (Y / 80) ** 2 <= 1
AWAY = ndimage.distance_transform_edt(~BODY, sampling=4.0)
"""(rows, columns) mm from the body's skin."""

Plane = NDArray[np.bool_]


def scan(*things: tuple[Plane, float]) -> Volume:
    """Air with these things of so many HU in it, the same on every slice; later ones lie over earlier ones."""
    plane = np.full(X.shape, -1000.0, dtype=np.float32)
    for where, hu in things:
        plane[where] = hu
    return Volume(np.broadcast_to(plane, GRID.shape).copy(), GRID)


def plate(top_mm: float) -> Plane:
    """A couch top, 12 mm thick and 340 mm wide."""
    return (top_mm <= Y) & (top_mm + 12 > Y) & (np.abs(X) < 170)


def found(*things: tuple[Plane, float]) -> Plane:
    planes = body_mask(scan(*things)).array
    assert (planes == planes[0]).all()
    return np.asarray(planes[0])


def test_a_body_alone_is_found_whole() -> None:
    np.testing.assert_array_equal(found((BODY, 0.0)), BODY)


def test_a_couch_below_a_gap_is_left_out() -> None:
    np.testing.assert_array_equal(found((BODY, 0.0), (plate(92.0), 100.0)), BODY)


def test_a_couch_of_shell_and_foam_is_left_out() -> None:
    foam = (Y >= 96) & (Y < 136) & (np.abs(X) < 170)
    core = (Y >= 104) & (Y < 128) & (np.abs(X) < 162)
    np.testing.assert_array_equal(found((BODY, 0.0), (foam, 50.0), (core, -900.0)), BODY)


@pytest.mark.parametrize("thick_mm", [20, 32, 60])
def test_a_couch_as_thick_as_a_body_part_is_left_out(thick_mm: int) -> None:
    # solid, 340 mm wide, more than twice THIN_MM thick; of the slices only the middle one has the body lie on it
    couch = (Y >= 80) & (80 + thick_mm > Y) & (np.abs(X) < 170)
    ct = scan((BODY, 0.0), (couch, 100.0))
    for k in (0, 1, 3, 4):
        ct.array[k] = scan(((X / 90) ** 2 + (Y / 60) ** 2 <= 1, 0.0), (couch, 100.0)).array[0]
    assert not body_mask(ct).array[:, couch].any()
    assert body_mask(ct).array[2, BODY & ~couch].all()


def test_of_a_couch_that_touches_only_what_lies_against_the_skin_is_kept() -> None:
    # the plate begins 4 mm inside the skin's lowest point; there the body is 2 * 110 * sqrt(1 - (76/80)^2) = 69 mm wide
    body = found((BODY, 0.0), (plate(76.0), 100.0))
    assert body[BODY].all()
    extra = body & ~BODY
    assert np.abs(X[extra]).max() < 60
    assert AWAY[extra].max() <= 12


def test_a_mask_8_mm_around_the_skin_is_left_out() -> None:
    shell = (AWAY >= 8) & (AWAY < 12)
    assert shell.sum() > 100
    np.testing.assert_array_equal(found((BODY, 0.0), (shell, 150.0)), BODY)


def test_a_head_rest_is_left_out() -> None:
    # a trough that holds the body from below: walls of 6 to 8 mm, foam between them, one wall 8 mm from the skin
    trough = (AWAY >= 8) & (AWAY < 48) & (Y > 20)
    foam = (AWAY >= 16) & (AWAY < 40) & (Y > 28)
    np.testing.assert_array_equal(found((BODY, 0.0), (trough, 100.0), (foam, -900.0)), BODY)


def test_air_inside_the_body_is_body() -> None:
    trachea = X**2 + (Y + 20) ** 2 < 12**2
    lung = ((X - 50) / 30) ** 2 + (Y / 45) ** 2 < 1
    np.testing.assert_array_equal(found((BODY, 0.0), (trachea, -1000.0), (lung, -850.0)), BODY)


def test_a_thin_wall_between_a_cavity_and_the_outside_is_body() -> None:
    # a trachea of 20 mm whose front wall is 8 mm thick, and a lung 12 mm under the skin
    trachea = X**2 + (Y + 62) ** 2 < 10**2
    lung = ((X - 58) / 40) ** 2 + ((Y - 5) / 36) ** 2 < 1
    np.testing.assert_array_equal(found((BODY, 0.0), (trachea, -1000.0), (lung, -850.0)), BODY)


def test_a_mask_that_touches_nose_and_chin_is_left_out() -> None:
    # drawn tight over the front: the shell lies on the skin at two places and closes pockets of air up to 20 mm deep
    nose = (np.abs(X) < 6) & (Y < -60) & (Y > -96)
    shell = (AWAY >= 16) & (AWAY < 20)
    body = found((BODY | nose, 0.0), (shell & ~nose, 150.0))
    assert body[BODY].all()
    assert not body[(AWAY > 8) & (np.abs(X) > 24)].any()


def test_both_legs_are_kept() -> None:
    legs = ((X - 85) ** 2 + Y**2 < 60**2) | ((X + 85) ** 2 + (Y - 10) ** 2 < 45**2)
    np.testing.assert_array_equal(found((legs, 0.0)), legs)


def test_a_small_solid_thing_beside_the_patient_is_left_out() -> None:
    # 40 x 40 mm against 110 * 80 * pi mm2: 6 %
    bottle = (np.abs(X + 150) < 20) & (np.abs(Y - 80) < 20)
    np.testing.assert_array_equal(found((BODY, 0.0), (bottle, 0.0)), BODY)


def test_a_body_cut_by_the_border_is_kept_to_the_border() -> None:
    wide = np.abs(Y) < 60
    np.testing.assert_array_equal(found((wide, 0.0)), wide)


def test_slices_without_a_body_have_none() -> None:
    ct = scan((BODY, 0.0))
    ct.array[3:] = -1000.0
    body = body_mask(ct).array
    assert body[:3].any(axis=(1, 2)).all()
    assert not body[3:].any()


def test_tissue_in_every_voxel_is_all_body() -> None:
    assert body_mask(Volume(np.zeros(GRID.shape, dtype=np.float32), GRID)).array.all()


def test_nothing_but_thin_things_is_still_a_body() -> None:
    finger = X**2 + Y**2 < 8**2
    np.testing.assert_array_equal(found((finger, 0.0)), finger)


def test_nothing_but_air_is_refused() -> None:
    with pytest.raises(GeometryError, match="no body"):
        body_mask(scan())


def test_grown_by_a_margin_within_each_slice() -> None:
    # 8 mm round one voxel of 4 mm: 13 voxels whose centre is at most 2 voxels away
    array = np.zeros(GRID.shape, dtype=np.bool_)
    array[2, 40, 40] = True
    near = grown(Mask(array, GRID), 8.0).array
    assert near[2].sum() == 13
    assert not near[[0, 1, 3, 4]].any()
