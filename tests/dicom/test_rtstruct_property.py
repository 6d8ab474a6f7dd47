"""Mask -> contours -> file -> mask is exact under three families of filling that share nothing with ours, in every geometry."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Polygon
from rtstruct_cases import MAKER
from rtstruct_masks import PLACES, hard_masks, masks, place

from rtseg.core import Structure, StructureSet
from rtseg.dicom import Export, write_rtstruct
from rtseg.dicom.rtstruct_file import load_rtstruct

SHAPE = (6, 13, 14)


def by_even_odd(loop, shape):
    """The textbook's ray to the right from each pixel centre, point by point."""
    rows, columns = np.indices(shape)
    inside = np.zeros(shape, dtype=bool)
    for (r0, c0), (r1, c1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
        crosses = (r0 <= rows) != (r1 <= rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = c0 + (rows - r0) * (c1 - c0) / (r1 - r0)
        inside ^= crosses & (columns < at)
    return inside


def by_matplotlib(loop, shape):
    centres = np.stack(np.indices(shape), axis=-1).reshape(-1, 2)
    return Polygon(np.vstack([loop, loop[:1]]), closed=True).contains_points(centres).reshape(shape)


def by_rounding(loop, shape):
    """Points rounded to pixels, then filled with their border, as rt-utils and DicomRTTool do."""
    image = np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(image, [np.rint(loop[:, ::-1]).astype(np.int32)], 1)
    return image.astype(bool)


WAYS = {"even-odd": by_even_odd, "matplotlib": by_matplotlib, "rounding": by_rounding}


def filled(source, ct, way):
    """The masks of a structure set by one way of filling; loops of a slice are combined by XOR."""
    found = {}
    for roi in load_rtstruct(source).rois:
        mask = np.zeros(ct.geometry.shape, dtype=bool)
        for contour in roi.contours:
            index = ct.geometry.indices(contour.points())
            plane = int(np.rint(index[0, 0]))
            assert np.abs(index[:, 0] - plane).max() < 1e-3
            mask[plane] ^= WAYS[way](index[:, 1:], mask.shape[1:])
        found[roi.name] = mask
    return found


def must_be_exact(organs, ct, ways=tuple(WAYS)):
    buffer = io.BytesIO()
    write_rtstruct(organs, ct, buffer, Export(MAKER))
    for way in ways:
        found = filled(buffer, ct, way)
        assert list(found) == [name for name in organs if not organs[name].is_empty]
        for name, mask in found.items():
            assert np.array_equal(mask, organs.mask(name).array), f"{name} by {way}"


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    """The CTs, each made when it is asked for."""
    made = {}

    def find(name):
        if name not in made:
            made[name] = place(name, tmp_path_factory.mktemp(name.replace(" ", "_")), hard=True)
        return made[name]

    return find


@pytest.mark.parametrize("name", PLACES)
def test_organs_of_every_kind_are_exact_by_three_ways(at, name):
    where = at(name)
    assert len(where.organs) == len(masks(where.ct.geometry.shape)) + len(hard_masks(where.ct.geometry.shape))
    must_be_exact(where.organs, where.ct)


def random_is_exact(at, data, name):
    where = at(name)
    box = data.draw(arrays(np.bool_, (3, 9, 10), elements=st.booleans()))
    if not box.any():
        return
    organs = StructureSet(where.ct.geometry, {"Random": Structure(box, data.draw(st.sampled_from([(0, 0, 0), (5, 20, 30)])))})
    must_be_exact(organs, where.ct)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(PLACES)))
def test_random_masks_are_exact_by_three_ways(at, data, name):
    random_is_exact(at, data, name)


@pytest.mark.conformance
@settings(max_examples=1500, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(PLACES)))
def test_many_random_masks_are_exact_by_three_ways(at, data, name):
    random_is_exact(at, data, name)
