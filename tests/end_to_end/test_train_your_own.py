"""The pages about data, run as they stand: their commands, their files, on phantom patients."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from case_folders import ball_case, grid
from clinic_tree import TPS
from contour_cases import balls, edit
from phantoms import CENTRE, three_balls
from pydicom import dcmread
from rtstruct_cases import MAKER

from rtseg.cli import main
from rtseg.core import BundleError, Geometry, Structure, StructureSet
from rtseg.data import find_cases, write_nifti
from rtseg.dicom import Export, Patient, read_planning_ct, write_ct_series, write_rtstruct
from rtseg.systems import bundle_folder

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "train_your_own.md"

LABELS = {"Parotid_L": "Fem Head LT", "Parotid_R": "FemoralHead_R", "Brainstem": "CTV_Prostate"}


def blocks(page: str, kind: str) -> list[str]:
    """The page's code blocks of one kind; an empty kind: commands."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    return [content for language, content in found if language == kind]


def commands(page: str) -> list[list[str]]:
    """The words of each rtseg command."""
    return [shlex.split(line)[1:] for line in "".join(blocks(page, "")).splitlines() if line.startswith("rtseg ")]


def code_files(page: str, kind: str) -> dict[str, str]:
    """Name -> content of the code blocks whose first line is a comment with a file's name."""
    return {content.split()[1]: content for content in blocks(page, kind) if content.startswith("# ")}


def cube(geometry: Geometry, offset_mm: tuple[float, float, float]) -> Structure:
    """20 mm to a side, at a place against the patient's middle."""
    centres = geometry.points(np.moveaxis(np.indices(geometry.shape), 0, -1))
    return Structure.from_full((np.abs(centres - CENTRE - offset_mm) <= 10).all(axis=-1))


def write_pelvis(folder: Path, patient_id: str, shift_mm: float) -> Path:
    """A patient with the organs of the page's task under a clinic's labels, and a target."""
    write_ct_series(balls(grid(shift_mm)).ct, folder / "ct", Patient(f"SECRET^{patient_id}", f"SECRET{patient_id}"))
    ct = read_planning_ct(folder / "ct")
    organs = three_balls(ct.volume.geometry).organs
    named = {label: organs[organ] for organ, label in LABELS.items()}
    named |= {"bladder": cube(ct.volume.geometry, (0, -25, 0)), "RECTUM": cube(ct.volume.geometry, (0, 25, -15))}
    named |= {"PTV_78": cube(ct.volume.geometry, (0, 10, 0))}
    write_rtstruct(StructureSet(ct.volume.geometry, named), ct, folder / "rs.dcm", Export(MAKER))
    edit(folder / "rs.dcm", **TPS)
    return folder


@pytest.fixture
def rtseg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """Run a command in an empty folder; its standard output. It must end as expected, and name nobody."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["rtseg", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert int(ended.value.code or 0) == code, err
        assert "SECRET" not in out + err
        return out if code == 0 else out + err

    return run


def test_from_a_clinics_dicom_to_contours(rtseg: Callable[..., str], tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for number in (1, 2):
        write_pelvis(tmp_path / "DICOM_DIR" / f"{number}", f"{number}", 1.5 * number)
    (write_pelvis(tmp_path / "new", "3", 0) / "ct").rename(tmp_path / "CT_DIR")
    files = code_files(page, "yaml")
    assert sorted(files) == ["names.yaml", "task.yaml"]
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")

    look, bring, pack, train, bundle, contour = commands(page.partition("## 5.")[0])

    out = rtseg(*look)
    assert '"CTV_Prostate": null  # 2 x' in out
    assert "Femur_Head_L: Fem Head LT 2" in out
    assert not (tmp_path / "CASES_DIR").exists()

    out = rtseg(*bring)
    assert "2 made; cases: CASES_DIR" in out
    assert "mean no organ" not in out
    cases = find_cases(tmp_path / "CASES_DIR")
    assert [(case.split, len(case.contoured)) for case in cases] == [("train", 5), ("validation", 5)]
    for case in cases:
        read = case.read()
        left, right = (np.argwhere(read.structures.mask(f"Femur_Head_{side}").array).mean(axis=0) for side in "LR")
        assert (read.ct.geometry.points([left]) - read.ct.geometry.points([right]))[0, 0] == pytest.approx(56, abs=1)
    assert "2 there already" in rtseg(*bring)

    assert rtseg(*pack).startswith("2 cases packed")
    assert rtseg(*train, "--threads", "1").startswith("step 20 reached")
    assert rtseg(*bundle).startswith("bundle written: MODEL_DIR")
    assert "External" in rtseg(*contour, "--threads", "1")
    assert "External" in [roi.ROIName for roi in dcmread(tmp_path / "RS.dcm").StructureSetROISequence]


def test_a_model_that_does_not_ship_points_to_the_page() -> None:
    with pytest.raises(BundleError, match=r"no model 'prostate'.*docs/train_your_own\.md") as raised:
        bundle_folder("prostate")
    assert (ROOT / str(re.findall(r"docs/\S+\.md", str(raised.value))[0])).is_file()


def test_nrrd_files_become_cases_as_the_page_says(rtseg: Callable[..., str], tmp_path: Path) -> None:
    """Archives laid out as HaN-Seg and PDDCA, converted by the page's own script, left on the left."""
    import SimpleITK

    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    (name, script), *others = code_files(page, "python").items()
    assert not others
    (tmp_path / name).write_text(script, encoding="utf-8")
    case = ball_case("any")
    write_nifti(case.ct, tmp_path / "ct.nii.gz")
    ct = SimpleITK.ReadImage(str(tmp_path / "ct.nii.gz"))
    for file in ("archive/case_01/case_01_IMG_CT.nrrd", "archive/0522c0001/img.nrrd"):
        (tmp_path / file).parent.mkdir(parents=True)
        SimpleITK.WriteImage(ct, str(tmp_path / file))
    for organ in ("Parotid_L", "Parotid_R"):
        write_nifti(case.structures.mask(organ), tmp_path / "mask.nii.gz")
        mask = SimpleITK.ReadImage(str(tmp_path / "mask.nii.gz"))
        SimpleITK.WriteImage(mask, str(tmp_path / f"archive/case_01/case_01_OAR_{organ}.seg.nrrd"))
        (tmp_path / "archive/0522c0001/structures").mkdir(exist_ok=True)
        SimpleITK.WriteImage(mask, str(tmp_path / f"archive/0522c0001/structures/{organ}.nrrd"))
    subprocess.run([sys.executable, name, "archive", "NIFTI_DIR"], cwd=tmp_path, check=True)
    (words,) = [words for words in commands(page) if words[1] == "nifti"]
    assert "2 would be made" in rtseg(*words)
    rtseg(*[word for word in words if word != "--dry-run"])
    for made in find_cases(tmp_path / "CASES_DIR"):
        read = made.read()
        assert read.ct.geometry.same_as(case.ct.geometry, tolerance_mm=0.001)
        for organ in ("Parotid_L", "Parotid_R"):
            np.testing.assert_array_equal(read.structures.mask(organ).array, case.structures.mask(organ).array)


def test_the_table_tells_who_failed_and_the_exit_code_too(rtseg: Callable[..., str], tmp_path: Path) -> None:
    write_pelvis(tmp_path / "in" / "1", "1", 0)
    for path in (write_pelvis(tmp_path / "in" / "2", "2", 0) / "ct").glob("*0007.dcm"):
        path.unlink()
    out = rtseg("data", "dicom", "in", "out", code=1)
    head, *lines = out.splitlines()
    assert head.split() == ["patient", "split", "CT", "slices", "structures", "MR", "organs", "unmatched"]
    assert any(re.match(r"p0001 +train +\.\.\.\d{8} +24 +RTSEG\d+ 20250101 approved +- +4 +2 +made", line) for line in lines), out
    assert any(re.match(r"- +- +\.\.\.\d{8} +23 .* failed", line) for line in lines), out
    assert "failed: slices are not evenly spaced" in out
    assert '  "CTV_Prostate": null  # 2 x' in lines
    assert "1 made, 1 failed; cases: out" in out
    content = json.loads(rtseg("data", "dicom", "in", "out", "--json", code=1).partition("\nreading")[0])
    assert [row["state"] for row in content["rows"]].count("there already") == 1
    assert content["failed"] == 1
    assert content["unmatched"] == {"CTV_Prostate": 2, "PTV_78": 2}
    assert content["labels"]["Femur_Head_L"] == {"Fem Head LT": 2}


def test_wrong_words_are_told(rtseg: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "bad.csv").write_text("person,split\n1,teaching\n")
    for words, expected in {
        ("dicom", "in", "out"): "error: no CT series below in",
        ("dicom", "in", "out", "--map", "names.yaml"): "error: names.yaml cannot be read",
        ("dicom", "in", "out", "--splits", "bad.csv"): "error: bad.csv, line 2: expected a person and one of",
        ("dicom", "in", "out", "--key", "out/key.csv"): "tells who the patients are: keep it apart from the cases",
        ("nifti", "in", "out"): "error: no ct.nii.gz below in",
        ("openkbp", "in", "out"): "error: in/train-pats is not there: expected the folder provided-data",
        ("openkbp", "in", "out", "--split", "dev"): "error: no split 'dev'; there is train, validation, test",
    }.items():
        assert expected in rtseg("data", *words, code=1)
    assert not (tmp_path / "out").exists()
