"""Organs in one piece, without holes, and with a probability that says the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rtseg.core import EMPTY, Geometry, Structure, StructureSet, bounding_box
from rtseg.segmentation.tidy import Rules, tidy

GRID = Geometry.regular((6, 12, 14), (3.0, 1.0, 1.0))


def organ(*boxes: tuple[slice, slice, slice]) -> NDArray[np.bool_]:
    array = np.zeros(GRID.shape, dtype=np.bool_)
    for box in boxes:
        array[box] = True
    return array


LARGE = (slice(1, 4), slice(2, 7), slice(2, 8))
SMALL = (slice(1, 4), slice(9, 11), slice(10, 13))
SPECK = (slice(5, 6), slice(0, 1), slice(0, 1))
HOLE = (slice(1, 4), slice(4, 5), slice(4, 6))


def tidied(mask: NDArray[np.bool_], rules: Rules | None = None) -> NDArray[np.bool_]:
    organs = StructureSet(GRID, {"Larynx": Structure.from_full(mask)})
    return tidy(organs, rules or Rules()).mask("Larynx").array


def test_only_the_largest_piece_stays() -> None:
    assert np.array_equal(tidied(organ(LARGE, SMALL, SPECK)), organ(LARGE))


def test_as_many_pieces_stay_as_the_rules_say() -> None:
    mask = organ(LARGE, SMALL, SPECK)

    assert np.array_equal(tidied(mask, Rules(pieces=2)), organ(LARGE, SMALL))
    assert np.array_equal(tidied(mask, Rules(pieces=3)), mask)
    assert np.array_equal(tidied(mask, Rules(pieces=0)), mask)
    assert np.array_equal(tidied(mask, Rules(pieces_of={"Larynx": 2})), organ(LARGE, SMALL))
    assert np.array_equal(tidied(mask, Rules(pieces_of={"SeminalVes": 2})), organ(LARGE))


def test_holes_are_filled_slice_by_slice() -> None:
    ring = organ(LARGE) & ~organ(HOLE)

    assert np.array_equal(tidied(ring), organ(LARGE))
    assert np.array_equal(tidied(ring, Rules(fill_holes=False)), ring)


def test_a_hole_open_above_and_below_is_a_hole_all_the_same() -> None:
    # a tube along the slices: no hole in three dimensions, one in each slice
    assert tidied(organ((slice(0, 6), *LARGE[1:])) & ~organ((slice(0, 6), *HOLE[1:]))).sum() == 6 * 5 * 6


def test_what_was_not_found_stays_not_found() -> None:
    organs = tidy(StructureSet(GRID, {"Larynx": EMPTY, "Brainstem": Structure.from_full(organ(LARGE))}), Rules())

    assert list(organs) == ["Larynx", "Brainstem"]
    assert organs["Larynx"].is_empty
    assert np.array_equal(organs.mask("Brainstem").array, organ(LARGE))


@pytest.mark.parametrize("precision", [np.float16, np.float32, np.float64])
def test_probability_follows_the_mask(precision: type[np.floating]) -> None:
    probability = np.full(GRID.shape, 0.125, dtype=precision)
    probability[LARGE], probability[SMALL], probability[HOLE] = 0.75, 0.875, 0.25
    organs = StructureSet(GRID, {"Larynx": Structure(probability > 0.5, (0, 0, 0), probability)})
    after = tidy(organs, Rules())["Larynx"]

    assert after.offset == (1, 1, 1)  # with a pixel all round
    assert after.mask.shape == (3, 7, 8)
    assert after.probability is not None
    assert after.probability.dtype == precision
    assert np.array_equal(after.mask, after.probability > 0.5)
    # a filled hole is just above one half, the rest as it was
    hole = after.probability[:, 3:4, 3:5]
    assert (hole > 0.5).all()
    assert (hole < 0.501).all()
    assert (after.probability == 0.75).sum() == 3 * 5 * 6 - 3 * 2


def test_a_removed_piece_inside_the_kept_ones_box_is_at_one_half_at_most() -> None:
    corner = (slice(1, 4), slice(2, 10), slice(2, 3)), (slice(1, 4), slice(9, 10), slice(2, 12))
    probability = np.zeros(GRID.shape, dtype=np.float32)
    probability[organ(*corner)] = 0.9
    speck = (2, 4, 8)
    probability[speck] = 0.95
    after = tidy(StructureSet(GRID, {"Larynx": Structure(probability > 0.5, (0, 0, 0), probability)}), Rules())["Larynx"]

    assert after.probability is not None
    inside = tuple(at - start for at, start in zip(speck, after.offset, strict=True))
    assert after.probability[inside] == 0.5
    assert not after.mask[inside]


GRID = Geometry.regular((10, 12, 20), (2.5, 2.5, 2.5))


def likely(probability: float, *boxes: tuple[slice, slice, slice]) -> Structure:
    array = np.zeros(GRID.shape, dtype=np.float32)
    for box in boxes:
        array[box] = probability
    where = bounding_box(array > 0.5)
    assert where is not None
    return Structure(array[where] > 0.5, tuple(side.start for side in where), array[where])


def both_tidied(first: Structure, second: Structure) -> StructureSet:
    organs = tidy(StructureSet(GRID, {"Larynx": first, "Esophagus": second}), Rules())
    assert not (organs.mask("Larynx").array & organs.mask("Esophagus").array).any()
    return organs


@pytest.mark.parametrize(("first", "second", "columns"), [(0.9, 0.7, (9, 5)), (0.6, 0.8, (5, 9)), (0.7, 0.7, (9, 5))])
def test_a_voxel_of_two_organs_goes_to_the_likelier(first: float, second: float, columns: tuple[int, int]) -> None:
    # blocks of 4 slices x 6 rows, columns 3 to 11 and 8 to 16: the four in common go to the higher, or to the first if alike
    place = (slice(3, 7), slice(3, 9))
    organs = both_tidied(likely(first, (*place, slice(3, 12))), likely(second, (*place, slice(8, 17))))

    assert [int(organs[name].mask.sum()) for name in organs] == [24 * columns[0], 24 * columns[1]]


def test_an_organ_swallowed_by_a_likelier_one_is_empty() -> None:
    inner = (slice(3, 5), slice(4, 6), slice(4, 6))
    organs = both_tidied(likely(0.9, (slice(2, 6), slice(2, 8), slice(2, 8))), likely(0.8, inner))

    assert organs["Esophagus"] is EMPTY


def test_a_false_piece_takes_nothing_from_its_neighbour() -> None:
    # the larynx's second piece lies over the oesophagus and is likelier; it goes, and the oesophagus stays whole
    oesophagus = (slice(3, 7), slice(3, 9), slice(10, 16))
    larynx = likely(0.9, (slice(1, 9), slice(1, 11), slice(1, 7)), (slice(4, 6), slice(4, 6), slice(11, 13)))
    organs = both_tidied(larynx, likely(0.7, oesophagus))

    assert int(organs["Esophagus"].mask.sum()) == 4 * 6 * 6


def test_a_hole_that_another_organ_fills_stays_that_organs() -> None:
    ring = np.zeros(GRID.shape, dtype=np.float32)
    ring[3:7, 2:10, 2:10] = 0.9
    ring[3:7, 4:8, 4:8] = 0.1
    larynx = Structure(ring[3:7, 2:10, 2:10] > 0.5, (3, 2, 2), ring[3:7, 2:10, 2:10])
    organs = both_tidied(larynx, likely(0.8, (slice(3, 7), slice(4, 8), slice(4, 8))))

    assert [int(organs[name].mask.sum()) for name in organs] == [4 * (64 - 16), 4 * 16]
