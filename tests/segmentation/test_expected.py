"""What training saw, and what differs from it: each finding has a case that raises it and one that does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtseg.core import EMPTY, Geometry, Structure, StructureSet
from rtseg.segmentation.expected import FEWEST, Expected, expected_of, unexpected

GRID = Geometry.regular((40, 50, 60), (4.0, 4.0, 4.0))
"""Axial, LPS: column k lies at x = 4 k mm, row j at y = 4 j, slice i at z = 4 i. A voxel is 0.064 ml."""

NAMES = ("Parotid_L", "Parotid_R", "Brainstem", "SpinalCord")


def cube(corner: tuple[int, int, int], size: int = 5) -> Structure:
    """5 x 5 x 5 voxels are 8 ml."""
    return Structure(np.ones((size, size, size), dtype=bool), corner)


def patient(**changed: Structure) -> StructureSet:
    """Parotids 120 mm apart, the left one to the left (larger x); the cord runs down to the first slice."""
    organs = {
        "Parotid_L": cube((20, 20, 45)),
        "Parotid_R": cube((20, 20, 15)),
        "Brainstem": cube((28, 24, 30)),
        "SpinalCord": Structure(np.ones((26, 3, 3), dtype=bool), (0, 28, 31)),
    }
    return StructureSet(GRID, organs | changed)


def expected(count: int = FEWEST) -> Expected:
    return expected_of([patient() for _ in range(count)], NAMES, ("SpinalCord",))


def kinds(organs: StructureSet, ranges: Expected | None = None) -> list[tuple[str, str | None]]:
    return [(f.kind, f.organ) for f in unexpected(organs, NAMES, expected() if ranges is None else ranges)]


def test_ranges_are_what_was_seen_and_a_little_more() -> None:
    # 8 ml in every patient, 25 % more and less; 30 columns of 4 mm apart, 15 mm more and less
    ranges = expected()

    assert ranges.volumes_ml["Parotid_L"] == (6.4, 10.0)
    assert ranges.offsets_mm["Parotid_L"]["Parotid_R"] == ((105.0, 135.0), (-15.0, 15.0), (-15.0, 15.0))


def test_an_open_ended_organ_is_placed_by_its_upper_end_and_has_no_volume_range() -> None:
    # the cord's slices above 100 - 10 mm are 23, 24 and 25: their middle is at 96 mm; the brainstem's middle is slice 30, 120 mm
    ranges = expected()

    assert "SpinalCord" not in ranges.volumes_ml
    assert ranges.offsets_mm["SpinalCord"]["Brainstem"][2] == (-39.0, -9.0)


def test_too_few_patients_give_no_range() -> None:
    assert expected(FEWEST - 1) == Expected(open_ended=("SpinalCord",))
    assert kinds(patient(Brainstem=cube((2, 2, 2))), Expected()) == []


def test_a_patient_like_those_of_training_is_not_worth_a_word() -> None:
    assert kinds(patient()) == []


@pytest.mark.parametrize("size", [3, 7])  # 1.7 and 22 ml
def test_a_volume_that_training_never_saw(size: int) -> None:
    (finding,) = unexpected(patient(Brainstem=cube((28, 24, 30), size)), NAMES, expected())

    assert (finding.kind, finding.organ, finding.value) == ("volume", "Brainstem", pytest.approx(size**3 * 0.064))
    assert finding.limit == (6.4 if size == 3 else 10.0)


def test_an_organ_cut_by_the_scan_has_no_volume_to_judge() -> None:
    top = Structure(np.ones((2, 5, 5), dtype=bool), (38, 24, 30))

    assert ("volume", "Brainstem") not in kinds(patient(Brainstem=top))


def test_an_organ_out_of_place_is_named_and_its_neighbours_are_not() -> None:
    # the brainstem 80 mm lower, beside the cord: seen from every other organ it is out of place
    assert kinds(patient(Brainstem=cube((8, 24, 30)))) == [("position", "Brainstem")]


def test_swapped_sides() -> None:
    swapped = patient(Parotid_L=cube((20, 20, 15)), Parotid_R=cube((20, 20, 45)))

    assert ("sides", "Parotid_L") in kinds(swapped)
    assert ("sides", "Parotid_L") not in kinds(patient())


def test_another_region_is_suspected_when_half_of_the_organs_are_odd() -> None:
    odd = patient(Brainstem=EMPTY, Parotid_L=EMPTY)

    assert kinds(odd) == [("wrong_region", None)]
    assert kinds(replace(odd, structures={**odd.structures, "Brainstem": patient()["Brainstem"]})) == []
