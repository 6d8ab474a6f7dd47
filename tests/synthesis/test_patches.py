"""Patches of both sides: from the same height, from the seed alone, filled up beyond an image's edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtseg.synthesis.patches import OUTSIDE, Patches, Scan, can_be_drawn, draw_pair


def scan(name: str, slices: int, lowest_mm: float | None, size: tuple[int, int] = (10, 12)) -> Scan:
    """Each voxel holds its slice's number, over 100."""
    image = (torch.arange(slices) / 100).view(1, slices, 1, 1).expand(1, slices, *size).clone()
    heights = None if lowest_mm is None else lowest_mm + 2.5 * np.arange(slices)
    return Scan(name, image, heights)


HOW = Patches((4, 8, 8), batch=3)


def test_the_same_step_draws_the_same_patches():
    cts, mrs = [scan("a", 30, -50), scan("b", 20, -20)], [scan("m", 40, 0)]
    first, again = (draw_pair(cts, mrs, HOW, np.random.default_rng((7, 3))) for _ in range(2))
    assert torch.equal(first.ct, again.ct)
    assert torch.equal(first.mr, again.mr)
    assert first.ct.shape == first.mr.shape == (3, 1, 4, 8, 8)
    assert not torch.equal(first.ct, draw_pair(cts, mrs, HOW, np.random.default_rng((7, 4))).ct)


def test_no_ct_patch_begins_lower_than_the_mrs_go_and_the_mr_patch_stands_as_high():
    """The CT begins 100 mm below the landmark, slice 32 is the first at -20 mm; the MR begins at -20 mm with slice 0."""
    cts, mrs = [scan("ct", 60, -100)], [scan("mr", 60, -20)]
    firsts = []
    for number in range(60):
        pair = draw_pair(cts, mrs, Patches((4, 8, 8)), np.random.default_rng(number))
        ct, mr = (round(100 * image[0, 0, 0, 4, 4].item()) for image in (pair.ct, pair.mr))
        assert mr == ct - 32
        firsts.append(ct)
    assert (min(firsts), max(firsts)) == (32, 56)


def test_an_mr_that_does_not_go_as_high_gives_its_nearest():
    pair = draw_pair([scan("ct", 60, 0)], [scan("mr", 10, 0)], HOW, np.random.default_rng(0))
    assert (100 * pair.mr[:, 0, 0, 4, 4]).max() <= 6


def test_a_scan_of_shoulders_only_cannot_be_drawn_from():
    assert not can_be_drawn(scan("low", 20, -100), HOW)
    assert can_be_drawn(scan("high", 20, -30), HOW)
    assert can_be_drawn(scan("any", 20, None), HOW)


def test_an_image_smaller_than_a_patch_is_filled_up():
    pair = draw_pair([scan("ct", 2, None, (4, 4))], [scan("mr", 30, None)], HOW, np.random.default_rng(0))
    assert pair.ct.shape == (3, 1, 4, 8, 8)
    assert (pair.ct == OUTSIDE).sum() == 3 * (4 * 8 * 8 - 2 * 4 * 4)


def test_paired_patches_are_of_one_patient_and_place_with_where_it_was_measured():
    torch.manual_seed(0)
    images = [torch.rand(1, 12, 14, 16) for _ in range(3)]
    valid = [(image > 0.3).float() for image in images]
    cts = [Scan(str(n), image) for n, image in enumerate(images)]
    mrs = [Scan(str(n), -image, valid=there) for n, (image, there) in enumerate(zip(images, valid, strict=True))]
    pair = draw_pair(cts, mrs, Patches((4, 8, 8), batch=4, paired=True), np.random.default_rng(1))
    assert torch.equal(pair.mr, -pair.ct)
    assert torch.equal(pair.mask, (pair.ct > 0.3).float())
    assert len({patch.sum().item() for patch in pair.ct}) > 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_patches_reach_every_border(axis):
    image = torch.arange(20).view([20 if a == axis else 1 for a in (-1, 0, 1, 2)]).expand(1, 20, 20, 20).float() / 20
    seen = [draw_pair([Scan("ct", image)], [Scan("mr", image)], HOW, np.random.default_rng(n)).ct for n in range(80)]
    values = torch.cat(seen)
    assert values.min() == 0
    assert values.max() == pytest.approx(19 / 20)


def test_unpaired_patches_are_never_of_one_person():
    """Where people have both, an unpaired step sees the CT of one and the MR of another."""
    cts, mrs = [scan("a", 30, None), scan("b", 30, None)], [scan("a", 30, None), scan("b", 30, None)]
    for ct, value in zip(cts, (0.2, 0.7), strict=True):
        ct.image.fill_(value)
    for mr, value in zip(mrs, (0.2, 0.7), strict=True):
        mr.image.fill_(value)
    pair = draw_pair(cts, mrs, Patches((4, 8, 8), batch=40), np.random.default_rng(0))
    assert (pair.ct[:, 0, 0, 4, 4] != pair.mr[:, 0, 0, 4, 4]).all()


def test_in_plane_a_patch_stays_with_the_body():
    """A head of 6 x 6 voxels in a picture that is wide enough for shoulders: every patch of 8 x 8 shows all of it."""
    wide = scan("ct", 8, None, (30, 40))
    wide.image[:] = OUTSIDE
    wide.image[:, :, 11:17, 20:26] = 0.5
    pair = draw_pair([wide], [scan("mr", 8, None)], Patches((4, 8, 8), batch=20), np.random.default_rng(0))
    assert ((pair.ct > OUTSIDE).sum(dim=(1, 2, 3, 4)) == 4 * 6 * 6).all()


def test_in_a_mirror_labels_go_along_and_sides_change_places():
    """The organ of label 0 is bright and on the low columns; in a mirror it is on the high ones, and is label 1."""
    ct = scan("ct", 4, None, (8, 8))
    ct.image[:] = 0.0
    ct.image[..., :2] = 1.0
    shares = torch.zeros(2, 4, 8, 8)
    shares[0, ..., :2] = 1
    labelled = replace(ct, labels=torch.cat([shares, torch.ones(2, 4, 8, 8)]))
    how = Patches((4, 8, 8), batch=20, mirror=True, mirrored=(1, 0))
    pair = draw_pair([labelled], [scan("mr", 4, None)], how, np.random.default_rng(0))
    is_mirrored = pair.ct[:, 0, 0, 4, -1] == 1
    assert 0 < is_mirrored.sum() < 20
    for patch, labels, turned in zip(pair.ct, pair.labels, is_mirrored, strict=True):
        assert torch.equal(labels[int(turned)], (patch[0] == 1).float())
        assert labels[1 - int(turned)].sum() == 0
        assert labels[2:].min() == 1
