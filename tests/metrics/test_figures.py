"""All figures of one organ at once: the same as each alone, and what absent organs get."""

import numpy as np
import pytest
from phantoms import axial_geometry, three_balls, without_slices

from rtseg.core import Geometry, Mask
from rtseg.metrics import (
    HowMeasured,
    Outcome,
    SurfaceModel,
    dsc,
    dsc_in_reference_range,
    figures,
    hd95_in_reference_range_mm,
    hd95_mm,
)
from rtseg.metrics.definitions import definition

ORGANS = three_balls(without_slices(axial_geometry(), (12, 13))).organs


def moved(mask: Mask, slices: int, columns: int) -> Mask:
    return Mask(np.roll(mask.array, (slices, columns), axis=(0, 2)), mask.geometry)


REFERENCE = ORGANS.mask("Parotid_L")
PREDICTED = moved(REFERENCE, 2, -3)
EMPTY = Mask(np.zeros_like(REFERENCE.array), REFERENCE.geometry)


def test_each_figure_is_the_one_that_it_is_alone():
    """On the box around both nothing may change, over uneven slices either."""
    outcome, found = figures(REFERENCE, PREDICTED, HowMeasured(3.0, is_open_ended=True))
    assert outcome is Outcome.FOUND
    assert found["dsc"] == pytest.approx(dsc(REFERENCE, PREDICTED), abs=1e-12)
    assert found["hd95_mm"] == pytest.approx(hd95_mm(REFERENCE, PREDICTED), abs=1e-9)
    assert found["dsc_in_reference_range"] == pytest.approx(dsc_in_reference_range(REFERENCE, PREDICTED), abs=1e-12)
    assert found["hd95_in_reference_range_mm"] == pytest.approx(hd95_in_reference_range_mm(REFERENCE, PREDICTED), abs=1e-9)
    assert found["volume_ratio"] == pytest.approx(PREDICTED.volume_ml / REFERENCE.volume_ml)
    assert found["centroid_left_mm"] == pytest.approx(-6, abs=1e-6)  # three columns of 2 mm to the right
    assert {"nsd_3", "apl_2.2_mm"} <= set(found)


@pytest.mark.parametrize(
    ("pair", "outcome", "dice", "nsd"),
    [
        ((REFERENCE, EMPTY), Outcome.MISSED, 0.0, 0.0),
        ((EMPTY, PREDICTED), Outcome.FALSE_ORGAN, 0.0, None),
        ((EMPTY, EMPTY), Outcome.TRUE_ABSENCE, None, None),
    ],
)
def test_absent_organs_are_counted_and_have_no_distance(pair, outcome, dice, nsd):
    answer, found = figures(*pair, HowMeasured(is_open_ended=True))
    assert answer is outcome
    assert (found["dsc"], found["nsd_2"]) == (dice, nsd)
    blank = ("hd_mm", "hd95_mm", "hd95_pooled_mm", "assd_mm", "msd_mm", "rmsd_mm", "centroid_distance_mm")
    assert all(found[name] is None for name in (*blank, "hd95_in_reference_range_mm"))
    assert found["volume_predicted_ml"] == pair[1].volume_ml


def test_volumes_by_hand():
    """Boxes of 4 x 5 x 6 and 4 x 5 x 9 voxels of 3 x 2 x 1 mm: 0.72 and 1.08 ml."""
    grid = Geometry.regular((8, 10, 12), (3.0, 2.0, 1.0))
    one, other = (np.zeros(grid.shape, dtype=np.bool_) for _ in range(2))
    one[2:6, 2:7, 1:7], other[2:6, 2:7, 1:10] = True, True
    found = figures(Mask(one, grid), Mask(other, grid))[1]
    volumes = [found[f"volume_{name}"] for name in ("reference_ml", "predicted_ml", "difference_ml", "ratio")]
    assert volumes == pytest.approx([0.72, 1.08, 0.36, 1.5])


def test_every_figure_has_its_definition_and_a_name_that_means_nothing_has_none():
    for model in SurfaceModel:
        for name in figures(REFERENCE, PREDICTED, HowMeasured(2.5, 3.25, is_open_ended=True, model=model))[1]:
            assert len(definition(name)) > 10
    assert "2.5 mm" in definition("nsd_2.5")
    assert "3.25 mm" in definition("apl_3.25_mm")
    with pytest.raises(KeyError):
        definition("nsd_fast")


def test_names_are_the_same_whatever_comes_out():
    names = [list(figures(*pair)[1]) for pair in ((REFERENCE, PREDICTED), (REFERENCE, EMPTY), (EMPTY, EMPTY))]
    assert names[0] == names[1] == names[2]
