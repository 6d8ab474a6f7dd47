"""The plumbing test's own honesty: cuts that hide where the tumour lies, and a predictor that sees nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from limb_gtv import COPIES, Nowhere, cut_anew, table_of, training

from rtseg.data import PackedCase
from rtseg.data.pack import SHARES

SPACING = (3.27, 1.953, 1.953)


def case(name: str, shape: tuple[int, int, int] = (44, 70, 70)) -> PackedCase:
    """A tumour 50 mm from every border; the CT tells its own indices."""
    organs = np.zeros((1, *shape), np.uint8)
    margin = [int(np.ceil(50 / spacing)) for spacing in SPACING]
    organs[0, margin[0] : -margin[0], margin[1] : -margin[1], margin[2] : -margin[2]] = SHARES
    ct = np.arange(np.prod(shape)).reshape(shape).astype(np.int16)
    body = np.ones(shape, bool)
    mr = (ct % 256).astype(np.uint8)
    return PackedCase(name, "train", ct, organs, np.array([True]), np.array([[0, shape[0]]]), body, mr=mr)


def test_a_cut_takes_up_to_40_mm_from_each_side_and_never_of_the_tumour() -> None:
    whole = case("a")
    cuts = [cut_anew(whole, SPACING, number) for number in range(60)]
    lost = [(np.array(whole.ct.shape) - one.ct.shape) * SPACING for one in cuts]
    assert np.max(lost) > 60
    assert np.max(lost) <= 80
    for one in cuts:
        assert one.organs.sum() == whole.organs.sum()
        assert one.organs.shape[1:] == one.ct.shape == one.mr.shape == one.body.shape
        assert np.array_equal(one.mr, (one.ct % 256).astype(np.uint8))
        assert one.known.tolist() == [[0, one.ct.shape[0]]]
    places = [np.argwhere(one.organs[0]).mean(axis=0) * SPACING for one in cuts]
    assert np.std(places, axis=0).min() > 8  # the picture no longer tells the place


def test_the_same_cut_is_made_again_and_another_patient_s_is_another() -> None:
    first, again, other = cut_anew(case("a"), SPACING, 1), cut_anew(case("a"), SPACING, 1), cut_anew(case("b"), SPACING, 1)
    assert np.array_equal(first.ct, again.ct)
    assert first.name == "a_1"
    assert first.ct.shape != other.ct.shape or not np.array_equal(first.ct, other.ct)


def test_without_an_image_an_uncut_tumour_is_found_and_a_cut_one_less() -> None:
    uncut = [case("a"), case("b")]
    cut = [cut_anew(one, SPACING, number) for one in uncut for number in range(COPIES)]
    knows = Nowhere(uncut)
    assert knows.score(uncut[0]) > 0.7
    assert np.mean([Nowhere(cut).score(one) for one in cut]) < knows.score(uncut[0])


def test_inputs_differ_in_what_is_seen_alone() -> None:
    ct, smr, both, real = (training(inputs, 100) for inputs in ("ct", "smr", "ct+smr", "mr"))
    assert [how.channels for how in (ct, smr, both, real)] == [2, 1, 3, 1]
    assert smr == real
    assert ct.schedule == both.schedule


def test_the_table_counts_patients_not_cuts() -> None:
    table = table_of({"ct": [1.0, 0.0, 0.5, 0.5]}, ["a", "a", "b", "b"]).splitlines()[-1]
    assert table.startswith("| ct | 0.50 ± 0.00 |")
    with pytest.raises(ValueError, match="zip"):
        table_of({"ct": [1.0]}, ["a", "b"])
