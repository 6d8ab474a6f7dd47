"""`rtseg verify` without a terminal, and its words on one."""

import json

import pytest
from phantoms import axial_geometry
from pydicom import dcmread
from rtstruct_cases import case

from rtseg.cli import main
from rtseg.core import InputError
from rtseg.jobs.verify import verify_structure_set


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    case(folder, axial_geometry())
    rs = dcmread(folder / "rs.dcm")
    rs.PatientID = "P-2"
    rs.save_as(folder / "other.dcm")
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    def command(*words):
        monkeypatch.setattr("sys.argv", ["rtseg", "verify", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return command


def test_a_good_file_is_good_to_dciodvfy_too(home):
    result = verify_structure_set(home / "rs.dcm", home / "ct")
    assert result.is_good
    assert result.foreign in ("dciodvfy: 0 errors", "dciodvfy is not installed: not asked")


def test_the_exit_code_tells(home, run):
    code, out, _ = run(home / "rs.dcm", home / "ct")
    assert code == 0
    assert out.startswith("rs.dcm: 0 defects\n")
    code, out, _ = run(home / "other.dcm", home / "ct")
    assert code == 1
    assert "  4: PatientID is not the CT's" in out


def test_warnings_count_only_when_they_shall(home, run):
    """A phantom's organs have no adult's volumes: a warning."""
    assert run(home / "rs.dcm", home / "ct", "--strict")[0] == 3


def test_json_for_another_program(home, run):
    code, out, _ = run(home / "other.dcm", home / "ct", "--json")
    told = json.loads(out)
    assert (code, told["is_good"]) == (1, False)
    assert [defect["kind"] for defect in told["defects"]] == ["verify_identity"]
    code, out, _ = run(home / "none.dcm", home / "ct", "--json")
    assert code == 1
    assert "none.dcm cannot be read" in json.loads(out)["error"]


def test_what_cannot_be_read_is_told(home):
    with pytest.raises(InputError, match="is not an RTSTRUCT"):
        verify_structure_set(next((home / "ct").iterdir()), home / "ct")
    with pytest.raises(InputError, match="does not exist"):
        verify_structure_set(home / "rs.dcm", home / "nowhere")
