"""`rtseg convert`: structure sets to NIfTI masks and back, exact in every geometry that NIfTI can say, left stays left."""

import json
import shutil

import nibabel
import numpy as np
import pytest
from phantoms import BALLS, axial_geometry, centroid
from pydicom import dcmread
from pydicom.uid import generate_uid
from rtstruct_cases import GEOMETRIES, MAKER, case

from rtseg.cli import main
from rtseg.core import GeometryError, InputError, OutputError, StructureSet
from rtseg.data import read_nifti, write_nifti
from rtseg.dicom import Export, read_ct_grid, read_rtstruct, write_rtstruct
from rtseg.dicom.verify import Expected, verify
from rtseg.jobs.convert import ConvertOrder, convert


def run(*words, **options):
    return convert(ConvertOrder(*words, **options), lambda _: None)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """p/ct, p/rs.dcm: a patient; masks/: his organs as NIfTI."""
    home = tmp_path_factory.mktemp("home")
    case(home / "p", axial_geometry())
    run(home / "p/rs.dcm", home / "masks", home / "p/ct")
    return home


@pytest.mark.parametrize("name", [name for name in GEOMETRIES if name != "slice gap"])
def test_there_and_back_is_exact_and_left_is_left(tmp_path, name):
    each = case(tmp_path, GEOMETRIES[name])
    run(each.path, tmp_path / "masks", tmp_path / "ct")
    for organ, ball in BALLS.items():
        # read on its own, without the CT: the affine alone must say where it lies
        mask = read_nifti(tmp_path / "masks" / f"{organ}.nii.gz")
        placed = type(each.organs.mask(organ))(mask.array > 0, mask.geometry)
        assert np.linalg.norm(centroid(placed) - ball.centre) < 1.0
    run(tmp_path / "masks", tmp_path / "back.dcm", tmp_path / "ct")
    read = read_rtstruct(tmp_path / "back.dcm", each.ct)
    assert list(read.structures) == list(each.organs)
    for organ in each.organs:
        assert np.array_equal(read.structures.mask(organ).array, each.organs.mask(organ).array)
    assert verify(tmp_path / "back.dcm", each.ct.grid, Expected(each.organs)).defects == ()


def test_slices_that_nifti_cannot_say_are_refused_and_nothing_is_written(tmp_path):
    case(tmp_path, GEOMETRIES["slice gap"])
    with pytest.raises(GeometryError):
        run(tmp_path / "rs.dcm", tmp_path / "masks", tmp_path / "ct")
    assert not (tmp_path / "masks").exists()


def test_axes_in_any_order_and_direction_are_put_right(home, tmp_path):
    for file in (home / "masks").glob("*.nii.gz"):
        image = nibabel.load(file)
        turned = image.as_reoriented(nibabel.orientations.axcodes2ornt(("S", "L", "A")))
        turned = turned.slicer[:, :, :]
        (tmp_path / "turned").mkdir(exist_ok=True)
        nibabel.save(turned, tmp_path / "turned" / file.name)
    run(tmp_path / "turned", tmp_path / "back.dcm", home / "p/ct")
    ct = read_ct_grid(home / "p/ct")
    one, two = (read_rtstruct(path, ct).structures for path in (home / "p/rs.dcm", tmp_path / "back.dcm"))
    assert set(one) == set(two)
    assert all(np.array_equal(one.mask(name).array, two.mask(name).array) for name in one)


def test_the_table_keeps_names_that_no_file_system_allows(home, tmp_path):
    ct = read_ct_grid(home / "p/ct")
    organs = read_rtstruct(home / "p/rs.dcm", ct).structures
    names = {"PTV 60/2.0": "Parotid_L", "PTV 60:2.0": "Parotid_R", "Körper*": "Brainstem"}
    odd = StructureSet(ct.geometry, {name: organs[key] for name, key in names.items()})
    write_rtstruct(odd, ct, tmp_path / "odd.dcm", Export(MAKER))
    run(tmp_path / "odd.dcm", tmp_path / "masks", home / "p/ct")
    files = sorted(path.name for path in (tmp_path / "masks").iterdir())
    assert files == ["Körper_.nii.gz", "PTV 60_2.0.nii.gz", "PTV 60_2.0_2.nii.gz", "rois.json"]
    run(tmp_path / "masks", tmp_path / "back.dcm", home / "p/ct")
    back = read_rtstruct(tmp_path / "back.dcm", ct).structures
    assert list(back) == list(names)
    assert all(np.array_equal(back.mask(name).array, organs.mask(key).array) for name, key in names.items())


def test_who_drew_the_masks_is_not_invented(home, tmp_path):
    run(home / "masks", tmp_path / "back.dcm", home / "p/ct")
    rs = dcmread(tmp_path / "back.dcm")
    for item in rs.StructureSetROISequence:
        assert not item.ROIGenerationAlgorithm
        assert item.ROIGenerationDescription == "converted from masks, maker unknown"
        assert "ROIDerivationAlgorithmIdentificationSequence" not in item
    assert rs.StructureSetName == "rtseg converted contours"


def shifted(home, tmp_path, change):
    shutil.copytree(home / "masks", tmp_path / "masks")
    file = tmp_path / "masks" / "Brainstem.nii.gz"
    image = nibabel.load(file)
    nibabel.save(change(np.asanyarray(image.dataobj), image.affine.copy()), file)
    return tmp_path / "masks"


def moved(array, affine):
    affine[0, 3] += 0.02
    return nibabel.Nifti1Image(array, affine)


def stretched(array, affine):
    affine[:3, :3] *= 1.001
    return nibabel.Nifti1Image(array, affine)


def cropped(array, affine):
    return nibabel.Nifti1Image(array[1:], affine)


@pytest.mark.parametrize("change", [moved, stretched, cropped])
def test_a_mask_on_another_grid_is_refused_by_name_and_never_resampled(home, tmp_path, change):
    masks = shifted(home, tmp_path, change)
    with pytest.raises(GeometryError, match=r"Brainstem\.nii\.gz is not on the grid of the CT"):
        run(masks, tmp_path / "back.dcm", home / "p/ct")
    assert not (tmp_path / "back.dcm").exists()


def test_several_labels_in_one_file_are_refused(home, tmp_path):
    masks = shifted(
        home, tmp_path, lambda array, affine: nibabel.Nifti1Image(np.arange(array.size).reshape(array.shape) % 3 * 1.0, affine)
    )
    with pytest.raises(InputError, match="holds several labels"):
        run(masks, tmp_path / "back.dcm", home / "p/ct")


def test_what_there_is_to_say_is_said(home, tmp_path):
    with pytest.raises(InputError, match="on which CT"):
        run(home / "masks", tmp_path / "back.dcm")
    with pytest.raises(InputError, match="does not exist"):
        run(tmp_path / "nothing", tmp_path / "back.dcm")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds neither a structure set nor NIfTI masks"):
        run(tmp_path / "empty", tmp_path / "back")
    with pytest.raises(OutputError, match="holds something already"):
        run(home / "p/rs.dcm", home / "masks", home / "p/ct")


def test_another_frame_of_reference_is_an_error_and_another_patient_a_note(home, tmp_path):
    rs = dcmread(home / "p/rs.dcm")
    rs.PatientID = "ANONYMOUS"
    rs.save_as(tmp_path / "anonymous.dcm")
    (row,) = run(tmp_path / "anonymous.dcm", tmp_path / "masks", home / "p/ct")
    assert [finding.kind for finding in row.findings] == ["rtstruct_other_patient"]
    for item in rs.StructureSetROISequence:
        item.ReferencedFrameOfReferenceUID = generate_uid()
    rs.save_as(tmp_path / "frame.dcm")
    with pytest.raises(InputError, match="another frame of reference"):
        run(tmp_path / "frame.dcm", tmp_path / "other", home / "p/ct")


@pytest.fixture
def tree(tmp_path):
    """Two patients as DICOM, and a third whose structure set breaks off."""
    for name, organs in (("a", None), ("b/plan", None), ("c", None)):
        case(tmp_path / "tree" / name, axial_geometry(shape=(12, 40, 40), spacing_mm=(5.0, 3.0, 3.0)))
        assert organs is None
    broken = tmp_path / "tree/c/rs.dcm"
    broken.write_bytes(broken.read_bytes()[:4000])
    return tmp_path / "tree"


def test_a_tree_goes_there_and_back_and_one_that_cannot_be_stops_no_other(tree, tmp_path):
    rows = run(tree, tmp_path / "masks")
    assert [row.error is None for row in rows] == [False, True, True]
    assert sorted(str(path.parent.relative_to(tmp_path / "masks")) for path in (tmp_path / "masks").rglob("rois.json")) == [
        "a/rs",
        "b/plan/rs",
    ]
    for place in ("a", "b/plan"):
        (tmp_path / "moved" / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(tmp_path / "masks" / place / "rs", tmp_path / "moved" / place)
        shutil.copytree(tree / place / "ct", tmp_path / "cts" / place)
    (tmp_path / "moved" / "z").mkdir()
    shutil.copy(tmp_path / "moved/a/Brainstem.nii.gz", tmp_path / "moved/z")
    rows = run(tmp_path / "moved", tmp_path / "back", tmp_path / "cts")
    assert [(row.error is None) for row in rows] == [True, True, False]
    assert "z does not exist" in rows[2].error
    ct = read_ct_grid(tree / "b/plan/ct")
    one, two = (read_rtstruct(path, ct).structures for path in (tree / "b/plan/rs.dcm", tmp_path / "back/b/plan/RS.dcm"))
    assert all(np.array_equal(one.mask(name).array, two.mask(name).array) for name in one)


def test_the_command_tells_and_ends_with_1_where_one_could_not_be(tree, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["rtseg", "convert", str(tree), "--output", str(tmp_path / "masks")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    out = capsys.readouterr().out
    assert "2 converted, 1 not" in out
    assert "not converted:" in out
    monkeypatch.setattr("sys.argv", ["rtseg", "convert", str(tree), "--output", str(tmp_path / "other"), "--json"])
    with pytest.raises(SystemExit):
        main()
    assert [row["error"] is None for row in json.loads(capsys.readouterr().out)] == [False, True, True]


def test_an_empty_mask_is_told_and_left_out(home, tmp_path):
    masks = tmp_path / "masks"
    shutil.copytree(home / "masks", masks)
    image = read_nifti(masks / "Brainstem.nii.gz")
    write_nifti(type(image)(np.zeros_like(image.array), image.geometry), masks / "Brainstem.nii.gz")
    (row,) = run(masks, tmp_path / "back.dcm", home / "p/ct")
    assert [finding.kind for finding in row.findings] == ["structure_empty"]
    assert "Brainstem" not in read_rtstruct(tmp_path / "back.dcm", read_ct_grid(home / "p/ct")).structures
