"""Every bad input is answered: `check` and `contour` name the file or value, write nothing half, and leave the input as it is."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from contour_cases import ball_ct, edit, slices
from odd_folders import ODD_FOLDERS, Odd
from phantoms import axial_geometry
from pydicom import Dataset, FileDataset, FileMetaDataset, dcmread
from pydicom.tag import Tag
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from rtseg.cli import main
from rtseg.core import InputError, RtsegError
from rtseg.dicom.find_series import scan_folder
from rtseg.jobs.contour import ContourOrder, Stopwatch, contour_series
from rtseg.systems import Bundle

Find = Callable[[str], Path]


@dataclass(frozen=True)
class Answer:
    """Whether it went well, what was printed, and what was said beside it; of a refusal the error alone."""

    code: int
    out: str
    err: str


class Commands:
    """Runs `rtseg check`, and what `rtseg contour` does, with a tiny bundle; neither may change its input."""

    def __init__(self, model: Bundle, output: Path, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> None:
        self.output, self._model, self._patch, self._captured = output, model, patch, captured

    def rtseg(self, *words: object) -> Answer:
        self._patch.setattr(sys, "argv", ["rtseg", *map(str, words)])
        self._captured.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Answer(int(ended.value.code or 0), *self._captured.readouterr())

    def check(self, source: Path, series: str | None = None) -> Answer:
        before = contents(source)
        answer = self.rtseg("check", source, *(() if series is None else ("--series", series)))
        assert contents(source) == before
        return answer

    def contour(self, source: Path, series: str | None = None) -> str | None:
        """None if a structure set was written, else the words why not: then nothing is there."""
        before, held = contents(source), sorted(self.output.parent.iterdir())
        try:
            contour_series(ContourOrder(source, self.output, series=series, overwrite=True), self._model, Stopwatch())
        except RtsegError as error:
            assert sorted(self.output.parent.iterdir()) == held
            return str(error)
        finally:
            assert contents(source) == before
        assert dcmread(self.output).Modality == "RTSTRUCT"
        return None

    def refusal(self, source: Path, series: str | None = None) -> str:
        """What both commands say of a CT that they refuse: the same."""
        checked, said = self.check(source, series), self.contour(source, series)
        assert checked.code == 1
        assert said is not None
        assert checked.out.strip().endswith(f"refused: {said}")
        assert "Traceback" not in checked.out + checked.err
        return said


def contents(source: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder that may be read: when it was changed, and its bytes."""
    found = sorted(source.rglob("*")) if source.is_dir() else [source]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found if path.is_file()}


@pytest.fixture
def commands(ball_model: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    (tmp_path / "out").mkdir()
    return Commands(ball_model, tmp_path / "out" / "RS.dcm", monkeypatch, capsys)


SMALL = axial_geometry(shape=(12, 30, 34), spacing_mm=(6.0, 4.0, 4.0))


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    return ball_ct(tmp_path / "ct", SMALL)


# The museum of odd folders


@pytest.mark.parametrize("odd", ODD_FOLDERS, ids=lambda odd: odd.name)
def test_an_odd_folder_is_read_or_refused_in_words(commands: Commands, test_data: Find, odd: Odd) -> None:
    folder = test_data(f"dicom_odd/{odd.folder}")
    if odd.refusal is not None:
        assert re.search(odd.refusal, commands.refusal(folder, odd.series))
        return
    checked, refusal = commands.check(folder, odd.series), commands.contour(folder, odd.series)
    assert checked.code == 0
    for kind in odd.findings:
        assert f"  {kind}: " in checked.out
    if odd.hole:
        assert "--allow-gaps" in checked.out
        assert refusal is not None
        assert "slices are missing" in refusal
    elif refusal is not None:  # a tiny model need not find anything in it: that is said, too
        assert "was found, so there is nothing to write" in refusal


def test_every_odd_folder_has_its_verdict(test_data: Find) -> None:
    there = {path.name for path in test_data("dicom_odd").iterdir() if path.is_dir()}
    assert there == {odd.folder for odd in ODD_FOLDERS}


def test_the_table_of_verdicts_tells_what_is_tested() -> None:
    page = Path(__file__).parents[2] / "docs" / "bad_input.md"
    rows = [
        re.split(r" (?<!\\)\| ", line.strip("| ")) for line in page.read_text(encoding="utf-8").splitlines() if line[:2] == "| "
    ]
    told = {name: (check, contour, words) for name, check, contour, words, *_ in rows}
    for odd in ODD_FOLDERS:
        check, contour, words = told[odd.name]
        assert check == ("read" if odd.refusal is None else "refused"), odd.name
        assert contour.startswith("refused") or odd.refusal is None, odd.name
        assert re.search(odd.refusal or odd.findings[-1], words), odd.name


# Names


def test_names_in_other_scripts_stand_unchanged_in_the_structure_set(commands: Commands, test_data: Find, ct: Path) -> None:
    seen = 0
    for source in sorted(test_data("dicom_odd/names_in_other_scripts").iterdir()):
        data = dcmread(source, force=True, specific_tags=["SpecificCharacterSet", "PatientName"])
        if "PatientName" not in data or "SpecificCharacterSet" not in data:
            continue
        for path in slices(ct):
            edit(path, SpecificCharacterSet=data.SpecificCharacterSet, PatientName=data.PatientName)
        assert commands.contour(ct) is None, source.name
        back = dcmread(commands.output)
        assert raw(back) == raw(dcmread(slices(ct)[0])), source.name
        assert (back.SpecificCharacterSet, back.PatientName) == (data.SpecificCharacterSet, data.PatientName), source.name
        seen += 1
    assert seen >= 12


PATIENT_NAME = Tag("PatientName")


def raw(data: Dataset) -> bytes:
    """The name as the file spells it, without what fills it up."""
    value = data.get_item(PATIENT_NAME).value
    assert isinstance(value, bytes)
    return value.rstrip(b" \0")


# Folders


def test_a_localizer_between_the_slices_is_left_out(commands: Commands, ct: Path) -> None:
    shutil.copy(slices(ct)[0], ct / "scout.dcm")
    edit(ct / "scout.dcm", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SOPInstanceUID="1.2.3", Rows=7)
    checked = commands.check(ct)
    assert checked.code == 0
    assert "localizer (scout view), not a slice (scout.dcm)" in checked.out
    assert commands.contour(ct) is None
    assert "1.2.3" not in images_of(commands.output)


def images_of(structures: Path) -> set[str]:
    series = dcmread(structures).ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    return {str(image.ReferencedSOPInstanceUID) for image in series.ContourImageSequence}


def test_an_index_of_a_medium_is_passed_over_even_if_broken(commands: Commands, ct: Path) -> None:
    index = FileDataset(ct / "DICOMDIR", Dataset(), preamble=bytes(128), file_meta=FileMetaDataset())
    index.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    index.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    index.FileSetID = "MEDIUM"
    index.save_as(ct / "DICOMDIR", enforce_file_format=True)
    assert "0 findings" in commands.check(ct).out
    (ct / "DICOMDIR").write_bytes((ct / "DICOMDIR").read_bytes()[:-3])
    assert "0 findings" in commands.check(ct).out
    assert commands.contour(ct) is None
    assert "DICOMDIR is a file: name the folder" in commands.refusal(ct / "DICOMDIR")


def test_an_enhanced_ct_is_refused_by_its_class(commands: Commands, ct: Path) -> None:
    for path in slices(ct)[1:]:
        path.unlink()
    edit(slices(ct)[0], SOPClassUID=EnhancedCTImageStorage, NumberOfFrames="12")
    said = commands.refusal(ct)
    assert "CT0001.dcm is Enhanced CT Image Storage with 12 frames in one file: rtseg reads CT with one slice per file" in said
    assert "Export the series as single-frame CT" in said


def test_an_orientation_without_right_angles_is_refused(commands: Commands, ct: Path) -> None:
    for path in slices(ct):
        edit(path, ImageOrientationPatient=["1", "0", "0", "0.1", "0.995", "0"])
    said = commands.refusal(ct)
    assert "CT0001.dcm is [1.0, 0.0, 0.0, 0.1, 0.995, 0.0]: two unit vectors at right angles were expected" in said
    assert "Export the series again" in said


def test_progress_of_a_large_folder_is_told(commands: Commands, tmp_path: Path) -> None:
    crowd = tmp_path / "crowd"
    crowd.mkdir()
    for i in range(6000):
        (crowd / f"{i:05d}.txt").write_bytes(b"no image")
    answer = commands.check(crowd)
    assert answer.code == 1
    assert [line.split() for line in answer.err.splitlines()] == [
        ["files", "looked", "at:", "5000/6000"],
        ["files", "looked", "at:", "6000/6000"],
    ]
    assert "Found: 6000 files not DICOM: 00000.txt, " in answer.out


def test_a_link_to_nothing_is_no_slice_that_may_be_passed_over(commands: Commands, ct: Path) -> None:
    slices(ct)[3].unlink()
    (ct / "CT0004.dcm").symlink_to("archive/CT0004.dcm")
    assert re.search(r"CT0004\.dcm is a link to nothing.*may be a slice of the CT.*remove the link", commands.refusal(ct))


def test_folders_behind_links_are_looked_into_and_circles_end(commands: Commands, ct: Path, tmp_path: Path) -> None:
    patient = tmp_path / "patient"
    patient.mkdir()
    (patient / "planning").symlink_to(ct)
    (patient / "circle").symlink_to(patient)
    assert "0 findings" in commands.check(patient).out


def test_names_of_files_in_another_encoding_are_told_in_utf8(commands: Commands, ct: Path, ball_model: Bundle) -> None:
    latin = Path(os.fsdecode(os.fsencode(ct.parent) + b"/M\xfcller"))
    ct.rename(latin)
    (latin / os.fsdecode(b"Gr\xf6\xdfe.txt")).touch()
    assert "not DICOM (Gr\\udcf6\\udcdfe.txt)" in commands.check(latin).out
    report = commands.output.parent / "report"
    contour_series(ContourOrder(latin, commands.output, report=report), ball_model, Stopwatch())
    assert "Gr\\udcf6\\udcdfe.txt" in (report / "report.html").read_text(encoding="utf-8")
    for path in latin.iterdir():
        path.unlink()
    assert "no CT series in" in commands.refusal(latin)


def test_a_pipe_is_not_waited_for(commands: Commands, ct: Path) -> None:
    os.mkfifo(ct / "pipe")
    assert commands.check(ct).code == 0


# Rights and space


@contextmanager
def without_rights(path: Path, mode: int) -> Iterator[None]:
    """Take rights away from a path; root, who needs none, becomes nobody meanwhile."""
    before = path.stat().st_mode
    path.chmod(mode)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        path.chmod(before)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_that_may_not_be_entered_is_told_and_not_passed_over(commands: Commands, open_folder: Path) -> None:
    from rtseg.jobs.check import check_ct

    ball_ct(open_folder / "ct" / "first", SMALL)
    (open_folder / "ct" / "rest").mkdir()
    for mode in (0o000, 0o444):  # neither listed nor entered; listed only
        (open_folder / "ct" / "rest" / "CT0099.dcm").touch()
        with without_rights(open_folder / "ct" / "rest", mode):
            error = check_ct(open_folder / "ct").error
        assert error is not None
        assert re.search(r"rest\S* may not be looked at \(Permission denied\).*Give yourself the right", error)


def test_a_folder_that_may_not_be_entered_is_one_patient_of_a_batch_and_stops_no_other(open_folder: Path) -> None:
    from rtseg.jobs.batch_cases import find_cases

    ball_ct(open_folder / "p01", SMALL)
    ball_ct(open_folder / "p02", SMALL)
    with without_rights(open_folder / "p02", 0o000):
        found = {str(case.place): len(case.files) for case in find_cases(open_folder).cases}
        assert found == {"p01": len(slices(open_folder / "p01")), "p02": 1}
        with pytest.raises(InputError, match="p02 may not be opened: give yourself the right"):
            scan_folder(open_folder / "p02", [open_folder / "p02"])


def test_a_slice_that_may_not_be_opened_is_named(open_folder: Path) -> None:
    from rtseg.jobs.check import check_ct

    ct = ball_ct(open_folder / "ct", SMALL)
    with without_rights(slices(ct)[3], 0o000):
        error = check_ct(ct).error
    assert error is not None
    assert re.search(r"CT0004\.dcm may not be opened: give yourself the right to read it", error)


def test_no_right_to_write_leaves_nothing(commands: Commands, open_folder: Path) -> None:
    ct, target = ball_ct(open_folder / "ct", SMALL), open_folder / "target"
    target.mkdir()
    commands.output = target / "RS.dcm"
    with without_rights(target, 0o555):
        refusal = commands.contour(ct)
    assert refusal is not None
    assert re.search(r"target/RS\.dcm cannot be written: (Permission denied|you have no right)", refusal)
    assert list(target.iterdir()) == []


# Models


@pytest.fixture
def altered(ball_folder: Path, tmp_path: Path) -> Path:
    """The tiny bundle with one bit of its weights turned."""
    shutil.copytree(ball_folder, tmp_path / "altered")
    weights = tmp_path / "altered" / "segmenter.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    return tmp_path / "altered"


def test_a_model_that_is_unknown_or_not_the_one_that_was_bundled_is_refused(commands: Commands, ct: Path, altered: Path) -> None:
    refusals = {
        "head_nek": "no model 'head_nek': neither a folder nor a model that ships",
        altered: "segmenter.safetensors is not the file that was bundled (SHA-256 differs); get the bundle again",
    }
    for model, words in refusals.items():
        answer = commands.rtseg("contour", ct, "--model", model, "--output", commands.output, "--threads", 1)
        assert (answer.code, answer.out) == (1, "")
        assert words in answer.err
        assert not commands.output.exists()
