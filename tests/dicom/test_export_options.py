"""What a user may ask of the writer: contours within voxels, fewer points, no islands, a clinic's names; all or nothing."""

import io
import pickle
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from phantoms import axial_geometry
from pydicom import dcmread
from rtstruct_cases import GEOMETRIES, MAKER, case

from rtseg.core import ConfigError, Geometry, OutputError, Structure, StructureSet, Volume
from rtseg.dicom import CtGrid, Patient, read_ct_grid, read_rtstruct, write_ct_series
from rtseg.dicom.export import Export, WrittenRoi
from rtseg.dicom.rtstruct_file import load_rtstruct
from rtseg.dicom.rtstruct_writer import write_rtstruct
from rtseg.dicom.stamp import Stamp


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return case(tmp_path_factory.mktemp("plain"), axial_geometry())


def kinds(written):
    return {finding.kind: finding for finding in written.findings}


def soft_ball(grid: Geometry, centre_mm, radius_mm: float) -> Structure:
    """A ball whose probability falls from 1 to 0 over 4 mm through its border, with a pixel of it all round."""
    centres = grid.points(np.moveaxis(np.indices(grid.shape), 0, -1))
    probability = np.clip(0.5 + (radius_mm - np.linalg.norm(centres - centre_mm, axis=-1)) / 4, 0, 1).astype(np.float32)
    return Structure(probability > 0.5, (0, 0, 0), probability)


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """A CT with pixels of 0.977 mm."""
    grid = Geometry.regular((21, 72, 72), (3.0, 0.977, 0.977), (-35.0, -35.0, -30.0))
    folder = tmp_path_factory.mktemp("fine")
    write_ct_series(Volume(np.full(grid.shape, -1000, np.int16), grid), folder, Patient("A^B", "1"))
    return read_ct_grid(folder)


def distances_mm(path: Path, centre_mm, radius_mm: float):
    points = np.concatenate([contour.points() for roi in load_rtstruct(path).rois for contour in roi.contours])
    return np.linalg.norm(points - centre_mm, axis=1) - radius_mm


CENTRE, RADIUS = (0.31, -0.57, 0.13), 22.4


def test_contours_within_voxels_lie_on_the_sphere(fine, tmp_path):
    """The probability is linear through the border, so each contour point lies on it, but for rounding and the clamp."""
    organs = StructureSet(fine.geometry, {"Brain": soft_ball(fine.geometry, CENTRE, RADIUS)})
    written = write_rtstruct(organs, fine, tmp_path / "rs.dcm", Export(MAKER, subvoxel=True))
    assert written.findings == ()
    off = distances_mm(tmp_path / "rs.dcm", CENTRE, RADIUS)
    assert np.sqrt((off**2).mean()) < 0.01
    read = read_rtstruct(tmp_path / "rs.dcm", fine).structures
    assert np.array_equal(read.mask("Brain").array, organs.mask("Brain").array)


def test_contours_round_voxels_have_a_bias_of_a_fiftieth_of_a_pixel(fine, tmp_path):
    """Vertices lie 0.02 pixel inside half way; over a sphere that is the bias, within what its few voxels scatter."""
    organs = StructureSet(fine.geometry, {"Brain": soft_ball(fine.geometry, CENTRE, RADIUS)})
    write_rtstruct(organs, fine, tmp_path / "rs.dcm", Export(MAKER))
    off = distances_mm(tmp_path / "rs.dcm", CENTRE, RADIUS)
    assert abs(off.mean()) < 0.06  # 0.02 mm and what is left of the steps
    assert np.sqrt((off**2).mean()) > 0.1


@pytest.mark.parametrize("name", GEOMETRIES)
def test_contours_within_voxels_are_exact_in_every_geometry(tmp_path, name):
    each = case(tmp_path, GEOMETRIES[name])
    grid = each.ct.volume.geometry
    noise = np.random.default_rng(5).random(grid.shape).astype(np.float32)
    noise[5:] = 0
    organs = StructureSet(grid, {"Brain": Structure(noise > 0.5, (0, 0, 0), noise)})
    write_rtstruct(organs, each.ct, tmp_path / "soft.dcm", Export(MAKER, subvoxel=True))
    read = read_rtstruct(tmp_path / "soft.dcm", each.ct)
    assert np.array_equal(read.structures.mask("Brain").array, noise > 0.5)


def test_without_a_probability_it_is_said(plain, tmp_path):
    written = write_rtstruct(plain.organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER, subvoxel=True))
    assert [finding.organ for finding in written.findings] == list(plain.organs)
    assert set(kinds(written)) == {"contour_not_subvoxel"}


def test_fewer_points_cost_what_is_told(plain, tmp_path):
    write_rtstruct(plain.organs, plain.ct, tmp_path / "all.dcm", Export(MAKER))
    written = write_rtstruct(plain.organs, plain.ct, tmp_path / "few.dcm", Export(MAKER, simplify_mm=1.0))
    points = [
        sum(len(contour.points()) for roi in load_rtstruct(tmp_path / name).rois for contour in roi.contours)
        for name in ("all.dcm", "few.dcm")
    ]
    assert points[1] < 0.8 * points[0]
    read = read_rtstruct(tmp_path / "few.dcm", plain.ct).structures
    for finding in written.findings:
        assert finding.kind == "contour_simplified"
        a, b = read.mask(finding.organ).array, plain.organs.mask(finding.organ).array
        assert finding.value == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()), abs=0.005)
        assert finding.value > 0.9


def test_the_body_keeps_its_points(plain, tmp_path):
    body = StructureSet(plain.organs.geometry, {"External": Structure.from_full(plain.ct.volume.array > -500)})
    written = write_rtstruct(body, plain.ct, tmp_path / "rs.dcm", Export(MAKER, simplify_mm=1.0))
    assert written.findings == ()
    assert np.array_equal(
        read_rtstruct(tmp_path / "rs.dcm", plain.ct).structures.mask("External").array, body.mask("External").array
    )


def specks(plain):
    """A block of 5 x 5 pixels on three slices, with a voxel alone beside it on one of them."""
    mask = np.zeros(plain.organs.geometry.shape, dtype=np.bool_)
    mask[3:6, 5:10, 5:10] = True
    mask[4, 20, 20] = True
    return mask


def test_small_parts_are_left_out_and_counted(plain, tmp_path):
    mask = specks(plain)
    organs = StructureSet(plain.organs.geometry, {"Brain": Structure.from_full(mask)})
    pixel_mm2 = float(np.prod(plain.organs.geometry.pixel_spacing))
    export = Export(MAKER, min_area_mm2=2 * pixel_mm2)
    written = write_rtstruct(organs, plain.ct, tmp_path / "rs.dcm", export)
    assert kinds(written)["island_left_out"].value == 1
    mask[4, 20, 20] = False
    assert np.array_equal(read_rtstruct(tmp_path / "rs.dcm", plain.ct).structures.mask("Brain").array, mask)
    with pytest.raises(OutputError, match="no organ has a voxel"):
        write_rtstruct(organs, plain.ct, tmp_path / "none.dcm", Export(MAKER, min_area_mm2=1e6))
    assert not (tmp_path / "none.dcm").exists()


def test_a_clinics_names_colours_and_types(plain, tmp_path):
    names = {"Parotid_L": WrittenRoi("Parotis li", (1, 2, 3), "AVOIDANCE"), "Brainstem": WrittenRoi("Hirnstamm")}
    written = write_rtstruct(plain.organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER, names=names))
    assert "Parotid_R" in kinds(written)["not_in_names"].words
    rs = dcmread(tmp_path / "rs.dcm")
    assert [item.ROIName for item in rs.StructureSetROISequence] == ["Parotis li", "Hirnstamm"]
    assert [item.ROIDescription for item in rs.StructureSetROISequence] == ["Parotid_L", "Brainstem"]
    assert list(rs.ROIContourSequence[0].ROIDisplayColor) == [1, 2, 3]
    assert [item.RTROIInterpretedType for item in rs.RTROIObservationsSequence] == ["AVOIDANCE", "ORGAN"]
    concept = rs.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence[0]
    assert concept.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    read = read_rtstruct(tmp_path / "rs.dcm", plain.ct).structures
    assert np.array_equal(read.mask("Parotis li").array, plain.organs.mask("Parotid_L").array)


def test_two_organs_of_one_name_or_colour_are_refused(plain, tmp_path):
    names = {"Parotid_L": WrittenRoi("Parotis"), "Parotid_R": WrittenRoi("parotis")}
    with pytest.raises(OutputError, match="'Parotis' and 'parotis' differ in case at most"):
        write_rtstruct(plain.organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER, names=names))
    names = {name: WrittenRoi(name, (9, 9, 9)) for name in plain.organs}
    with pytest.raises(ConfigError, match="two ROIs are to have one colour"):
        write_rtstruct(plain.organs, plain.ct, tmp_path / "rs.dcm", Export(MAKER, names=names))
    assert not (tmp_path / "rs.dcm").exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Export(MAKER, simplify_mm=-0.1), "simplify_mm is 0 or more"),
        (lambda: Export(MAKER, min_area_mm2=float("nan")), "min_area_mm2 is 0 or more"),
        (lambda: WrittenRoi("Brain", (0, 0, 256)), "three whole numbers from 0 to 255"),
        (lambda: WrittenRoi("Brain", None, "CTV"), "is one of ORGAN"),
        (lambda: WrittenRoi("Bra\\in"), "cannot name an ROI"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_asked_for(make, words):
    with pytest.raises(ConfigError, match=words):
        make()


def test_into_memory_and_out_of_it(plain):
    buffer = io.BytesIO()
    written = write_rtstruct(plain.organs, plain.ct, buffer)
    assert written.path is None
    assert (
        dcmread(io.BytesIO(buffer.getvalue())).StructureSetROISequence[0].ROIGenerationDescription
        == "converted from masks, maker unknown"
    )
    read = read_rtstruct(buffer, plain.ct).structures
    assert all(np.array_equal(read.mask(name).array, plain.organs.mask(name).array) for name in plain.organs)


def test_the_same_stamp_gives_the_same_bytes(plain):
    when = datetime(2026, 11, 26, 12, 0, 0)
    export = Export(MAKER)
    files = []
    for organs in (plain.organs, plain.organs, plain.organs.subset(["Brainstem"])):
        buffer = io.BytesIO()
        write_rtstruct(organs, plain.ct, buffer, export, Stamp.of(organs, plain.ct.grid, export, when))
        files.append(buffer.getvalue())
    assert files[0] == files[1]
    assert dcmread(io.BytesIO(files[0])).SOPInstanceUID != dcmread(io.BytesIO(files[2])).SOPInstanceUID


KILLS = 20

WRITE_AND_KILL = """
import os, pickle, signal, sys, time
sys.path.insert(0, "tests")
from pathlib import Path
from rtstruct_cases import MAKER
from rtseg.dicom import Export, read_ct_grid, read_rtstruct, write_rtstruct
organs, ct, target = pickle.loads(Path(sys.argv[1]).read_bytes()), read_ct_grid(Path(sys.argv[2])), Path(sys.argv[3])
whole = time.perf_counter()
write_rtstruct(organs, ct, target, Export(MAKER))
whole = time.perf_counter() - whole
for number in range(int(sys.argv[4])):
    target.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        write_rtstruct(organs, ct, target, Export(MAKER))
        os._exit(0)
    time.sleep(1.4 * whole * number / (int(sys.argv[4]) - 1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(target.exists() and (read_rtstruct(target, ct).structures.mask("Brain").array == organs.mask("Brain").array).all())
"""


def test_a_kill_at_any_moment_leaves_no_file_or_the_whole_file(plain, tmp_path):
    """A process writes, and is killed later each time, from at once to when it should be done."""
    noise = np.random.default_rng(1).random(plain.organs.geometry.shape) < 0.5
    noise[4:] = False
    organs = StructureSet(plain.organs.geometry, {"Brain": Structure.from_full(noise)})
    (tmp_path / "organs").write_bytes(pickle.dumps(organs))
    words = [tmp_path / "organs", plain.path.parent / "ct", tmp_path / "rs.dcm", KILLS]
    done = subprocess.run(
        [sys.executable, "-c", WRITE_AND_KILL, *map(str, words)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split()
    assert len(answers) == KILLS
    assert set(answers) == {"True", "False"}  # a file that is there and not whole ends with an error


def test_another_grid_is_refused(plain, tmp_path):
    grid = replace(plain.organs.geometry, origin=plain.organs.geometry.origin + 1.0)
    ct = CtGrid(grid, plain.ct.identity)
    with pytest.raises(Exception, match="not on the grid of the CT"):
        write_rtstruct(plain.organs, ct, tmp_path / "rs.dcm", Export(MAKER))
