"""The translators that ship, on a real limb: slabs leave no trace, left stays left, edges stay where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rtseg.data import read_nifti
from rtseg.imaging import Prepared, prepare
from rtseg.metrics import boundary_shift
from rtseg.metrics.boundary_shift import BODY_HU
from rtseg.synthesis.inference import SLICES, synthesize, translated
from rtseg.synthesis.review import where_trained
from rtseg.synthesis.scans import ct_image
from rtseg.systems import TranslatorBundle, load_translator, read_task, shipped_bundles
from rtseg.training import Compute

MODEL = "limb_t1"

pytestmark = pytest.mark.skipif(MODEL not in shipped_bundles(), reason=f"the model {MODEL} is not there")


@pytest.fixture(scope="module")
def model() -> TranslatorBundle:
    return load_translator(shipped_bundles()[MODEL], Compute(torch.device("cpu"), torch.float32))


@pytest.fixture(scope="module")
def limb(test_data: Callable[[str], Path]) -> Prepared:
    """STS_030: an arm or leg of 77 to 91 mm, not among those learnt from."""
    ct = read_nifti(test_data("sts_ct_mr") / "cases" / "STS_030" / "ct.nii.gz")
    return prepare(ct, read_task("limb").preparation)


def test_where_slabs_begin_leaves_no_trace(model: TranslatorBundle, limb: Prepared) -> None:
    """At most a hundredth of the range, on average in the body: all slabs of a scan cut off at its lower end begin elsewhere.

    The half slab next to the cut is left out: an end is seen by the network, in a real scan too.
    """
    image = ct_image(np.pad(limb.volume.array, ((0, 2 * SLICES), (0, 0), (0, 0)), "reflect"), None)[None]
    body = torch.from_numpy(np.pad(limb.body.array, ((0, 2 * SLICES), (0, 0), (0, 0)), "reflect"))
    cut = SLICES // 2
    whole, moved = translated(image, model.translator), translated(image[:, :, cut:], model.translator)
    change = (whole[:, :, cut:] - moved)[0, 0].abs()[cut:][body[2 * cut :]]
    assert change.mean() <= 0.01 * 2


def test_it_looks_as_the_table_says_and_not_as_its_mirror_image(model: TranslatorBundle, limb: Prepared) -> None:
    table = read_task("limb").ct_to_mr
    assert table is not None
    smr, body = synthesize(limb, model.translator).array, limb.body.array
    expected = np.where(body, np.interp(limb.volume.array, table.hu, table.mr), -1.0)
    right = np.corrcoef(smr[body], expected[body])[0, 1]
    mirrored = np.corrcoef(smr[body], expected[..., ::-1][body])[0, 1]
    assert right > 0.7
    assert right > mirrored + 0.3


def test_skin_stays_where_it_is(model: TranslatorBundle, limb: Prepared) -> None:
    """Within a voxel of 1.95 mm."""
    shift = boundary_shift(limb.volume, synthesize(limb, model.translator), BODY_HU)
    assert shift.mean_absolute_mm is not None
    assert shift.mean_absolute_mm < 1.95


def test_a_head_is_refused(model: TranslatorBundle, test_data: Callable[[str], Path]) -> None:
    head = read_nifti(test_data("openkbp_head_neck") / "validation" / "pt_208" / "ct.nii.gz")
    with pytest.raises(Exception, match="--force"):
        where_trained(prepare(head, model.task.preparation), model.task.mr_region, force=False)
