"""To the working grid and back: organs return to where they were, whatever way the patient was scanned."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from phantoms import (
    BALLS,
    CENTRE,
    ROW_AND_COLUMN,
    Phantom,
    axial_geometry,
    centroid,
    coronal_geometry,
    oblique_geometry,
    sagittal_geometry,
    three_balls,
    turned_geometry,
    without_slices,
)

from rtseg.core import AXIAL, EMPTY, Geometry, GeometryError, Mask, Structure, StructureSet, Volume
from rtseg.imaging import (
    Preparation,
    Prepared,
    Probabilities,
    prepare,
    resample,
    restore,
    restore_mask,
    to_working_grid,
)

HOW = Preparation(spacing_mm=(2.5, 2.5, 2.5), window_hu=(-1000.0, 2000.0), margin_mm=8.0)

GRIDS = {
    **{position: axial_geometry(position) for position in ROW_AND_COLUMN},
    "sagittal": sagittal_geometry(),
    "coronal": coronal_geometry(),
    "oblique": oblique_geometry(),
    "uneven": without_slices(axial_geometry(), [8, 20, 21]),
    "coarse slices": axial_geometry("FFP", shape=(17, 56, 64), spacing_mm=(5.0, 2.2, 2.0)),
}


def seen_perfectly(phantom: Phantom, ready: Prepared) -> Probabilities:
    """What a model without fault would see: the share of each working voxel that each organ fills."""
    shares = to_working_grid(phantom.organs, ready, list(BALLS))
    return Probabilities(tuple(BALLS), np.stack([shares[name] for name in BALLS]), ready.volume.geometry)


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def there_and_back(grid: Geometry, how: Preparation = HOW) -> tuple[Phantom, Prepared, StructureSet]:
    phantom = three_balls(grid)
    ready = prepare(phantom.ct, how)
    return phantom, ready, restore(seen_perfectly(phantom, ready), ready)


@pytest.mark.parametrize("name", GRIDS)
def test_organs_come_back_to_where_they_were(name: str) -> None:
    phantom, _, organs = there_and_back(GRIDS[name])
    assert organs.geometry == GRIDS[name]
    for organ in BALLS:
        ours, theirs = organs.mask(organ), phantom.organs.mask(organ)
        assert dice(ours.array, theirs.array) >= 0.9
        assert np.linalg.norm(centroid(ours) - centroid(theirs)) <= 0.5


@pytest.mark.parametrize("name", GRIDS)
def test_left_stays_left(name: str) -> None:
    _, ready, organs = there_and_back(GRIDS[name])
    assert centroid(organs.mask("Parotid_L"))[0] > CENTRE[0] + 25
    assert centroid(organs.mask("Parotid_R"))[0] < CENTRE[0] - 20
    # on the working grid columns run to the left: 60 HU are left, 120 HU right, 200 HU behind
    np.testing.assert_array_equal(ready.volume.geometry.direction, AXIAL)
    for ball in BALLS.values():
        slice_, row, column = np.rint(ready.volume.geometry.indices(ball.centre)).astype(int)
        assert ready.volume.array[slice_, row, column] == pytest.approx(ball.hu, abs=1)


@pytest.mark.parametrize("name", GRIDS)
def test_shares_sum_to_the_organs_volume(name: str) -> None:
    phantom = three_balls(GRIDS[name])
    ready = prepare(phantom.ct, HOW)
    for organ, share in to_working_grid(phantom.organs, ready, list(BALLS)).items():
        assert share.dtype == np.float32
        assert 0 <= share.min() <= share.max() <= 1 + 1e-5
        in_ml = float(share.sum(axis=(1, 2)) @ ready.volume.geometry.voxel_ml)
        assert in_ml == pytest.approx(phantom.organs.volume_ml(organ), rel=0.02)


def test_an_organ_looked_for_and_absent_has_no_share(phantom: Phantom) -> None:
    ready = prepare(phantom.ct, HOW)
    shares = to_working_grid(StructureSet(phantom.ct.geometry, {"Larynx": EMPTY}), ready, ["Larynx"])
    assert shares["Larynx"].shape == ready.volume.geometry.shape
    assert not shares["Larynx"].any()


def test_the_working_volume_is_the_body_and_its_margin(phantom: Phantom) -> None:
    # the body is 104 x 88 mm wide and runs through all 34 slices of 2.5 mm; with 8 mm of air all round 120 x 104 mm
    ready = prepare(phantom.ct, HOW)
    slices, rows, columns = ready.volume.geometry.shape
    assert slices == 34
    assert abs(columns * 2.5 - 120) <= 5
    assert abs(rows * 2.5 - 104) <= 5
    assert ready.body.volume_ml == pytest.approx(np.pi * 52 * 44 * 85 / 1000, rel=0.03)
    assert ready.volume.array.dtype == np.float32


def test_values_are_cut_to_the_window(phantom: Phantom) -> None:
    # air too: no darker beyond the margin than within it
    ready = prepare(phantom.ct, replace(HOW, window_hu=(-150.0, 100.0)))
    assert ready.volume.array.min() == -150
    assert ready.volume.array.max() == 100


def test_padding_and_metal_do_not_reach_their_neighbours(phantom: Phantom) -> None:
    # a voxel of 2.5 mm, averaged onto 10 mm: at 30000 HU it would lift its neighbourhood by some 500 HU
    low, high = phantom.ct.array.copy(), phantom.ct.array.copy()
    low[:, :3], high[17, 28, 32] = -3024, 30000
    plain, metal = phantom.ct.array.copy(), phantom.ct.array.copy()
    plain[:, :3], metal[17, 28, 32] = -1000, 2000
    how = replace(HOW, spacing_mm=(5.0, 10.0, 10.0), window_hu=(-1000.0, 2000.0))
    for odd, same in ((low, plain), (high, metal)):
        a, b = (prepare(Volume(array, phantom.ct.geometry), how).volume.array for array in (odd, same))
        np.testing.assert_array_equal(a, b)


def wide_phantom() -> tuple[Geometry, NDArray[np.int16]]:
    grid = axial_geometry(shape=(8, 70, 70), spacing_mm=(2.5, 2.5, 2.5))
    return grid, three_balls(grid).ct.array


@pytest.mark.parametrize("gap_mm", [16.0, 5.0])  # beyond the margin of 8 mm and within it
def test_a_couch_and_a_shell_change_nothing(gap_mm: float) -> None:
    # the body ends 52 mm beside and 44 mm behind the middle
    grid, hu = wide_phantom()
    x, y, _ = np.moveaxis(grid.points(np.moveaxis(np.indices(grid.shape), 0, -1)) - CENTRE, -1, 0)
    couch = (y >= 44 + gap_mm) & (y < 56 + gap_mm)
    inner = (x / (52 + gap_mm)) ** 2 + (y / (44 + gap_mm)) ** 2
    shell = (inner > 1) & ((x / (56 + gap_mm)) ** 2 + (y / (48 + gap_mm)) ** 2 <= 1) & (y < 20)
    with_couch = np.where(couch | shell, 150, hu).astype(np.int16)
    plain, couched = prepare(Volume(hu, grid), HOW), prepare(Volume(with_couch, grid), HOW)
    assert couched.volume.geometry == plain.volume.geometry
    np.testing.assert_array_equal(couched.volume.array, plain.volume.array)
    np.testing.assert_array_equal(couched.body.array, plain.body.array)
    assert not plain.foreign.array.any()
    # what was blanked is told: it is no body, and there was matter
    assert couched.foreign.array.any()
    assert not (couched.foreign.array & couched.body.array).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("before", [True, False])
def test_200_mm_of_air_change_nothing(axis: int, before: bool) -> None:
    # 80 voxels of 2.5 mm; the body itself is over two slices before the scan is
    grid, hu = wide_phantom()
    hu = hu.copy()
    hu[:2] = hu[-2:] = -1000
    widths = [(0, 0)] * 3
    widths[axis] = (80, 0) if before else (0, 80)
    padded = np.pad(hu, widths, constant_values=-1000)
    a, b, c = padded.shape
    first = grid.points([[-w[0] for w in widths]])[0]
    wider = Volume(padded, Geometry.regular((a, b, c), (2.5, 2.5, 2.5), first, grid.direction))
    plain, aired = prepare(Volume(hu, grid), HOW), prepare(wider, HOW)
    assert aired.volume.geometry.same_as(plain.volume.geometry, tolerance_mm=1e-6)
    np.testing.assert_allclose(aired.volume.array, plain.volume.array, atol=1e-2)


def test_a_scan_of_air_is_refused() -> None:
    grid = axial_geometry()
    with pytest.raises(GeometryError, match="no body"):
        prepare(Volume(np.full(grid.shape, -1000, dtype=np.int16), grid), HOW)


@pytest.mark.parametrize("name", ["HFS", "FFS", "sagittal"])
def test_the_body_comes_back(name: str) -> None:
    phantom = three_balls(GRIDS[name])
    ready = prepare(phantom.ct, HOW)
    body = restore_mask(ready.body, ready)
    found = StructureSet(GRIDS[name], {"Body": body}).mask("Body").array
    assert dice(found, phantom.ct.array > -500) > 0.97


def working(array: NDArray[np.float64], organs: tuple[str, ...], source: Geometry) -> tuple[Probabilities, Prepared]:
    """Probabilities as written, on a working grid of 2.5 mm round the middle of the patient."""
    a, b, c = array.shape[1:]
    grid = turned_geometry((1, 0, 0), (0, 1, 0), (a, b, c), (2.5, 2.5, 2.5))
    return Probabilities(organs, array.astype(np.float32), grid), all_body(np.zeros(grid.shape), grid, source)


def all_body(array: NDArray[Any], grid: Geometry, source: Geometry) -> Prepared:
    """A CT on a working grid that is body throughout."""
    nothing = np.zeros(grid.shape, dtype=np.bool_)
    return Prepared(Volume(array.astype(np.float32), grid), Mask(~nothing, grid), source, Mask(nothing, grid))


def test_an_organ_nowhere_above_one_half_stays_empty() -> None:
    seen, ready = working(np.full((1, 6, 8, 8), 0.5), ("Larynx",), axial_geometry())
    assert restore(seen, ready)["Larynx"] is EMPTY


def test_an_organ_beyond_the_ct_is_empty() -> None:
    # a CT of three slices 100 mm above the organ
    array = np.zeros((1, 10, 10, 10))
    array[0, 3:6, 3:6, 3:6] = 1.0
    above = axial_geometry(shape=(3, 56, 64))
    seen, ready = working(array, ("Larynx",), replace(above, origin=above.origin + np.array([0, 0, 100.0])))
    assert restore(seen, ready)["Larynx"] is EMPTY


def test_probabilities_must_fit_their_grid() -> None:
    with pytest.raises(GeometryError, match="2 organs"):
        Probabilities(("Larynx", "Esophagus"), np.zeros((1, 34, 56, 64), dtype=np.float32), axial_geometry())


def unsure(seed: int) -> NDArray[np.float64]:
    """One organ as a hesitant model sees it: a block that is certain on a plain of 0.49, so that a trace of it tips the scale."""
    random = np.random.default_rng(seed)
    field = np.full((1, 24, 28, 28), 0.49)
    start, size = random.integers(5, 15, 3), random.integers(1, 7, 3)
    field[(0, *(slice(a, a + n) for a, n in zip(start, size, strict=True)))] = 1.0
    return field


CTS = {
    "finer": axial_geometry("FFS", spacing_mm=(2.0, 1.7, 1.3)),
    "coarser": axial_geometry("HFP", shape=(12, 14, 16), spacing_mm=(5.0, 6.0, 6.0)),
    "much coarser": axial_geometry("HFDL", shape=(6, 9, 9), spacing_mm=(11.0, 9.0, 12.0)),
    "sagittal": sagittal_geometry(),
    "uneven": without_slices(axial_geometry(), [7, 8, 14, 15, 16, 20]),
    "smaller": axial_geometry(shape=(9, 12, 14)),
}


@pytest.mark.parametrize("name", CTS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_no_organ_is_cut_by_its_box(name: str, seed: int) -> None:
    # organ by organ in boxes, or the whole image at once: the same voxels are above one half
    seen, ready = working(unsure(seed), ("Larynx",), CTS[name])
    whole = resample(Volume(seen.array[0], seen.geometry), ready.source, outside=0.0).array
    organ = restore(seen, ready).mask("Larynx").array
    sure = np.abs(whole - 0.5) > 1e-5
    np.testing.assert_array_equal(organ[sure], whole[sure] > 0.5)


OBLIQUE_CTS = {
    "finer": turned_geometry(*oblique_geometry().direction[[2, 1]], (40, 50, 50), (2.0, 1.8, 1.8)),
    "alike": oblique_geometry((45.0, 40.0)),
    "thick slices": turned_geometry(*oblique_geometry((40.0, 20.0)).direction[[2, 1]], (12, 80, 80), (9.0, 1.2, 1.2)),
    "coarser": turned_geometry(*oblique_geometry((30.0, 45.0)).direction[[2, 1]], (18, 20, 20), (5.0, 6.0, 6.0)),
}


@pytest.mark.parametrize("name", OBLIQUE_CTS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_no_organ_is_cut_by_its_box_on_an_oblique_ct(name: str, seed: int) -> None:
    # what lies against a face of the crop that is not a face of the CT would have gone on beyond it
    from rtseg.imaging.prepare import _around, _organ_box

    seen, ready = working(unsure(seed), ("Larynx",), OBLIQUE_CTS[name])
    image = Volume(seen.array[0], seen.geometry)
    box = _organ_box(image, ready.source)
    assert box is not None
    (start, shape), grid = box, ready.source.crop(*box)
    inside = resample(_around(image, grid), grid, outside=0.0).array > 0.5
    for axis in range(3):
        if start[axis] > 0:
            assert not inside.take(0, axis).any()
        if start[axis] + shape[axis] < ready.source.shape[axis]:
            assert not inside.take(-1, axis).any()
    whole = resample(image, ready.source, outside=0.0).array > 0.5
    outside_box = whole.copy()
    outside_box[tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))] = False
    assert not outside_box.any()


def test_restoring_never_makes_a_volume_of_the_whole_ct() -> None:
    # 512 x 512 x 100: 105 MB as floats, 26 MB as a mask; the organs' boxes hold 0.1 M voxels each
    source = axial_geometry(shape=(100, 512, 512), spacing_mm=(1.0, 0.5, 0.5))
    grid = turned_geometry((1, 0, 0), (0, 1, 0), (40, 60, 60), (2.5, 4.0, 4.0))
    balls = three_balls(grid).organs
    array = np.stack([balls.mask(name).array.astype(np.float32) for name in BALLS])
    ready = all_body(np.zeros(grid.shape), grid, source)
    tracemalloc.start()
    organs = restore(Probabilities(tuple(BALLS), array, grid), ready)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert organs.volume_ml("Parotid_L") == pytest.approx(4 / 3 * np.pi * 1.4**3, rel=0.1)


def test_a_mask_comes_back_where_more_than_half_of_a_voxel_is_inside() -> None:
    # 5 mm slices of the CT against a block of two working slices of 2.5 mm that fills one CT slice, or half of two
    source = turned_geometry((1, 0, 0), (0, 1, 0), (4, 8, 8), (5.0, 2.5, 2.5))
    grid = turned_geometry((1, 0, 0), (0, 1, 0), (8, 8, 8), (2.5, 2.5, 2.5))
    array = np.zeros(grid.shape, dtype=np.bool_)
    array[2:6, 2:6, 2:6] = True
    ready = all_body(array, grid, source)
    organ: Structure = restore_mask(Mask(array, grid), ready)
    assert organ.offset == (1, 1, 1)  # with a pixel all round
    assert organ.mask.shape == (2, 6, 6)
