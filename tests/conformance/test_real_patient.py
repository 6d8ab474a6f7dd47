"""Real patients on the whole road with the model that ships: files in, files out, commands only."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from rtseg.cli import main
from rtseg.data import axial, find_cases, squared
from rtseg.dicom import Patient, read_planning_ct, read_rtstruct, write_ct_series
from rtseg.metrics import dsc
from rtseg.systems import shipped_bundles

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif("head_neck" not in shipped_bundles(), reason="the model head_neck is not there"),
]

Run = Callable[..., str]


@pytest.fixture
def rtseg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that must succeed; its standard output."""

    def run(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["rtseg", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        answer = capsys.readouterr()
        assert not ended.value.code, answer.err
        return answer.out

    return run


def test_a_validation_patient_from_dicom_to_rtstruct(rtseg: Run, test_data: Callable[[str], Path], tmp_path: Path) -> None:
    cases = find_cases(test_data("openkbp_head_neck"))
    whole = (case for case in cases if case.split == "validation" and {"Parotid_L", "Brainstem"} <= set(case.contoured))
    case = squared(axial(next(whole).read()))
    write_ct_series(case.ct, tmp_path / "ct", Patient("SECRET^NAME", "SECRETID"))
    answer = json.loads(rtseg("contour", tmp_path / "ct", "--output", tmp_path / "RS.dcm", "--threads", "1", "--json"))
    assert not [finding for finding in answer["findings"] if finding["kind"].startswith("foreign_reader")]

    ct = read_planning_ct(tmp_path / "ct")
    assert ct.identity is not None
    read = read_rtstruct(tmp_path / "RS.dcm", ct)
    assert read.findings == ()
    for name in ("Brainstem", "Parotid_L", "Parotid_R"):
        if name in case.contoured:
            agreement = dsc(case.structures.mask(name), read.structures.mask(name))
            assert agreement is not None
            assert agreement > 0.3, name

    from rt_utils import RTStructBuilder

    foreign = RTStructBuilder.create_from(dicom_series_path=str(tmp_path / "ct"), rt_struct_path=str(tmp_path / "RS.dcm"))
    assert foreign.get_roi_names() == list(read.structures)
    upwards = np.argsort([float(image.ImagePositionPatient[2]) for image in foreign.series_data])
    for name in read.structures:
        mask = np.moveaxis(foreign.get_roi_mask_by_name(name), 2, 0)[upwards]
        np.testing.assert_array_equal(mask, read.structures.mask(name).array, err_msg=name)


def test_the_demo_with_the_models_that_ship(rtseg: Run, tmp_path: Path) -> None:
    answer = rtseg("demo", "--output", tmp_path / "demo", "--threads", "1")
    assert "foreign_reader" not in answer
    rows = {words[0]: words[1:] for line in answer.splitlines() if len(words := line.split()) == 4}
    assert float(rows["Brainstem"][1]) > 0.3
    assert float(rows["Parotid_L"][1]) > 0.3
    made = ["RS.dcm", "ct", "demo.json", "evaluation", "head_neck_smr", "manual.dcm", "report.html"]
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == made
    ct, mr = (
        dcmread(next(folder.iterdir())) for folder in (tmp_path / "demo" / "ct", tmp_path / "demo" / "head_neck_smr" / "smr")
    )
    assert (mr.Modality, mr.FrameOfReferenceUID) == ("MR", ct.FrameOfReferenceUID)
    assert "DSC" in (tmp_path / "demo" / "evaluation" / "report.html").read_text()
