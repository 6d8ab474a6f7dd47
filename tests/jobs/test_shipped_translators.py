"""The translators that ship, on a real scan each: slabs leave no trace, left stays left, skin stays where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
from rtseg.systems import TranslatorBundle, load_translator, shipped_bundles
from rtseg.systems.bundle import TRANSLATOR
from rtseg.training import Compute

HEAD = ("openkbp_head_neck", "validation/pt_208/ct.nii.gz")
LIMB = ("sts_ct_mr", "cases/STS_030/ct.nii.gz")
MAN = ("pelvis_ct", "m_pelvicref002_whole.nii.gz")
CHEST = ("ct_other_sites", "chest_female_lidc_0314.nii.gz")
"""Not among those learnt from."""

SCANS = {"limb_t1": LIMB, "head_neck_smr": HEAD, "male_pelvis": MAN}
ANOTHER_PART = {"limb_t1": HEAD, "head_neck_smr": LIMB, "male_pelvis": CHEST}
VOXEL_MM = {"limb_t1": 1.953, "head_neck_smr": 4.0, "male_pelvis": 3.0}

LIKE_THE_TABLE = {"limb_t1": 0.7, "head_neck_smr": 0.3, "male_pelvis": 0.2}
"""A critic's idea of an MR goes further from the table than a mean over pairs; the pelvis's is steep where soft tissue is."""


@dataclass(frozen=True, eq=False)
class Tried:
    """A model and a scan that it was not trained on."""

    name: str
    model: TranslatorBundle
    scan: Prepared


@pytest.fixture(scope="module", params=SCANS)
def tried(request: pytest.FixtureRequest, test_data: Callable[[str], Path]) -> Tried:
    data, file = SCANS[request.param]
    model = load_translator(shipped_bundles()[request.param], Compute(torch.device("cpu"), torch.float32))
    return Tried(request.param, model, prepare(read_nifti(test_data(data) / file), model.task.preparation))


def test_every_translator_that_ships_is_tried() -> None:
    assert {name for name, folder in shipped_bundles().items() if (folder / TRANSLATOR).is_file()} == set(SCANS)


def test_where_slabs_begin_leaves_no_trace(tried: Tried) -> None:
    """At most a hundredth of the range, on average in the body: all slabs of a scan cut off at its lower end begin elsewhere.

    The half slab next to the cut is left out: an end is seen by the network, in a real scan too.
    """
    beyond = ((0, 2 * SLICES), (0, 0), (0, 0))
    image = ct_image(np.pad(tried.scan.volume.array, beyond, "reflect"), None)[None]
    body = torch.from_numpy(np.pad(tried.scan.body.array, beyond, "reflect"))
    cut = SLICES // 2
    whole, moved = (translated(seen, tried.model.translator, slab_voxels=0) for seen in (image, image[:, :, cut:]))
    change = (whole[:, :, cut:] - moved)[0, 0].abs()[cut:][body[2 * cut :]]
    assert change.mean() <= 0.01 * 2


def test_what_changes_on_the_left_changes_the_left(tried: Tried) -> None:
    """Columns run to the patient's left on the working grid. A part of the left half of the body becomes fat."""
    scan = tried.scan
    half = scan.body.array.shape[2] // 2
    hu = scan.volume.array.copy()
    level = hu.shape[0] // 2
    left = scan.body.array[level].copy()
    left[:, : half + 8] = False
    hu[level - 2 : level + 3, left] = -100.0
    change = synthesize(replace(scan, volume=replace(scan.volume, array=hu)), tried.model.translator).array
    change = np.abs(change - synthesize(scan, tried.model.translator).array)
    assert change[..., half:].sum() > 3 * change[..., :half].sum()  # a generator sees the other half too
    assert change.sum() > 0


def test_skin_stays_where_it_is(tried: Tried) -> None:
    shift = boundary_shift(tried.scan.volume, synthesize(tried.scan, tried.model.translator), BODY_HU)
    assert shift.mean_absolute_mm is not None
    assert shift.mean_absolute_mm < VOXEL_MM[tried.name]


def test_soft_tissue_and_bone_look_as_the_table_says(tried: Tried) -> None:
    table = tried.model.task.ct_to_mr
    assert table is not None
    smr, body = synthesize(tried.scan, tried.model.translator).array, tried.scan.body.array
    expected = np.interp(tried.scan.volume.array, table.hu, table.mr)
    assert np.corrcoef(smr[body], expected[body])[0, 1] > LIKE_THE_TABLE[tried.name]


def test_another_part_of_the_body_is_refused(tried: Tried, test_data: Callable[[str], Path]) -> None:
    data, file = ANOTHER_PART[tried.name]
    other = read_nifti(test_data(data) / file)
    with pytest.raises(Exception, match="--force"):
        where_trained(prepare(other, tried.model.task.preparation), tried.model.task.mr_region, force=False)
