"""What is measured of limbs: known answers for known images, and who is in which split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from limb_cases import limb_case, rows
from limb_t1 import table_of
from synthetic_figures import EDGES, figures, look_up, mean_and_spread, moved, pair

from rtseg.core import Volume
from rtseg.data.pack import pack_case
from rtseg.systems import read_task

TASK = read_task("limb")


def test_pairs_are_split_by_person_and_the_misaligned_one_is_no_pair() -> None:
    """9 pairs to train on, 2 to choose by, 6 to be judged by; 39 people in all."""
    table = rows()
    assert len({row.person for row in table}) == len(table) == 39
    pairs = Counter(row.split for row in table if row.pairing == "weak")
    assert pairs == {"train": 9, "validation": 2, "test": 6}
    assert {row.split for row in table if row.pairing == "none"} == {"train"}
    assert [row.pairing for row in table if row.person == "STS_019"] == ["none"]


@pytest.fixture(scope="module")
def limb(test_data: Callable[[str], Path]):  # type: ignore[no-untyped-def]
    row = next(row for row in rows() if row.person == "STS_042")
    return limb_case(test_data("sts_ct_mr") / "cases" / "STS_042", row)


def test_a_limb_has_its_mr_and_where_it_was_measured(limb) -> None:  # type: ignore[no-untyped-def]
    assert limb.pairing == "weak"
    assert limb.contoured == ()
    assert limb.mr_valid.array.sum() == (limb.mr.array > 0).sum()


def test_the_real_mr_itself_is_without_error_and_a_voxel_off_is_not(limb) -> None:  # type: ignore[no-untyped-def]
    one = pair(limb, TASK.preparation)
    same = figures(one, one.mr.array * 2 - 1)
    assert same["mae"] == pytest.approx(0, abs=1e-6)
    assert same["ssim"] == pytest.approx(1, abs=1e-4)
    off = figures(one, moved(one))
    assert off["mae"] > 0.02
    assert off["ssim"] < same["ssim"]


def test_edges_of_a_ct_read_as_an_mr_lie_where_the_cts_do(limb) -> None:  # type: ignore[no-untyped-def]
    """Blanking outside of the body moves the skin by less than half a voxel, and bone hardly."""
    one = pair(limb, TASK.preparation)
    hu = one.ready.volume.array
    found = figures(one, (np.clip(hu, -1000, 1500) / 1250 - 0.2).astype(np.float32))
    assert found[EDGES[1]] < 0.3
    assert found[EDGES[0]] < 1.0
    grown = figures(one, np.roll((np.clip(hu, -1000, 1500) / 1250 - 0.2).astype(np.float32), 1, axis=1))
    assert grown[EDGES[1]] > 0.5  # a voxel of 1.95 mm, seen along all normals


def test_the_look_up_table_is_the_median_of_the_pairs(limb) -> None:  # type: ignore[no-untyped-def]
    """A patient whose MR is a function of the CT is looked up without error, but for the width of a range."""
    packed = pack_case(limb, "train", TASK.pack_plan)
    made = np.where(packed.ct > 0, 200, 100).astype(np.uint8)
    table = look_up([replace(packed, mr=made)])
    one = pair(limb, TASK.preparation)
    image = table(one.ready)
    fat, muscle = one.ready.volume.array == -92, one.ready.volume.array == 48
    assert np.median(image[fat]) == pytest.approx(100 / 127.5 - 1, abs=0.01)
    assert np.median(image[muscle]) == pytest.approx(200 / 127.5 - 1, abs=0.01)


def test_the_table_tells_mean_and_spread_of_each_way() -> None:
    names = ("mae", "psnr", "ssim", "pearson_r", *EDGES)
    rows = [{"way": "a", "patient": n, **dict.fromkeys(names, value)} for n, value in enumerate((1.0, 3.0))]
    assert table_of(rows).splitlines()[-1].startswith("| a | 2.000 ± 1.414 | 2.0 ± 1.4 |")
    assert mean_and_spread([None, 2.0], 1) == "2.0 ± 0.0"
    assert mean_and_spread([None], 1) == "-"


def test_a_volume_is_shown_between_0_and_1(limb) -> None:  # type: ignore[no-untyped-def]
    one = pair(limb, TASK.preparation)
    assert isinstance(one.mr, Volume)
    assert one.mr.array.min() >= 0
    assert one.mr.array.max() <= 1
