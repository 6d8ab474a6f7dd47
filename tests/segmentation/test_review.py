"""Findings about contours: each has a case that raises it and one that does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rtseg.core import Finding, Geometry, Mask, Structure, StructureSet, Volume
from rtseg.imaging import Prepared, Probabilities
from rtseg.segmentation.confidence import Calibration, confidence
from rtseg.segmentation.expected import Expected
from rtseg.segmentation.review import Limits, review
from rtseg.segmentation.tidy import Rules, tidy

GRID = Geometry.regular((10, 20, 20), (5.0, 2.0, 2.0))
"""A voxel is 0.02 ml."""

MIDDLE = (slice(3, 7), slice(5, 10), slice(5, 10))
"""100 voxels, 2 ml."""


def seen(*boxes: tuple[slice, slice, slice]) -> NDArray[np.float32]:
    array = np.zeros(GRID.shape, dtype=np.float32)
    for box in boxes:
        array[box] = 0.9
    return array


def ready(body: tuple[slice, ...] = (slice(None),), foreign: tuple[slice, ...] | None = None, grid: Geometry = GRID) -> Prepared:
    """A CT whose body fills a part of the grid (all of it), with couch or shell in another part (none)."""
    inside, strange = np.zeros(grid.shape, dtype=bool), np.zeros(grid.shape, dtype=bool)
    inside[body] = True
    if foreign is not None:
        strange[foreign] = True
    return Prepared(Volume(np.zeros(grid.shape), grid), Mask(inside & ~strange, grid), grid, Mask(strange, grid))


def reviewed(organs: StructureSet, seen: Probabilities, limits: Limits, on: Prepared | None = None) -> tuple[Finding, ...]:
    sure = confidence(organs, seen, limits.calibration)
    return review(organs, seen, on or ready(grid=organs.geometry), sure, limits)


def findings(array: NDArray[np.float32], limits: Limits | None = None, on: Prepared | None = None) -> tuple[Finding, ...]:
    organs = StructureSet(GRID, {"Larynx": Structure.from_full(array > 0.5)})
    return reviewed(tidy(organs, Rules()), Probabilities(("Larynx",), array[None], GRID), limits or Limits(piece_ml=0.3), on)


def kinds(array: NDArray[np.float32], limits: Limits | None = None) -> list[str]:
    return [finding.kind for finding in findings(array, limits)]


def test_an_organ_in_one_piece_in_the_middle_is_not_worth_a_word() -> None:
    assert findings(seen(MIDDLE)) == ()


def test_an_organ_that_was_not_found_is_missing() -> None:
    (finding,) = findings(seen())

    assert (finding.kind, finding.organ) == ("missing", "Larynx")
    assert finding.words == "Larynx was not found on this scan."


def test_an_organ_on_the_first_or_last_slice_may_be_cut() -> None:
    for slices in (slice(0, 4), slice(6, 10)):
        (finding,) = findings(seen((slices, *MIDDLE[1:])))
        assert finding.kind == "scan_edge"
        assert "the first or last slice" in finding.words
    assert kinds(seen((slice(1, 9), *MIDDLE[1:]))) == []


def test_an_open_ended_organ_leaves_the_scan_below_without_a_word() -> None:
    open_below = Limits(expected=Expected(open_ended=("Larynx",)))

    assert kinds(seen((slice(0, 4), *MIDDLE[1:])), open_below) == []
    assert kinds(seen((slice(6, 10), *MIDDLE[1:])), open_below) == ["scan_edge"]


def test_an_organ_at_the_border_of_the_image_may_be_cut() -> None:
    for box in ((slice(3, 7), slice(0, 5), slice(5, 10)), (slice(3, 7), slice(5, 10), slice(15, 20))):
        (finding,) = findings(seen(box))
        assert finding.kind == "scan_edge"
        assert "the border of the image" in finding.words
    assert kinds(seen((slice(3, 7), slice(1, 5), slice(15, 19)))) == []


def test_a_second_piece_is_told_with_its_volume() -> None:
    # 4 x 4 x 2 voxels of 0.02 ml
    (finding,) = findings(seen(MIDDLE, (slice(3, 7), slice(14, 18), slice(14, 16))))

    assert (finding.kind, finding.organ, finding.value, finding.limit) == ("pieces", "Larynx", 2, 1)
    assert "the largest was kept, 0.6 ml (on the model's grid) left out" in finding.words


def test_a_speck_is_not_worth_a_word_unless_the_limit_says_so() -> None:
    # 14 voxels, 0.28 ml
    array = seen(MIDDLE, (slice(5, 6), slice(13, 15), slice(12, 19)))

    assert kinds(array) == []
    assert kinds(array, Limits(piece_ml=0.25)) == ["pieces"]


def test_uneven_slices_weigh_as_thick_as_they_are() -> None:
    # slices at 0, 1, 2 and 32 mm: the last is 30 mm thick, 0.03 ml a voxel of 1 x 1 mm; 12 voxels are 0.36 ml
    grid = Geometry((4, 8, 8), (1.0, 1.0), np.array([0.0, 1.0, 2.0, 32.0]), np.zeros(3), np.eye(3)[::-1])
    array = np.zeros(grid.shape, dtype=np.float32)
    array[0:2, 1:7, 1:7] = array[3, 2:5, 2:6] = 0.9
    organs = StructureSet(grid, {"Larynx": Structure.from_full(array > 0.5)})
    found = reviewed(organs, Probabilities(("Larynx",), array[None], grid), Limits(piece_ml=0.05))

    # the thin piece: 2 slices of 1 mm, 36 voxels each, 0.072 ml
    (pieces,) = [finding for finding in found if finding.kind == "pieces"]
    assert "0.1 ml (on the model's grid) left out" in pieces.words


def test_every_organ_is_reviewed_under_its_own_name() -> None:
    array = np.stack([seen(MIDDLE), seen(), seen((slice(0, 4), *MIDDLE[1:]))])
    names = ("Brainstem", "Larynx", "SpinalCord")
    organs = StructureSet(GRID, {name: Structure.from_full(a > 0.5) for name, a in zip(names, array, strict=True)})
    found = reviewed(organs, Probabilities(names, array, GRID), Limits())

    assert [(finding.organ, finding.kind) for finding in found] == [("Larynx", "missing"), ("SpinalCord", "scan_edge")]


def test_an_organ_with_couch_or_shell_in_it() -> None:
    # a plate over two of the organ's five rows: 4 x 2 x 5 voxels of 0.02 ml
    (finding,) = findings(seen(MIDDLE), on=ready(foreign=(slice(None), slice(8, 12))))

    assert (finding.kind, finding.organ, finding.limit) == ("foreign_matter", "Larynx", 0.5)
    assert finding.value == pytest.approx(0.8)
    assert finding.words == "Larynx holds 0.8 ml of what was taken for couch, mask or head-rest."


def test_a_shell_beside_an_organ_or_a_speck_of_it_inside_is_not_worth_a_word() -> None:
    # one of the five rows: 0.4 ml
    assert findings(seen(MIDDLE), on=ready(foreign=(slice(None), slice(9, 12)))) == ()
    assert findings(seen(MIDDLE), on=ready(foreign=(slice(None), slice(10, 14)))) == ()


def test_a_piece_that_was_not_kept_may_lie_in_the_couch() -> None:
    array = seen(MIDDLE, (slice(3, 7), slice(14, 18), slice(14, 16)))

    assert [finding.kind for finding in findings(array, on=ready(foreign=(slice(None), slice(14, 20))))] == ["pieces"]


def test_an_organ_that_reaches_outside_the_body() -> None:
    # the body ends before the organ's last three rows, of which the one at the skin does not count: 4 x 2 x 5 voxels
    (finding,) = findings(seen(MIDDLE), on=ready(body=(slice(None), slice(0, 7))))

    assert (finding.kind, finding.organ) == ("outside_body", "Larynx")
    assert (finding.value, finding.limit) == (pytest.approx(0.8), pytest.approx(0.2))
    assert finding.words.startswith("Larynx lies outside the body with 0.8 of 2.0 ml")


def test_a_contour_round_the_skins_voxels_is_not_worth_a_word() -> None:
    assert findings(seen(MIDDLE), on=ready(body=(slice(None), slice(0, 9)))) == ()


LINE = Calibration((0.8, 0.9), (0.5, 0.9), error=0.05, margin=0.1, limit=0.6, patients=25)
"""The larynx of ``seen`` has p = 0.9: soft Dice 2 * 0.9 / (0.9 + 1) = 0.947, so a DSC of 0.9 is predicted, 0.8 at least."""


def test_an_organ_whose_predicted_dsc_may_be_under_its_limit() -> None:
    limits = Limits(calibration={"Larynx": replace(LINE, limit=0.85)})
    (finding,) = findings(seen(MIDDLE), limits)

    assert (finding.kind, finding.organ, finding.limit) == ("low_confidence", "Larynx", 0.85)
    assert finding.value == pytest.approx(0.8)
    assert finding.words == (
        "Larynx: predicted DSC 0.90 (at least 0.80 in 9 of 10 patients); under 0.85 a contour is redrawn, not corrected."
    )


def test_less_sure_than_ever_has_no_lower_bound() -> None:
    # p = 0.6: soft Dice 1.2 / 1.6 = 0.75; the line from (0, 0) to (0.8, 0.5) is at 0.469 there
    (finding,) = findings(np.float32(0.6 / 0.9) * seen(MIDDLE), Limits(calibration={"Larynx": LINE}))

    assert (finding.kind, finding.value) == ("low_confidence", 0.0)
    assert "predicted DSC 0.47 (no lower bound: soft Dice 0.75, never under 0.80 when the model was judged)" in finding.words


def test_an_organ_sure_enough_or_without_calibration_is_not_worth_a_word() -> None:
    assert findings(seen(MIDDLE), Limits(calibration={"Larynx": LINE})) == ()
    assert findings(seen(MIDDLE), Limits(calibration={"Brainstem": replace(LINE, limit=1.0)})) == ()


def test_an_organ_that_was_not_found_is_missing_and_no_more() -> None:
    assert kinds(seen(), Limits(calibration={"Larynx": replace(LINE, limit=1.0)})) == ["missing"]


def test_pieces_that_an_organ_has_are_not_worth_a_word() -> None:
    """Vesicles lie on both sides: two are kept and nothing is said, a third is told."""
    one, two, three = ((slice(4, 6), slice(4, 8), slice(a, a + 4)) for a in (2, 8, 14))
    for places, told in (((one, two), []), ((one, two, three), [("pieces", 3, 2)])):
        array = seen(*places)
        organs = StructureSet(GRID, {"Larynx": Structure.from_full(array > 0.5)})
        both, limits = Rules(pieces_of={"Larynx": 2}), Limits(piece_ml=0.0)
        said = review(tidy(organs, both), Probabilities(("Larynx",), array[None], GRID), ready(), {}, limits, both)
        assert [(finding.kind, finding.value, finding.limit) for finding in said] == told
