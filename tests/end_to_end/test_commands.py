"""The commands as a user meets them: what they print, where, how they end, and what is on the disk afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ball_bundle import ball_task
from case_folders import write_ball_cases
from contour_cases import PATIENT, ball_ct, balls, edit, shift, slices
from evaluations import moved, organs_of, write_as
from phantoms import axial_geometry, without_slices
from pydicom import dcmread

from rtseg.cli import main
from rtseg.core import InputError
from rtseg.data import write_nifti
from rtseg.dicom import Patient, write_ct_series
from rtseg.segmentation.confidence import Calibration
from rtseg.systems import write_calibration, write_yaml

SQUARE = axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64))

COMMANDS = [
    ("demo",),
    ("check",),
    ("contour",),
    ("batch",),
    ("verify",),
    ("convert",),
    ("evaluate",),
    ("evaluate-images",),
    ("reader-study", "make"),
    ("reader-study", "score"),
    ("synthesize",),
    ("simulate",),
    ("models",),
    ("data", "dicom"),
    ("data", "nifti"),
    ("data", "openkbp"),
    ("data", "pack"),
    ("train", "segmentation"),
    ("train", "synthesis"),
    ("bundle",),
]


@dataclass(frozen=True)
class Answer:
    """Exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error: the last line on standard error, which must begin so; nothing else may be said but steps."""
        *before, last = self.err.splitlines()
        assert last.startswith("error: "), self.err
        assert all(line.endswith(" ...") for line in before), self.err
        assert "Traceback" not in self.out + self.err
        return last


Run = Callable[..., Answer]


@pytest.fixture
def rtseg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``rtseg("check", folder)`` runs the command line in this process. No patient's name or ID may be in what it prints."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["rtseg", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        answer = Answer(int(ended.value.code or 0), *capsys.readouterr())
        for secret in ("SECRET", "19500102"):
            assert secret not in answer.out + answer.err
        return answer

    return run


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    return ball_ct(tmp_path / "ct", SQUARE)


@pytest.fixture
def contour(rtseg: Run, ball_folder: Path, tmp_path: Path) -> Run:
    """``contour(folder, ...)``: with the ball bundle, on one thread, into RS.dcm."""

    def run(source: Path, *words: object) -> Answer:
        output = () if "--output" in words else ("--output", tmp_path / "RS.dcm")
        return rtseg("contour", source, "--model", ball_folder, "--threads", 1, *output, *words)

    return run


def held(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Help and usage


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_example(rtseg: Run, command: tuple[str, ...]) -> None:
    answer = rtseg(*command, "--help")
    assert answer.code == 0
    assert f"Example: rtseg {' '.join(command)}" in answer.out


def test_the_list_of_commands_is_whole(rtseg: Run) -> None:
    from rtseg.cli.app import app

    groups = {group.name: group.typer_instance for group in app.registered_groups}
    assert groups.keys() == {"data", "reader-study", "train"}
    grouped = {(name, command.name) for name, group in groups.items() if group for command in group.registered_commands}
    assert {(command.name,) for command in app.registered_commands} | grouped == set(COMMANDS)


def test_the_version_is_told(rtseg: Run) -> None:
    from rtseg import __version__

    assert rtseg("--version") == Answer(0, f"rtseg {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("contour", "ct", "--output", "x", "--threads", "0"), "--threads"),
        (("contour", "ct"), "--output"),
        (("contour", "ct", "--outptu", "x"), "--outptu"),
        (("chekc", "ct"), "chekc"),
        (("train", "segmentation", "--data", "x", "--run", "y", "--size", "huge"), "'tiny', 'small', 'full'"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_the_word(rtseg: Run, words: tuple[str, ...], missing: str) -> None:
    answer = rtseg(*words)
    assert (answer.code, answer.out) == (2, "")
    assert missing in answer.err
    assert "Traceback" not in answer.err


def test_a_process_ends_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    words = ("contour", str(tmp_path), "--output", "RS.dcm", "--model", "none")
    done = subprocess.run(
        [sys.executable, "-c", "from rtseg.cli import main; main()", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    answer = Answer(done.returncode, done.stdout, done.stderr)
    assert (answer.code, answer.out) == (1, "")
    assert answer.error.startswith("error: no model 'none'")
    assert held(tmp_path) == []


@pytest.mark.parametrize("before", [True, False])
def test_debug_shows_the_traceback_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ball_folder: Path, before: bool
) -> None:
    words = ["contour", str(tmp_path), "--output", "x.dcm", "--model", str(ball_folder), "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["rtseg", *(["--debug", *words] if before else [*words, "--debug"])])
    with pytest.raises(InputError, match="no CT series"):
        main()


# check


def test_check_answers_in_words(rtseg: Run, ct: Path) -> None:
    answer = rtseg("check", ct)
    assert (answer.code, answer.err) == (0, "")
    assert "planning CT: 34 slices of 64 x 64, pixels 2 x 2 mm, slices 2.5 to 2.5 mm apart, -1000 to 2200 HU" in answer.out
    assert answer.out.endswith("0 findings to look at.\ncan be contoured\n")


def test_check_as_json_has_stable_keys(rtseg: Run, ct: Path, tmp_path: Path) -> None:
    content = json.loads(rtseg("check", ct, "--json").out)
    assert list(content) == ["name", "series", "other_files", "grid", "findings", "error"]
    assert list(content["series"][0]) == ["modality", "series_instance_uid", "images", "description", "left_out"]
    assert content["grid"]["slices"] == 34
    assert content["error"] is None
    (tmp_path / "empty").mkdir()
    refused = rtseg("check", tmp_path / "empty", "--json")
    assert refused.code == 1
    assert list(json.loads(refused.out)) == list(content)
    assert "no CT series" in json.loads(refused.out)["error"]


def test_check_says_what_a_hole_takes(rtseg: Run, tmp_path: Path) -> None:
    answer = rtseg("check", ball_ct(tmp_path / "ct", without_slices(SQUARE, (3, 4))))
    assert answer.code == 0
    assert answer.out.endswith("\nslices are missing: can be contoured with --allow-gaps\n")


def test_check_reads_a_nifti_ct(rtseg: Run, tmp_path: Path) -> None:
    answer = rtseg("check", write_nifti(balls(SQUARE).ct, tmp_path / "p07.nii.gz"))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("planning CT: 34 slices of 64 x 64, pixels 2 x 2 mm, slices 2.5 to 2.5 mm apart")
    assert answer.out.endswith("0 findings to look at.\ncan be contoured\n")
    assert rtseg("check", tmp_path / "nowhere.nii").code == 1


def test_findings_end_with_3_under_strict_alone(rtseg: Run, contour: Run, ct: Path, tmp_path: Path) -> None:
    (ct / "notes.txt").touch()
    assert rtseg("check", ct).code == 0
    assert rtseg("check", ct, "--strict").code == 3
    assert contour(ct).code == 0
    assert contour(ct, "--strict", "--overwrite").code == 3
    assert (tmp_path / "RS.dcm").is_file()
    (ct / "notes.txt").unlink()
    assert contour(ct, "--strict", "--overwrite").code == 0


# contour


def test_contour_answers_in_words(contour: Run, ct: Path, tmp_path: Path) -> None:
    answer = contour(ct, "--report", tmp_path / "report", "--body")
    assert answer.code == 0
    lines = answer.out.splitlines()
    uid = dcmread(slices(ct)[0]).SeriesInstanceUID
    assert lines[0].startswith(f"ct ...{uid[-8:]}, model three_balls 1.0 sha256:")
    assert [line.split()[0] for line in lines[1:6]] == ["organ", "Parotid_L", "Parotid_R", "Brainstem", "External"]
    assert lines[-2:] == [f"written: {tmp_path / 'RS.dcm'}", f"report: {tmp_path / 'report' / 'report.html'}"]
    steps = ["load model ...", "read CT ...", "contour ...", "write and read back ...", "report ..."]
    assert answer.err.splitlines()[:-1] == steps
    assert "Not a medical device" in answer.err.splitlines()[-1]
    assert "SECRET" not in (tmp_path / "report" / "report.html").read_text()
    assert dcmread(tmp_path / "RS.dcm").PatientID == PATIENT.id


def test_a_calibrated_model_tells_the_dsc_to_be_expected(rtseg: Run, ct: Path, ball_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ball_folder, tmp_path / "calibrated"))
    write_calibration(folder, {"Brainstem": Calibration((1e-6, 1.0), (0.9, 0.9), 0.02, 0.1, 0.95, 30)})
    answer = rtseg("contour", ct, "--model", folder, "--threads", 1, "--output", tmp_path / "RS.dcm")
    head, *rows = [line.split() for line in answer.out.splitlines()[1:5]]
    assert head == ["organ", "ml", "predicted", "DSC", "9", "of", "10", "above"]
    assert [row[2:] for row in rows] == [["-", "-"], ["-", "-"], ["0.90", "0.80"]]
    assert "  low_confidence: Brainstem: predicted DSC 0.90" in answer.out


def test_contour_as_json_has_stable_keys(contour: Run, ct: Path, tmp_path: Path) -> None:
    (ct / "notes.txt").touch()
    content = json.loads(contour(ct, "--json", "--organs", "Brainstem, Parotid_L").out)
    made = ["name", "rtseg", "model", "model_sha256", "compute", "ct_series_uid", "structure_set_uid"]
    assert list(content) == [*made, "output", "report", "volumes_ml", "confidence", "findings", "seconds"]
    assert content["ct_series_uid"] == dcmread(next(ct.glob("*.dcm"))).SeriesInstanceUID
    assert content["structure_set_uid"] == dcmread(tmp_path / "RS.dcm").SOPInstanceUID
    assert list(content["volumes_ml"]) == list(content["confidence"]) == ["Brainstem", "Parotid_L"]
    assert content["confidence"]["Brainstem"].keys() == {"soft_dice", "predicted_dsc", "at_least"}
    assert content["output"] == str(tmp_path / "RS.dcm")
    assert content["report"] is None
    (finding,) = content["findings"]
    assert {"kind": "left_out", "organ": None, "value": None, "limit": None}.items() <= finding.items()
    assert set(finding) == {"kind", "words", "organ", "value", "limit"}
    assert list(content["seconds"]) == ["load model", "read CT", "contour", "write and read back"]


def test_an_error_of_contour_is_json_too_where_json_was_asked_for(contour: Run, ct: Path, tmp_path: Path) -> None:
    nothing_in_it(ct)
    answer = contour(ct, "--json")
    assert answer.code == 1
    assert json.loads(answer.out) == {"error": answer.error.removeprefix("error: ")}
    assert "no CT series" in answer.error
    assert contour(ct).out == ""


def test_a_nifti_ct_gives_masks(contour: Run, tmp_path: Path) -> None:
    source = write_nifti(balls(SQUARE).ct, tmp_path / "p07.nii.gz")
    answer = contour(source, "--output", tmp_path / "masks")
    assert answer.code == 0
    assert answer.out.startswith("p07, model three_balls")
    assert held(tmp_path / "masks") == ["Brainstem.nii.gz", "Parotid_L.nii.gz", "Parotid_R.nii.gz"]
    refused = contour(source)
    assert "masks come out: give --output a folder" in refused.error


def two_frames(folder: Path) -> None:
    edit(slices(folder)[3], FrameOfReferenceUID="1.2.3")


def two_patients(folder: Path) -> None:
    edit(slices(folder)[3], PatientName="SECRET^TWIN", PatientID="SECRETTWIN")


def doubled(folder: Path) -> None:
    (folder / "again.dcm").write_bytes(slices(folder)[3].read_bytes())


def tilted(folder: Path) -> None:
    for number, path in enumerate(slices(folder)):
        shift(path, (0, 0.5 * number, 0))


def no_spacing(folder: Path) -> None:
    for path in slices(folder):
        edit(path, PixelSpacing=["0", "0"])


def spacing_is_no_number(folder: Path) -> None:
    """NaN cannot be set through pydicom: the bytes are changed."""
    for path in slices(folder):
        content = path.read_bytes()
        assert content.count(b"2.0\\2.0 ") + content.count(b"2\\2 ") == 1
        path.write_bytes(content.replace(b"2.0\\2.0 ", b"NaN\\NaN ").replace(b"2\\2 ", b"NaN "))


def truncated(folder: Path) -> None:
    content = slices(folder)[3].read_bytes()
    slices(folder)[3].write_bytes(content[: len(content) // 2])


def cut_in_its_header(folder: Path) -> None:
    slices(folder)[3].write_bytes(slices(folder)[3].read_bytes()[:400])


def one_slice(folder: Path) -> None:
    for path in slices(folder)[1:]:
        path.unlink()


def nothing_in_it(folder: Path) -> None:
    for path in slices(folder):
        path.unlink()
    (folder / "letter.txt").write_text("SECRET")


ODD: dict[Callable[[Path], None], tuple[str, ...]] = {
    nothing_in_it: ("no CT series in", "1 file not DICOM: letter.txt"),
    one_slice: ("is the only slice of its series",),
    two_frames: ("two frames of reference", "CT0004.dcm"),
    two_patients: ("disagree on identity", "CT0004.dcm"),
    doubled: ("two slices at one position", "CT0004.dcm", "again.dcm"),
    tilted: ("gantry tilt", "degrees"),
    no_spacing: ("PixelSpacing is [0.0, 0.0]",),
    spacing_is_no_number: ("PixelSpacing is 'NaN", "finite numbers were expected"),
    truncated: ("CT0004.dcm", "cut off"),
    cut_in_its_header: ("CT0004.dcm",),
}


@pytest.mark.parametrize("spoil", ODD, ids=lambda spoil: spoil.__name__)
def test_an_odd_ct_is_refused_in_words_and_nothing_is_written(
    rtseg: Run, contour: Run, ct: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(ct)
    answer = contour(ct, "--report", tmp_path / "report")
    assert (answer.code, answer.out) == (1, "")
    for words in ODD[spoil]:
        assert words in answer.error
    assert held(tmp_path) == ["ct"]
    checked = rtseg("check", ct)
    assert checked.code == 1
    assert checked.out.splitlines()[-1] == f"refused: {answer.error.removeprefix('error: ')}"


def test_two_series_are_listed_and_one_can_be_chosen(rtseg: Run, contour: Run, tmp_path: Path) -> None:
    folder = tmp_path / "patient"
    for name in ("a", "b"):
        write_ct_series(balls(SQUARE).ct, folder / name, PATIENT, series_description=f"series {name}")
    answer = contour(folder)
    assert (answer.code, answer.out) == (1, "")
    assert "error: 2 CT series in" in answer.err
    assert "Traceback" not in answer.err
    uids = [dcmread(slices(folder / name)[0]).SeriesInstanceUID for name in ("a", "b")]
    for name, uid in zip("ab", uids, strict=True):
        assert f"  {uid}: 34 slices, 'series {name}'" in answer.err.splitlines()
    assert "Choose one with --series UID" in answer.err
    assert held(tmp_path) == ["patient"]
    assert contour(folder, "--series", uids[1][-8:]).code == 0
    written = dcmread(tmp_path / "RS.dcm").ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    assert written.RTReferencedSeriesSequence[0].SeriesInstanceUID == uids[1]
    assert rtseg("check", folder, "--series", uids[0]).code == 0
    assert "has the UID or ending '.9.9.9'" in contour(folder, "--series", ".9.9.9", "--overwrite").err


def test_a_hole_is_refused_unless_it_is_allowed(contour: Run, tmp_path: Path) -> None:
    folder = ball_ct(tmp_path / "ct", without_slices(SQUARE, (3, 4)))
    assert "slices are missing: a gap of 7.5 mm beside slices 2.5 mm apart" in contour(folder).error
    assert held(tmp_path) == ["ct"]
    answer = contour(folder, "--allow-gaps")
    assert answer.code == 0
    assert "uneven_slices" in answer.out


def test_an_output_that_cannot_be_written_is_told(contour: Run, ct: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    places = {
        "nowhere/RS.dcm": "does not exist. Make it first",
        "file/RS.dcm": "does not exist. Make it first",
        "ct": "is a folder: name a file",
        "file": "exists already",
    }
    for place, words in places.items():
        answer = contour(ct, "--output", tmp_path / place)
        assert answer.code == 1
        assert words in answer.error
    assert "is a file" in contour(ct, "--report", tmp_path / "file").error
    assert (tmp_path / "file").read_text() == "mine"
    assert held(tmp_path) == ["ct", "file"]


def test_an_existing_output_is_replaced_only_if_asked_for(contour: Run, ct: Path, tmp_path: Path) -> None:
    assert contour(ct).code == 0
    before = (tmp_path / "RS.dcm").read_bytes()
    assert "exists already: name another file, or ask for overwriting with --overwrite" in contour(ct).error
    assert (tmp_path / "RS.dcm").read_bytes() == before
    assert contour(ct, "--overwrite").code == 0
    assert dcmread(tmp_path / "RS.dcm").SOPInstanceUID.encode() not in before


def test_wrong_names_are_told_with_those_that_exist(rtseg: Run, contour: Run, ct: Path, tmp_path: Path) -> None:
    assert "no model 'hed_neck'" in rtseg("contour", ct, "--output", tmp_path / "x.dcm", "--model", "hed_neck").error
    assert "is no model bundle" in rtseg("contour", ct, "--output", tmp_path / "x.dcm", "--model", ct).error
    assert "has no Liver; it has Parotid_L, Parotid_R, Brainstem" in contour(ct, "--organs", "Liver").error
    assert "no organ is asked for" in contour(ct, "--organs", " , ").error
    assert held(tmp_path) == ["ct"]


def test_unlawful_identity_is_copied_and_told_without_its_text(contour: Run, ct: Path, tmp_path: Path) -> None:
    for path in slices(ct):
        edit(path, PatientBirthDate="SECRETDAY", PatientAge="SECRETAGE", PatientID="SECRETID" * 9, StudyID="SECRETSTUDY" * 2)
    answer = contour(ct, "--report", tmp_path / "report")
    assert answer.code == 0
    assert "identity_unlawful" in answer.out
    assert "SECRET" not in (tmp_path / "report" / "report.html").read_text()


def test_a_patient_of_latin_letters_beyond_ascii(contour: Run, tmp_path: Path) -> None:
    write_ct_series(balls(SQUARE).ct, tmp_path / "ct", Patient("Müller^Änne", "7"))
    answer = contour(tmp_path / "ct")
    assert answer.code == 0
    assert "ller" not in answer.out + answer.err
    assert str(dcmread(tmp_path / "RS.dcm").PatientName) == "Müller^Änne"


# models, demo


def test_models_that_ship_are_listed(rtseg: Run) -> None:
    answer = rtseg("models")
    assert answer.code == 0
    content = json.loads(rtseg("models", "--json").out)
    for row in content:
        assert list(row) == ["name", "version", "folder", "organs", "sha256", "error", "makes_mr"]
        assert row["name"] in answer.out


def test_the_demo_with_a_model_of_ones_own(
    rtseg: Run, ball_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rtseg.jobs import demo as job

    monkeypatch.setattr(job, "DEMO_CASE", tmp_path / "gone")
    answer = rtseg("demo", "--output", tmp_path / "demo", "--model", ball_folder, "--threads", 1)
    assert answer.code == 0
    assert answer.out.startswith("a phantom: the demo patient's folder is gone\nmodel three_balls 1.0")
    assert "Not a medical device" in answer.err
    assert held(tmp_path / "demo") == ["RS.dcm", "ct", "demo.json", "report.html"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.docx").touch()
    refused = rtseg("demo", "--output", tmp_path / "mine", "--model", ball_folder, "--threads", 1)
    assert "holds thesis.docx, which no demo made" in refused.error
    assert "there is no demo of knee; there is head_neck, male_pelvis" in rtseg("demo", "--site", "knee").error


# From cases to a model


def test_pack_train_bundle_contour(rtseg: Run, ct: Path, tmp_path: Path) -> None:
    task, packed, run, model = (tmp_path / name for name in ("task.yaml", "packed", "run", "model"))
    write_yaml(ball_task(), task)
    answer = rtseg("data", "pack", write_ball_cases(tmp_path / "cases"), "--task", task, "--output", packed)
    assert (answer.code, answer.out) == (0, f"3 cases packed into {packed}\n")
    assert "packing 3/3 p3" in answer.err
    train = ("train", "segmentation", "--data", packed, "--run", run, "--task", task, "--threads", 1)
    assert rtseg(*train, "--size", "tiny", "--budget", "0s").out.startswith("step 0 reached")
    answer = rtseg(*train, "--size", "tiny")
    assert (answer.code, answer.out) == (0, f"step 20 reached; make a model of it with: rtseg bundle {run} --output DIR\n")
    assert "step 20/20 " in answer.err
    answer = rtseg("bundle", run, "--output", model)
    assert (answer.code, answer.out.startswith(f"bundle written: {model}")) == (0, True)
    answer = rtseg("contour", ct, "--model", model, "--output", tmp_path / "RS.dcm", "--body", "--threads", 1)
    assert answer.code == 0
    assert ", model model 0.1 sha256:" in answer.out.splitlines()[0]


def test_wrong_words_about_training_are_told(rtseg: Run, tmp_path: Path) -> None:
    train = ("train", "segmentation", "--data", tmp_path / "packed", "--run", tmp_path / "run")
    for words, expected in {
        ("--task", "hed_neck"): "no task 'hed_neck'; did you mean head_neck?",
        ("--system", "dream"): "no system 'dream'",
        ("--budget", "soon"): "a time is a number and s, m or h, as in 30m; got 'soon'",
        (): "holds no packed data",
    }.items():
        answer = rtseg(*train, *words)
        assert (answer.code, answer.out) == (1, "")
        assert expected in answer.error
    assert "is no run folder" in rtseg("bundle", tmp_path, "--output", tmp_path / "model").error
    assert "is not a folder" in rtseg("data", "pack", tmp_path / "cases", "--output", tmp_path / "packed").error
    assert held(tmp_path) == []


# Evaluate


def test_evaluate_tells_organs_gaps_and_where_the_page_is(rtseg: Run, tmp_path: Path) -> None:
    for patient in ("p1", "p2"):
        write_as("masks", moved(organs_of(), columns=1), tmp_path / "auto" / patient)
    for patient in ("p1", "p2", "p3"):
        write_as("masks", organs_of(), tmp_path / "manual" / patient)
    out = tmp_path / "out"
    answer = rtseg("evaluate", tmp_path / "auto", tmp_path / "manual", "--output", out, "--pictures", 0, "--workers", 1)
    assert answer.code == 0
    assert "auto: 2 patients against" in answer.out
    assert "auto: 1 patients without a prediction: p3" in answer.out
    assert held(out) == ["evaluation.json", "figures.csv", "report.html", "summary.csv", "summary.md"]
    two = ("evaluate", f"old={tmp_path / 'auto'}", tmp_path / "auto", tmp_path / "manual", "--workers", 1, "--pictures", 0)
    answer = rtseg(*two, "--output", tmp_path / "two", "--json", "--organs", "Brainstem,Larynx")
    about = json.loads(answer.out)
    assert list(about["predicted"]) == ["old", "auto"]
    assert about["organs"]["old"][0]["organ"] == "Brainstem"
    again = rtseg(*two, "--output", out)
    assert "--overwrite" in again.error


def test_evaluate_ends_with_1_if_a_patient_could_not_be_compared(rtseg: Run, tmp_path: Path) -> None:
    for name in ("auto", "manual"):
        for patient in ("p1", "p2"):
            write_as("masks", organs_of(), tmp_path / name / patient)
    (tmp_path / "auto" / "p2" / "Brainstem.nii.gz").write_bytes(b"nothing")
    answer = rtseg(
        "evaluate", tmp_path / "auto", tmp_path / "manual", "--output", tmp_path / "out", "--workers", 1, "--pictures", 0
    )
    assert answer.code == 1
    assert "not compared: p2 (auto): " in answer.out
    assert (tmp_path / "out" / "report.html").is_file()
