"""From a CT to its synthetic MR on the disk: in the CT's frame of reference, left on the left, whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ball_bundle import ball_task, write_ball_bundle, write_smr_bundle
from contour_cases import ball_ct, balls, edit, slices
from phantoms import axial_geometry, centroid, sagittal_geometry
from torch import Tensor, nn

from rtseg.core import BundleError, ConfigError, InputError, Mask, OutputError
from rtseg.data import read_nifti, write_nifti
from rtseg.dicom import read_planning_ct
from rtseg.jobs.batch import run_batch
from rtseg.jobs.batch_order import BatchOrder
from rtseg.jobs.contour import contour_series
from rtseg.jobs.contour_order import ContourOrder
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.jobs.synthesize import SynthesizeOrder, synthesize_series
from rtseg.metrics import dsc
from rtseg.systems import TranslatorBundle, load_bundle, load_translator, write_card, write_yaml
from rtseg.training import Compute

CPU = Compute(torch.device("cpu"), torch.float32)
SQUARE = axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64))


class Same(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_smr_bundle(tmp_path_factory.mktemp("bundle") / "three_balls_smr")


@pytest.fixture(scope="module")
def model(folder: Path) -> TranslatorBundle:
    """A translator whose MR is the CT as the generator sees it: the densest ball is the brightest."""
    bundle = load_translator(folder, CPU)
    return replace(bundle, translator=replace(bundle.translator, net=Same()))


def run(order: SynthesizeOrder, model: TranslatorBundle):  # type: ignore[no-untyped-def]
    return synthesize_series(order, model, Stopwatch())


@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_the_series_lies_in_the_cts_frame_and_its_balls_on_their_sides(
    position: str, model: TranslatorBundle, tmp_path: Path
) -> None:
    geometry = axial_geometry(position, spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64))
    ball_ct(tmp_path / "ct", geometry, position)
    result = run(SynthesizeOrder(tmp_path / "ct", tmp_path / "mr"), model)
    ct = read_planning_ct(tmp_path / "ct")
    from pydicom import dcmread

    files = [dcmread(file) for file in slices(tmp_path / "mr")]
    assert len(files) == 34
    assert {file.Modality for file in files} == {"MR"}
    assert {file.FrameOfReferenceUID for file in files} == {ct.identity.frame_of_reference_uid}
    by_height = {tuple(float(x) for x in file.ImagePositionPatient): file.pixel_array for file in files}
    stack = np.stack([by_height[tuple(round(x, 3) for x in ct.volume.geometry.points([[i, 0, 0]])[0])] for i in range(34)])
    truth = balls(geometry).organs
    values = {name: float(stack[truth.mask(name).array].mean()) for name in truth}
    assert values["Parotid_L"] < values["Parotid_R"] < values["Brainstem"]  # 200, 700, 2200 HU
    bright = Mask(stack > (values["Parotid_R"] + values["Brainstem"]) / 2, ct.volume.geometry)
    agreement = dsc(replace(truth.mask("Brainstem"), geometry=ct.volume.geometry), bright)
    assert agreement is not None
    assert agreement > 0.8
    assert {finding.kind for finding in result.findings} <= {"not_head_first_supine"}
    assert set(result.as_dict()) >= {"model", "model_sha256", "findings", "seconds", "output"}


def test_a_nifti_ct_gives_nifti_in_mr_values_on_its_own_grid(model: TranslatorBundle, tmp_path: Path) -> None:
    """0 outside of the body, up to the 400 of the model's scale; the grid of a CT that is not axial."""
    phantom = balls(sagittal_geometry())
    write_nifti(phantom.ct, tmp_path / "ct.nii.gz")
    run(SynthesizeOrder(tmp_path / "ct.nii.gz", tmp_path / "mr.nii.gz"), model)
    mr = read_nifti(tmp_path / "mr.nii.gz")
    assert mr.geometry.same_as(read_nifti(tmp_path / "ct.nii.gz").geometry)
    assert mr.array.min() == pytest.approx(0.0, abs=1e-3)
    assert 300 < mr.array.max() <= 400.01
    brightest = Mask(mr.array > 380, mr.geometry)
    np.testing.assert_allclose(centroid(brightest), centroid(phantom.organs.mask("Brainstem")), atol=3.0)


def test_what_is_there_is_not_written_over_unasked(model: TranslatorBundle, tmp_path: Path) -> None:
    ball_ct(tmp_path / "ct", SQUARE)
    (tmp_path / "mr").mkdir()
    (tmp_path / "mr" / "mine").touch()
    with pytest.raises(OutputError, match="--overwrite"):
        run(SynthesizeOrder(tmp_path / "ct", tmp_path / "mr"), model)
    assert [path.name for path in (tmp_path / "mr").iterdir()] == ["mine"]


def test_a_nifti_ct_has_no_identity_for_a_series(model: TranslatorBundle, tmp_path: Path) -> None:
    write_nifti(balls(SQUARE).ct, tmp_path / "ct.nii.gz")
    with pytest.raises(ConfigError, match=r"has no DICOM identity: give a file name that ends in \.nii\.gz"):
        run(SynthesizeOrder(tmp_path / "ct.nii.gz", tmp_path / "mr"), model)


def test_values_that_are_not_hu_are_refused(model: TranslatorBundle, tmp_path: Path) -> None:
    ball_ct(tmp_path / "ct", SQUARE)
    for file in slices(tmp_path / "ct"):
        edit(file, RescaleIntercept="0")
    order = SynthesizeOrder(tmp_path / "ct", tmp_path / "mr")
    with pytest.raises(InputError, match=r"is made of HU; go on all the same with --force"):
        run(order, model)
    assert not (tmp_path / "mr").exists()


def test_another_site_is_refused_and_by_force_told(model: TranslatorBundle, tmp_path: Path) -> None:
    ball_ct(tmp_path / "ct", SQUARE)
    head = replace(model, task=ball_task().model_copy(update={"landmark": "jaw", "mr_from_mm": -20.0}))
    order = SynthesizeOrder(tmp_path / "ct", tmp_path / "mr")
    with pytest.raises(InputError, match="the jaw was not found"):
        run(order, head)
    assert not (tmp_path / "mr").exists()
    result = run(replace(order, force=True), head)
    assert [finding.kind for finding in result.findings] == ["synthetic_mr_guess"]


def test_a_model_without_a_part_says_what_it_is_for(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="model balls works on the CT alone: it makes no synthetic MR"):
        load_translator(write_ball_bundle(tmp_path / "balls"), CPU)


def test_a_model_that_contours_nothing_says_so_to_contour_and_batch(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "alone")
    (tmp_path / "alone" / "segmenter.safetensors").unlink()
    system = load_translator(folder, CPU).system.without_segmenter()
    write_yaml(system, tmp_path / "alone" / "system.yaml")
    write_card(tmp_path / "alone", "# alone\n")
    with pytest.raises(BundleError, match="makes a synthetic MR and contours nothing: use it with rtseg synthesize"):
        load_bundle(tmp_path / "alone", CPU)
    ball_ct(tmp_path / "cts" / "p1", SQUARE)
    with pytest.raises(BundleError, match="contours nothing"):
        run_batch(BatchOrder(tmp_path / "cts", tmp_path / "out", str(tmp_path / "alone")), lambda _: None, None)  # type: ignore[arg-type]


def test_contouring_keeps_the_synthetic_mr_and_its_contours_are_the_same(folder: Path, tmp_path: Path) -> None:
    """The segmenter of this model sees the CT alone: its organs are those of the model without a translator."""
    ball_ct(tmp_path / "ct", SQUARE)
    model = load_bundle(folder, CPU)
    order = ContourOrder(tmp_path / "ct", tmp_path / "rs.dcm", report=tmp_path / "report", write_smr=tmp_path / "mr")
    result = contour_series(order, model, Stopwatch())
    assert len(slices(tmp_path / "mr")) == 34
    assert result.synthetic_mr is not None
    assert (tmp_path / "report" / "report.html").read_text().count("synthetic MR, ") >= 3
    plain = load_bundle(write_ball_bundle(tmp_path / "balls"), CPU)
    other = contour_series(ContourOrder(tmp_path / "ct", tmp_path / "rs2.dcm"), plain, Stopwatch())
    for name in other.structures:
        np.testing.assert_array_equal(result.structures.mask(name).array, other.structures.mask(name).array)
    with pytest.raises(ConfigError, match="three_balls works on the CT alone"):
        contour_series(ContourOrder(tmp_path / "ct", tmp_path / "rs3.dcm", write_smr=tmp_path / "mr3"), plain, Stopwatch())
    assert not (tmp_path / "rs3.dcm").exists()


def test_an_altered_translator_is_refused(tmp_path: Path) -> None:
    bundle = write_smr_bundle(tmp_path / "model")
    raw = bytearray((bundle / "translator.safetensors").read_bytes())
    raw[-1] ^= 1
    (bundle / "translator.safetensors").write_bytes(raw)
    with pytest.raises(BundleError, match=r"translator\.safetensors is not the file that was bundled"):
        load_translator(bundle, CPU)
    (bundle / "scale.json").unlink()
    with pytest.raises(BundleError, match=r"scale\.json is missing|is not the file"):
        load_translator(bundle, CPU)
