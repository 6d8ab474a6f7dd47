"""Synthetic MR of one patient or many: what it is compared with and where is told, nothing is dropped or resampled in silence."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from rtseg.core import ConfigError, Geometry, GeometryError, InputError, Mask, Volume
from rtseg.data import write_nifti
from rtseg.dicom import Patient, write_ct_series
from rtseg.jobs.evaluate_images import ImagesOrder, Scaling, evaluate_images

GRID = Geometry.regular((40, 56, 56), (2.5, 2.0, 2.0), (-55.0, -56.0, -49.0))


def head(inside: float, outside: float, bone: float, shift_mm: float = 0.0) -> Volume:
    """A ball of 40 mm with one of bone of 15 mm within, moved to the left."""
    away = np.linalg.norm(GRID.points(np.moveaxis(np.indices(GRID.shape), 0, -1)) - np.array([shift_mm, 0, 0]), axis=-1)

    def step(radius_mm: float) -> np.ndarray:
        return 1 / (1 + np.exp((away - radius_mm) / 0.8))

    return Volume((outside + (inside - outside) * step(40) + (bone - inside) * step(15)).astype(np.float32), GRID)


CT, REAL = head(40, -1000, 900), head(300, 2, 30)


def put(image: Volume | Mask, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_nifti(image, path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    synthetic = Volume(REAL.array + 10, GRID)
    images = {"ct": CT, "real": REAL, "synthetic": synthetic}
    return {name: put(image, tmp_path / f"{name}.nii.gz") for name, image in images.items()}


def test_one_patient_inside_the_body_of_its_ct(files):
    (score,) = evaluate_images(ImagesOrder(files["synthetic"], files["real"], ct=files["ct"])).scores
    assert score.mask == "body of the CT"
    assert score.figures["mae"] == pytest.approx(10, abs=1e-3)
    assert score.figures["data_range"] == pytest.approx(300 - 30, rel=0.01)  # air outside is not in it
    for name in ("body_shift_absolute_mm", "bone_shift_absolute_mm", "real_body_shift_absolute_mm"):
        assert score.figures[name] < 0.05


def test_the_whole_image_is_said_where_nothing_else_is_named(files):
    (score,) = evaluate_images(ImagesOrder(files["synthetic"], files["real"], data_range=255.0)).scores
    assert score.mask == "whole image"
    assert score.figures["psnr"] == pytest.approx(20 * np.log10(255 / 10))


def test_edges_alone_need_no_real_mr_and_tell_the_way_they_moved(tmp_path, files):
    moved = put(head(300, 2, 30, shift_mm=3), tmp_path / "moved.nii.gz")
    (score,) = evaluate_images(ImagesOrder(moved, ct=files["ct"])).scores
    assert "mae" not in score.figures
    assert score.figures["body_shift_left_mm"] == pytest.approx(3, abs=0.1)
    assert score.figures["bone_shift_left_mm"] == pytest.approx(3, abs=0.1)
    assert abs(score.figures["body_shift_signed_mm"]) < 0.1


def test_scaled_images_differ_by_no_offset(files):
    (score,) = evaluate_images(ImagesOrder(files["synthetic"], files["real"], scaling=Scaling.PERCENTILES)).scores
    assert score.figures["mae"] == pytest.approx(0, abs=1e-6)


def test_a_mask_is_kept_to(tmp_path, files):
    half = np.zeros(GRID.shape, dtype=np.bool_)
    half[:20] = True
    other = REAL.array.copy()
    other[20:] += 500
    synthetic = put(Volume(other, GRID), tmp_path / "half_wrong.nii.gz")
    mask = put(Mask(half, GRID), tmp_path / "half.nii.gz")
    (score,) = evaluate_images(ImagesOrder(synthetic, files["real"], mask=mask)).scores
    assert (score.figures["mae"], score.mask) == (0, "mask half.nii.gz")


def test_many_patients_meet_by_name_and_the_missing_and_broken_are_told(tmp_path):
    for n in range(1, 5):
        put(Volume(REAL.array + n, GRID), tmp_path / "smr" / f"p{n}" / "smr.nii.gz")
        if n < 4:
            put(REAL, tmp_path / "mr" / f"p{n}" / "mr.nii.gz")
            put(CT, tmp_path / "mr" / f"p{n}" / "ct.nii.gz")
    put(REAL, tmp_path / "mr" / "p9.nii.gz")
    (tmp_path / "smr" / "p2" / "smr.nii.gz").write_bytes(b"nothing")
    order = ImagesOrder(tmp_path / "smr", tmp_path / "mr", output=tmp_path / "figures.csv")
    found = evaluate_images(order)
    assert [(score.patient, score.error is None) for score in found.scores] == [("p1", True), ("p2", False), ("p3", True)]
    assert found.missing == {"synthetic": ("p9",), "real": ("p4",)}
    with (tmp_path / "figures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["mae"] for row in rows] == ["1.0", "", "3.0"]
    assert "smr.nii.gz" in rows[1]["error"]
    assert {row["scaling"] for row in rows} == {"none"}


def test_another_grid_is_refused_with_both_shown_and_resampled_on_request(tmp_path, files):
    coarse = Geometry.regular((20, 28, 28), (5.0, 4.0, 4.0), (-53.0, -54.0, -47.75))
    synthetic = put(Volume(np.full(coarse.shape, 7.0, np.float32), coarse), tmp_path / "coarse.nii.gz")
    with pytest.raises(GeometryError, match=r"20 x 28 x 28 voxels .*40 x 56 x 56 voxels .*--resample"):
        evaluate_images(ImagesOrder(synthetic, files["real"]))
    (score,) = evaluate_images(ImagesOrder(synthetic, files["real"], resample=True)).scores
    assert "where both images reach" in score.mask or score.mask == "whole image"
    assert score.figures["pearson_r"] is None


def test_a_ct_may_be_a_dicom_series(tmp_path, files):
    write_ct_series(Volume(np.rint(CT.array).astype(np.int16), GRID), tmp_path / "ct", Patient("A^B", "1"))
    (score,) = evaluate_images(ImagesOrder(files["synthetic"], ct=tmp_path / "ct")).scores
    assert score.figures["body_shift_absolute_mm"] < 0.05


def test_nothing_to_compare_with_is_said(tmp_path, files):
    with pytest.raises(ConfigError, match="--ct"):
        evaluate_images(ImagesOrder(files["synthetic"]))
    with pytest.raises(InputError, match="does not exist"):
        evaluate_images(ImagesOrder(tmp_path / "nowhere", files["real"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        evaluate_images(ImagesOrder(tmp_path / "empty", files["real"]))
    flat = put(Volume(np.zeros(GRID.shape, np.float32), GRID), tmp_path / "flat.nii.gz")
    with pytest.raises(InputError, match="one value"):
        evaluate_images(ImagesOrder(flat, files["real"], scaling=Scaling.PERCENTILES))
