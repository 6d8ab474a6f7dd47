"""Stretches of a scan: what does not go on from slice to slice is parted, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from phantoms import sagittal_geometry, three_balls

from rtseg.core import Geometry, GeometryError, Volume
from rtseg.imaging import Preparation, Stretch, prepare, stretches

SPACING = (3.0, 2.0, 2.0)
SHAPE = (40, 100, 120)
HOW = Preparation(spacing_mm=(2.5, 4.0, 4.0), window_hu=(-1000.0, 2000.0), margin_mm=8.0)

Slices = NDArray[np.int16]


def patient(seed: int = 0, across_mm: float = 80.0, x_mm: float = 0.0) -> Slices:
    """40 slices of a round body with a bone that wanders, with the noise of a scan."""
    x, y = np.meshgrid((np.arange(120) - 59.5) * 2.0 - x_mm, (np.arange(100) - 49.5) * 2.0)
    array = np.full(SHAPE, -1000.0)
    for k in range(SHAPE[0]):
        array[k][x**2 + y**2 < (across_mm * (1 + 0.002 * k)) ** 2] = 40
        array[k][(x - k) ** 2 + (y - 30) ** 2 < 12**2] = 700
    return np.rint(array + np.random.default_rng(seed).normal(0, 15, SHAPE)).astype(np.int16)


def scan(*parts: Slices, downwards: bool = False) -> Volume:
    array = np.concatenate(parts)
    up = np.diag([-1.0, 1.0, 1.0]) @ Geometry.regular((1, 1, 1), SPACING).direction if downwards else None
    a, b, c = array.shape
    return Volume(array, Geometry.regular((a, b, c), SPACING, (-120.0, -100.0, -50.0), up))


def found(*parts: Slices, downwards: bool = False) -> list[tuple[int, int]]:
    return [(s.first, s.end) for s in stretches(scan(*parts, downwards=downwards), 4.0)]


def air(slices: int) -> Slices:
    return np.full((slices, *SHAPE[1:]), -1000, dtype=np.int16)


def test_a_scan_is_one_stretch_and_nothing_of_it_is_left_out() -> None:
    (stretch,) = stretches(scan(patient()), 4.0)
    assert (stretch.first, stretch.end, stretch.left_out) == (0, 40, 0)


def test_slices_of_air_belong_to_no_stretch_and_are_not_worth_a_word() -> None:
    (stretch,) = stretches(scan(air(60), patient(), air(7)), 4.0)
    assert stretch == Stretch(60, 100, 40)
    assert stretch.left_out == 0


@pytest.mark.parametrize("downwards", [False, True])
def test_slices_of_another_scan_are_a_stretch_of_their_own(downwards: bool) -> None:
    # two bodies of 80 and 60 mm, 120 mm apart: more than half of either is air in the other
    assert found(patient(1, 60.0, 60.0), patient(2, 60.0, -40.0), downwards=downwards) == [(0, 40), (40, 80)]


def test_a_shift_of_the_patient_by_some_millimetres_is_no_break() -> None:
    assert found(patient(1), patient(2, x_mm=6.0)) == [(0, 80)]


def test_copies_of_an_end_are_left_out() -> None:
    body = patient()
    (stretch,) = stretches(scan(np.repeat(body[:1], 67, axis=0), body, np.repeat(body[-1:], 30, axis=0)), 4.0)
    assert (stretch.first, stretch.end, stretch.left_out) == (67, 107, 97)


def test_a_few_copies_and_a_phantom_without_noise_are_no_padding() -> None:
    body = patient()
    assert found(np.repeat(body[:1], 5, axis=0), body) == [(0, 45)]
    assert found(np.repeat(body[:1], 40, axis=0)) == [(0, 40)]


@pytest.mark.parametrize("at", [0, 17, 39])
def test_one_disturbed_slice_parts_nothing(at: int) -> None:
    body = patient()
    body[at] = np.roll(body[at], 50, axis=1)
    assert found(body) == [(0, 40)]


def test_over_a_hole_in_the_stack_more_difference_is_usual() -> None:
    # the body shrinks evenly by 3 mm a slice; 8 slices are missing
    x, y = np.meshgrid((np.arange(120) - 59.5) * 2.0, (np.arange(100) - 49.5) * 2.0)
    radii = 95.0 - 1.5 * np.arange(48)
    array = np.where(x**2 + y**2 < radii[:, None, None] ** 2, 40, -1000).astype(np.int16)
    kept = np.r_[:20, 28:48]
    grid = scan(array).geometry
    uneven = replace(grid, shape=(40, *SHAPE[1:]), positions=grid.positions[kept])
    assert [(s.first, s.end) for s in stretches(Volume(array[kept], uneven), 4.0)] == [(0, 40)]


def test_a_stack_of_sagittal_slices_is_taken_as_it_is() -> None:
    ct = three_balls(sagittal_geometry()).ct
    (stretch,) = stretches(ct, 4.0)
    assert stretch.left_out == 0


def test_a_scan_of_air_is_refused() -> None:
    with pytest.raises(GeometryError, match="no body"):
        stretches(scan(air(30)), 4.0)


def test_a_stretch_is_prepared_as_if_it_were_alone() -> None:
    alone, long = scan(patient()), scan(patient(3, 50.0, 50.0), patient(), air(20))
    (only,), (_, second) = stretches(alone, 4.0), stretches(long, 4.0)
    a, b = prepare(alone, HOW, only), prepare(long, HOW, second)
    np.testing.assert_array_equal(a.volume.array, b.volume.array)
    assert a.volume.geometry.shape == b.volume.geometry.shape
    assert b.source.shape == alone.geometry.shape
    np.testing.assert_allclose(b.volume.geometry.origin - a.volume.geometry.origin, [0, 0, 40 * 3.0], atol=1e-6)


def test_a_wider_picture_moves_nothing() -> None:
    alone = scan(patient())
    padded = np.pad(alone.array, ((0, 0), (3, 8), (6, 1)), constant_values=-1000)
    wide = Volume(padded, Geometry.regular((40, 111, 127), SPACING, (-120.0 - 12.0, -100.0 - 6.0, -50.0)))
    a, b = (prepare(ct, HOW, *stretches(ct, 4.0)) for ct in (alone, wide))
    assert b.volume.geometry.same_as(a.volume.geometry)
    np.testing.assert_allclose(b.volume.array, a.volume.array, atol=1e-2)
