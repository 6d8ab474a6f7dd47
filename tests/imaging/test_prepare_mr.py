"""MRs as training sees them: on the working grid, blank outside of the body, left on the left; refused without a common frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phantoms import BALLS, BODY_AXES_MM, CENTRE, axial_geometry, centroid, sagittal_geometry, three_balls

from rtseg.core import Geometry, GeometryError, Mask, StructureSet, Volume
from rtseg.data import find_mrs
from rtseg.imaging import Preparation, prepare
from rtseg.imaging.landmarks import heights_of_ct
from rtseg.imaging.prepare_mr import beside_ct, prepare_mr

SPACING = (2.5, 4.0, 4.0)


def mr_of(geometry: Geometry) -> Volume:
    """An MR of the phantom: the body 100, its left ball 300, the others 40, air 0."""
    ct = three_balls(geometry)
    values = np.where(ct.ct.array > -500, 100, 0).astype(np.int16)
    for name in BALLS:
        values[ct.organs.mask(name).array] = 300 if name == "Parotid_L" else 40
    return Volume(values, geometry)


@pytest.mark.parametrize(
    "geometry", [axial_geometry(), axial_geometry("FFP"), sagittal_geometry()], ids=["HFS", "FFP", "sagittal"]
)
def test_left_stays_left_on_the_working_grid(geometry):
    ready = prepare_mr(mr_of(geometry), SPACING, None)
    grid = ready.image.geometry
    np.testing.assert_allclose(grid.direction, [[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    bright = Mask(ready.image.array > 0.5, grid)
    np.testing.assert_allclose(centroid(bright), BALLS["Parotid_L"].centre, atol=3.0)
    assert ready.heights_mm is None


def test_it_is_cropped_to_the_body_scaled_by_what_is_in_it_and_blank_outside():
    ready = prepare_mr(mr_of(axial_geometry()), SPACING, None)
    rows, columns = ready.image.array.shape[1:]
    assert rows == pytest.approx(2 * BODY_AXES_MM[1] / 4, abs=2)
    assert columns == pytest.approx(2 * BODY_AXES_MM[0] / 4, abs=2)
    assert ready.image.array[:, 0, 0].max() == -1.0
    assert ready.scale.values[1] == pytest.approx(300, rel=0.1)
    assert ready.image.array.max() == 1.0


def test_beside_its_ct_it_lies_on_the_ct_s_grid():
    """The MR's own grid is another, and it saw 30 mm of the body."""
    ready = prepare(three_balls(axial_geometry()).ct, Preparation(SPACING, (-1000.0, 2000.0), 8.0))
    small = axial_geometry(shape=(12, 60, 70), spacing_mm=(2.5, 1.7, 1.6))
    mr, valid, scale = beside_ct(mr_of(small), None, ready)
    assert mr.geometry.same_as(ready.volume.geometry)
    there = np.flatnonzero(valid.array.any(axis=(1, 2)))
    assert len(there) * 2.5 == pytest.approx(30.0, abs=2.6)
    assert (mr.array[~(valid.array & ready.body.array)] == -1).all()
    bright = Mask(mr.array > 0.5, mr.geometry)
    assert centroid(bright)[0] > CENTRE[0] + 20
    assert scale.values[0] < scale.values[1]


def test_where_the_mr_was_not_measured_is_left_out():
    ready = prepare(three_balls(axial_geometry()).ct, Preparation(SPACING, (-1000.0, 2000.0), 8.0))
    mr = mr_of(axial_geometry())
    left = np.ones(mr.array.shape, dtype=bool)
    left[:, :, : mr.array.shape[2] // 2] = False  # columns run to the left
    _, valid, _ = beside_ct(mr, Mask(left, mr.geometry), ready)
    assert centroid(valid)[0] > CENTRE[0] + 10


def test_without_a_common_frame_of_reference_they_are_refused():
    ready = prepare(three_balls(axial_geometry()).ct, Preparation(SPACING, (-1000.0, 2000.0), 8.0))
    mr = mr_of(axial_geometry())
    away = replace(mr.geometry, origin=mr.geometry.origin + 900)
    with pytest.raises(GeometryError, match=r"do not overlap in patient space.*Register the MR onto the CT"):
        beside_ct(Volume(mr.array, away), None, ready)


def test_a_drawn_jaw_is_believed():
    """The jaw's lowest voxel lies in slice 9 of slices 2.5 mm apart: the first slice is 22.5 mm lower."""
    phantom = three_balls(axial_geometry())
    ready = prepare(phantom.ct, Preparation((2.5, 4.0, 4.0), (-1000.0, 2000.0), 8.0))
    jaw = StructureSet(phantom.ct.geometry, {"Bone_Mandible": phantom.organs["Brainstem"]})
    lowest = np.flatnonzero(phantom.organs.mask("Brainstem").array.any(axis=(1, 2)))[0]
    heights = heights_of_ct("jaw", ready.volume, ready.body, jaw)
    assert heights[0] == pytest.approx(-2.5 * lowest, abs=1.3)
    assert np.isnan(heights_of_ct("jaw", ready.volume, ready.body)).all()


def test_real_heads_are_whole_and_stand_at_their_heights(test_data: Callable[[str], Path]) -> None:
    """The vertex lies 202 mm above the jaw in each, the README's figure; a head's box is 0.3 to 0.7 head."""
    files = find_mrs(test_data("ixi_head_t1"))
    assert {split: sum(mr.split == split for mr in files) for split in ("train", "validation")} == {"train": 74, "validation": 16}
    for mr in files[:3]:
        ready = prepare_mr(mr.read(), SPACING, "jaw")
        assert ready.heights_mm is not None
        assert ready.heights_mm[-1] == pytest.approx(202.0)
        assert -40 < ready.heights_mm[0] < 10
        assert 0.3 < (ready.image.array > -1).mean() < 0.7
