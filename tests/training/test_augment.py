"""Patches: voxel-exact without augmentation, and with it image, organs and what is known stay together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from training.packed_phantom import BALLS, MIRRORED, ORGANS, packed_case

from rtseg.data.pack import SHARES, PackedCase
from rtseg.training import Augmentation, Batch, Sampling, cut, draw, resident
from rtseg.training.sampling import Draw

CPU = torch.device("cpu")
LEFT, RIGHT, STEM = range(3)
PATCH = (8, 12, 16)
NONE = Augmentation()


def patches(
    case: PackedCase,
    centre: tuple[float, float, float],
    augmentation: Augmentation = NONE,
    seed: int = 0,
    patch: tuple[int, int, int] = PATCH,
) -> Batch:
    return cut([resident(case, CPU)], [Draw(0, centre)], patch, augmentation, MIRRORED, np.random.default_rng(seed))


def unsided() -> PackedCase:
    """Parotid_R was not contoured; Brainstem is known in slices 7 to 15 only."""
    case = packed_case()
    organs, known = case.organs.copy(), case.known.copy()
    organs[RIGHT], known[STEM] = 0, (7, 16)
    return replace(case, organs=organs, contoured=np.array([True, False, True]), known=known)


def in_air(case: PackedCase) -> PackedCase:
    """The outer eight columns on either side are air."""
    ct = case.ct.copy()
    ct[..., :8] = ct[..., -8:] = -1000
    return replace(case, ct=ct)


def test_without_augmentation_a_patch_is_the_scan_voxel_by_voxel() -> None:
    case = unsided()
    # centred between voxels 5 and 13, 9 and 21, 7 and 23
    batch = patches(case, (9.0, 15.0, 15.0))
    box = (slice(5, 13), slice(9, 21), slice(7, 23))

    assert batch.hu.shape == (1, 1, *PATCH)
    torch.testing.assert_close(batch.hu[0, 0], torch.from_numpy(case.ct[box]).float(), atol=0.02, rtol=0)
    wanted = torch.from_numpy(case.organs[(slice(None), *box)]).float() / SHARES
    torch.testing.assert_close(batch.organs[0], wanted, atol=1e-4, rtol=0)
    assert batch.known[0, LEFT].all()
    assert not batch.known[0, RIGHT].any()
    # slices 5 and 6 lie below the first known one
    assert batch.known[0, STEM].flatten(1).all(1).tolist() == [False, False, *[True] * 6]


def test_a_patch_of_the_scans_size_is_the_whole_scan() -> None:
    case = packed_case()
    batch = patches(case, (12.0, 16.0, 16.0), patch=(24, 32, 32))

    torch.testing.assert_close(batch.hu[0, 0], torch.from_numpy(case.ct).float(), atol=0.02, rtol=0)


def test_beyond_the_scan_is_air_and_nothing_is_known() -> None:
    case = packed_case()
    batch = patches(case, (12.0, 16.0, 16.0), patch=(32, 32, 40))
    inside = torch.zeros(32, 32, 40, dtype=torch.bool)
    inside[4:28, :, 4:36] = True

    assert (batch.hu[0, 0][~inside] == -1000).all()
    assert torch.equal(batch.known[0], inside.expand(3, -1, -1, -1))
    assert (batch.organs[0][:, ~inside] == 0).all()
    torch.testing.assert_close(batch.hu[0, 0, 4:28, :, 4:36], torch.from_numpy(case.ct).float(), atol=0.02, rtol=0)


def test_a_mirror_swaps_left_and_right_organs_and_what_is_known_of_them() -> None:
    case = unsided()
    plain, flipped = (patches(case, (12.0, 16.0, 16.0), Augmentation(mirror=m), patch=(24, 32, 32)) for m in (0.0, 1.0))

    torch.testing.assert_close(flipped.hu, plain.hu.flip(-1), atol=0.02, rtol=0)
    torch.testing.assert_close(flipped.organs, plain.organs.flip(-1)[:, list(MIRRORED)], atol=1e-4, rtol=0)
    # Parotid_L was contoured, Parotid_R was not: in the mirror it is the other way round
    assert not flipped.known[0, LEFT].any()
    assert flipped.known[0, RIGHT].all()
    # the patient's left is where columns are high; what is now called Parotid_R lies on the right
    assert flipped.organs[0, RIGHT, :, :, :16].sum() > 100
    assert flipped.organs[0, RIGHT, :, :, 16:].sum() < flipped.organs[0, RIGHT, :, :, :16].sum() / 10


def test_contours_stay_on_their_organs_when_turned_and_scaled() -> None:
    case = packed_case()
    for seed in range(5):
        batch = patches(case, (12.0, 16.0, 16.0), Augmentation(turn_deg=40.0, scale=0.3, mirror=0.0), seed, (8, 12, 12))
        # everywhere in this patient: HU = sum of share * the organ's HU, and both are interpolated alike
        wanted = sum(batch.organs[0, n] * ball.hu for n, ball in enumerate(BALLS.values()))
        torch.testing.assert_close(batch.hu[0, 0], wanted, atol=0.05, rtol=0)


def test_shares_stay_between_none_and_all() -> None:
    for seed in range(5):
        batch = patches(packed_case(), (12.0, 16.0, 16.0), Augmentation(turn_deg=40.0, scale=0.3, mirror=0.5), seed, (24, 32, 32))
        assert batch.organs.min() >= 0
        assert batch.organs.max() <= 1 + 1e-5
        assert batch.known.dtype == torch.bool


def test_turning_keeps_an_organs_volume() -> None:
    case = packed_case()
    before = case.organs[STEM].sum() / SHARES
    for seed in range(4):
        after = patches(case, (12.0, 16.0, 16.0), Augmentation(turn_deg=30.0), seed, (40, 48, 48)).organs[0, STEM].sum()
        assert after == pytest.approx(before, rel=0.02)


def test_air_stays_air_and_the_body_changes() -> None:
    case = in_air(packed_case())
    batch = patches(case, (12.0, 16.0, 16.0), Augmentation(hu_shift=30.0, hu_scale=0.1, noise_hu=40.0), patch=(24, 32, 32))

    torch.testing.assert_close(batch.hu[..., :8], torch.full((1, 1, 24, 32, 8), -1000.0), atol=0.02, rtol=0)
    assert (batch.hu[0, 0, ..., 8:-8] - torch.from_numpy(case.ct[..., 8:-8])).abs().mean() > 5


def test_blur_is_in_plane_and_leaves_an_even_body_alone() -> None:
    case = packed_case()
    batch = patches(case, (12.0, 16.0, 16.0), Augmentation(blur=1.0), patch=(24, 32, 32))
    hu = case.ct.astype(np.float64)
    # one voxel inside the left parotid's border: half itself, half the mean of its 3 x 3 neighbours in its slice
    s, r, c = 14, 13, 17
    assert hu[s, r, c] != hu[s, r - 1 : r + 2, c - 1 : c + 2].mean()
    wanted = 0.5 * hu[s, r, c] + 0.5 * hu[s, r - 1 : r + 2, c - 1 : c + 2].mean()
    assert float(batch.hu[0, 0, s, r, c]) == pytest.approx(wanted, abs=0.05)
    assert float(batch.hu[0, 0, 2, 0, 0]) == pytest.approx(0, abs=0.02)


def test_same_seed_same_patch() -> None:
    strong = Augmentation(turn_deg=10.0, scale=0.1, mirror=0.5, hu_shift=10.0, hu_scale=0.02, noise_hu=10.0, blur=0.5)
    first, again, other = (patches(packed_case(), (12.0, 16.0, 16.0), strong, seed) for seed in (4, 4, 5))

    assert torch.equal(first.hu, again.hu)
    assert torch.equal(first.organs, again.organs)
    assert not torch.equal(first.hu, other.hu)


def test_patients_of_different_size_share_a_step() -> None:
    cases = [resident(packed_case((12, 20, 28)), CPU), resident(packed_case((24, 32, 32)), CPU)]
    random = np.random.default_rng(0)
    batch = cut(cases, draw(cases, Sampling(PATCH, batch=2), random), PATCH, NONE, MIRRORED, random)

    assert batch.hu.shape == (2, 1, *PATCH)
    assert batch.organs.shape == batch.known.shape == (2, len(ORGANS), *PATCH)


def pair(augmentation: Augmentation, seed: int = 0) -> Batch:
    """Whole-scan patches of two patients: one in air, one half as bright in air."""
    bright, dim = in_air(packed_case()), in_air(packed_case(shift=-0.1))
    residents = [resident(case, torch.device("cpu")) for case in (bright, dim)]
    draws = [Draw(0, (12.0, 16.0, 16.0)), Draw(1, (12.0, 16.0, 16.0))]
    return cut(residents, draws, (24, 32, 32), augmentation, MIRRORED, np.random.default_rng(seed))


def test_a_coarse_scan_keeps_its_mean_and_loses_detail() -> None:
    plain, coarse = pair(Augmentation()), pair(Augmentation(coarse=1.0))
    body = (slice(None), slice(None), slice(4, -4), slice(4, -4), slice(12, -12))

    assert coarse.hu[body].mean() == pytest.approx(float(plain.hu[body].mean()), abs=10)
    steps = [(batch.hu[body].diff(dim=-1) - 0).abs().max() for batch in (plain, coarse)]
    assert steps[1] < steps[0]
    assert torch.equal(coarse.organs, plain.organs)


def test_a_shell_lies_on_the_outer_skin_only() -> None:
    plain = pair(Augmentation())
    changed = torch.zeros_like(plain.hu, dtype=torch.bool)
    for seed in range(6):
        changed |= (pair(Augmentation(shell=1.0), seed).hu - plain.hu).abs() > 1

    assert changed.any()
    outside = plain.hu <= -999
    assert not (changed & ~outside).any()
    # within two voxels of the body, which spans the columns 8 to 24
    columns = changed.any(dim=(0, 1, 2, 3)).nonzero().flatten().tolist()
    assert set(columns) <= {6, 7, 24, 25}


def test_beyond_a_seam_are_the_next_patients_slices_and_nothing_is_known() -> None:
    plain = pair(Augmentation())
    seen = set()
    for seed in range(12):
        batch = pair(Augmentation(seam=1.0), seed)
        for mine, other in ((0, 1), (1, 0)):
            unknown = ~batch.known[mine].any(dim=(0, 2, 3))
            swapped = unknown.nonzero().flatten().tolist()
            assert 1 <= len(swapped) <= 8
            assert swapped in (list(range(len(swapped))), list(range(24 - len(swapped), 24)))
            seen.add(swapped[0] == 0)
            assert torch.equal(batch.hu[mine, :, unknown], plain.hu[other, :, unknown])
            assert torch.equal(batch.hu[mine, :, ~unknown], plain.hu[mine, :, ~unknown])
            assert not batch.organs[mine][:, unknown].any()
            assert torch.equal(batch.organs[mine][:, ~unknown], plain.organs[mine][:, ~unknown])
    assert seen == {True, False}


def test_one_patient_alone_has_no_seam() -> None:
    assert patches(packed_case(), (12.0, 16.0, 16.0), Augmentation(seam=1.0), patch=(24, 32, 32)).known.all()


def test_a_synthetic_mr_is_turned_and_mirrored_with_its_ct() -> None:
    """Its grey levels are those of the CT: after the turn, the scaling and the mirror they still are, up to one level of 255."""
    case = packed_case()
    grey = np.clip(case.ct // 4 + 50, 0, 255).astype(np.uint8)
    patient = resident(case, CPU, grey)
    how = Augmentation(turn_deg=20.0, scale=0.2, mirror=0.5)
    for seed in range(6):
        random = np.random.default_rng(seed)
        batch = cut([patient], [Draw(0, (12.0, 16.0, 16.0))], (12, 16, 16), how, MIRRORED, random)
        expected = (batch.hu.clamp(min=-200) / 4 + 50) / 127.5 - 1
        assert batch.smr.shape == batch.hu.shape
        assert (batch.smr - expected).abs().max() < 3 / 127.5


def test_without_a_synthetic_mr_there_is_none_and_beyond_the_scan_it_is_blank() -> None:
    case = packed_case()
    plain = patches(case, (12.0, 16.0, 16.0))
    assert plain.smr is None
    seen = resident(case, CPU, np.full(case.ct.shape, 255, np.uint8))
    beyond = cut([seen], [Draw(0, (26.0, 16.0, 16.0))], PATCH, NONE, MIRRORED, np.random.default_rng(0))
    # slices 22 to 30 of a scan of 24
    assert (beyond.smr[0, 0, :2] == 1).all()
    assert (beyond.smr[0, 0, 2:] == -1).all()


def doubtful(augmentation: Augmentation, seed: int = 0) -> tuple[Batch, Batch]:
    """Two patches with a synthetic MR of -0.2, columns of air at both sides, unchanged and changed."""
    case = in_air(packed_case())
    patient = resident(case, CPU, np.where(case.ct == -1000, 0, 102).astype(np.uint8))
    draws = [Draw(0, (12.0, 16.0, 16.0))] * 2
    here, there = (
        cut([patient], draws, (16, 24, 32), how, MIRRORED, np.random.default_rng(seed)) for how in (NONE, augmentation)
    )
    return here, there


@pytest.mark.parametrize("how", [Augmentation(mr_noise=0.2), Augmentation(mr_bias=0.4)])
def test_a_synthetic_mr_becomes_doubtful_in_the_body_alone_and_the_ct_stays(how: Augmentation) -> None:
    plain, changed = doubtful(how)
    air = plain.hu == -1000
    assert torch.equal(changed.hu, plain.hu)
    assert torch.equal(changed.organs, plain.organs)
    assert (changed.smr[air] == -1).all()
    moved = (changed.smr - plain.smr)[~air]
    assert 0.01 < moved.std() < max(how.mr_noise, how.mr_bias)
    assert changed.smr.abs().max() <= 1


def test_noise_differs_from_voxel_to_voxel_and_bias_does_not() -> None:
    def step(how: Augmentation) -> float:
        smr = doubtful(how)[1].smr[:, :, :, :, 9:23]
        return float((smr.diff(dim=3).abs().mean() / smr.std()).item())

    assert step(Augmentation(mr_noise=0.2)) > 0.5
    assert step(Augmentation(mr_bias=0.4)) < 0.4


def test_a_synthetic_mr_is_dropped_as_often_as_is_said() -> None:
    gone = [bool((part == -1).all()) for seed in range(60) for part in doubtful(Augmentation(mr_drop=0.3), seed)[1].smr]
    assert 0.15 < np.mean(gone) < 0.45


def test_what_is_done_to_a_synthetic_mr_leaves_the_cts_own_dice_as_they_fall() -> None:
    """Systems without these figures train as they did before there were any."""
    how = Augmentation(hu_shift=10.0, noise_hu=10.0)
    case = packed_case()
    seen = resident(case, CPU, np.full(case.ct.shape, 100, np.uint8))
    alone, both = (
        cut([one], [Draw(0, (12.0, 16.0, 16.0))], PATCH, how, MIRRORED, np.random.default_rng(3))
        for one in (resident(case, CPU), seen)
    )
    assert torch.equal(alone.hu, both.hu)
