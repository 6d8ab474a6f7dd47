"""What a translator learns from: blank outside of the body, each in its scale, no more of one side than of the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtseg.core import InputError
from rtseg.data import PackedCase, PackedMR
from rtseg.synthesis.scans import paired_scans, unpaired_scans

SHAPE = (4, 6, 6)


def case(name: str, *, with_mr: bool = True, pairing: str = "weak") -> PackedCase:
    """Water everywhere, a body in the middle of it, an MR that saw the lower half; one organ, known from slice 1."""
    body = np.zeros(SHAPE, dtype=bool)
    body[:, 1:5, 1:5] = True
    valid = np.zeros(SHAPE, dtype=bool)
    valid[:2] = True
    organs = np.zeros((1, *SHAPE), dtype=np.uint8)
    organs[0, 2, 2, 2] = 8
    packed = PackedCase(
        name, "train", np.zeros(SHAPE, np.int16), organs, np.array([True]), np.array([[1, 4]]), body, np.arange(4) * 2.5
    )
    if not with_mr:
        return packed
    mr = np.full(SHAPE, 255, np.uint8)
    return replace(packed, mr=mr, mr_valid=valid, mr_range=np.array([10.0, 110.0]), pairing=pairing)


def other(name: str = "m", low: float = 0.0) -> PackedMR:
    return PackedMR(name, "train", np.full(SHAPE, 51, np.uint8), np.array([low, 100.0]), np.arange(4) * 2.5)


def test_outside_of_the_body_nothing_is_seen():
    (ct,) = unpaired_scans([case("a", with_mr=False)], [other()]).cts
    assert ct.image.shape == (1, *SHAPE)
    assert ct.image[0, :, 1:5, 1:5].unique().numel() == 1
    assert (ct.image[0, :, 0] == -1).all()
    assert ct.heights_mm.tolist() == [0.0, 2.5, 5.0, 7.5]


def test_grey_levels_are_minus_one_to_one_and_the_scale_is_the_median_of_all():
    scans = unpaired_scans([case("a")], [other("m", 0.0), other("n", 4.0)])
    assert [mr.name for mr in scans.mrs] == ["m", "n", "a"]
    assert scans.mrs[0].image.mean() == pytest.approx(51 / 255 * 2 - 1)
    assert scans.scale.values == (4.0, 100.0)  # medians of 0, 4, 10 and of 100, 100, 110


def test_a_ct_shows_no_more_than_the_mr_of_its_patient():
    """A critic of unpaired images would learn the field of view."""
    (ct,) = unpaired_scans([case("a")], [other()]).cts
    assert (ct.image[0, 2:] == -1).all()
    assert (ct.image[0, :2, 1:5, 1:5] > -1).all()


def test_pairs_are_compared_inside_the_body_where_the_mr_was_measured():
    scans = paired_scans([case("a"), case("b", pairing="none")])
    assert [scan.name for scan in scans.cts] == [scan.name for scan in scans.mrs] == ["a"]
    assert scans.mrs[0].valid.sum() == 2 * 4 * 4
    assert (scans.cts[0].image[0, 3, 1:5, 1:5] > -1).all()


def test_labels_are_shares_and_where_they_are_known():
    (ct,) = unpaired_scans([case("a")], [other()], labelled=True).cts
    assert ct.labels.shape == (2, *SHAPE)
    assert ct.labels[0, 2, 2, 2] == 0.5
    assert ct.labels[1, :, 0, 0].tolist() == [0, 1, 1, 1]
    assert ct.labels.dtype == torch.float16


def test_what_is_missing_is_named():
    with pytest.raises(InputError, match=r"no CT to learn from"):
        unpaired_scans([], [other()])
    with pytest.raises(InputError, match=r"no MR to learn from.*data pack --mr"):
        unpaired_scans([case("a", with_mr=False)], [])
    with pytest.raises(InputError, match=r"1 cases have no MR of their own: b;"):
        paired_scans([case("a"), case("b", with_mr=False)])
    with pytest.raises(InputError, match="needs registered pairs"):
        paired_scans([case("a", pairing="none")])
