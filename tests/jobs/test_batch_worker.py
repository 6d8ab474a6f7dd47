"""One patient of a batch: written whole, done once, and every failure a record with its reason."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from contour_cases import ball_ct, balls
from phantoms import axial_geometry, without_slices
from pydicom import dcmread

from rtseg.data import write_nifti
from rtseg.jobs import batch_worker
from rtseg.jobs.batch_cases import find_cases
from rtseg.jobs.batch_order import BatchOrder, Errand
from rtseg.jobs.batch_record import Failure, Record, is_done, is_remembered, read_record
from rtseg.jobs.batch_worker import contour_patient, failed
from rtseg.systems import verify_bundle

SQUARE = axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64))


@pytest.fixture(scope="module")
def cts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("batch") / "in"
    ball_ct(root / "p01", SQUARE)
    ball_ct(root / "hole", without_slices(SQUARE, (3, 4)))
    write_nifti(balls(SQUARE).ct, root / "n01.nii.gz")
    return root


@pytest.fixture
def errand(cts: Path, ball_folder: Path, tmp_path: Path) -> Errand:
    return errand_for("p01", cts, ball_folder, tmp_path)


def errand_for(name: str, cts: Path, bundle: Path, output: Path) -> Errand:
    case = next(case for case in find_cases(cts).cases if case.name == name)
    order = BatchOrder(cts, output, str(bundle), threads=1)
    return Errand.of(case, order, str(bundle), verify_bundle(bundle))


def with_options(errand: Errand, **options: object) -> Errand:
    order = replace(errand.options, **options)  # type: ignore[arg-type]
    return Errand.of(errand.case, order, errand.model, errand.model_sha256)


def held(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def reason(record: Record) -> tuple[str, str]:
    assert record.failure is not None
    return record.failure.kind, record.failure.reason


def dates(errand: Errand) -> dict[str, int]:
    return {name: (errand.place / name).stat().st_mtime_ns for name in held(errand.place)}


def test_a_patient_has_contours_a_picture_and_a_record(errand: Errand) -> None:
    record = contour_patient(errand)
    assert record.failure is None
    assert held(errand.place) == ["RS.dcm", "batch.json", "thumbnail.png"]
    assert read_record(errand.place) == record
    assert record.answer is not None
    assert set(record.answer["volumes_ml"]) == {"Parotid_L", "Parotid_R", "Brainstem"}
    assert {"read CT", "contour", "write and read back", "thumbnail"} <= set(record.answer["seconds"])
    assert record.seconds == pytest.approx(sum(record.answer["seconds"].values()))
    assert is_done(record, errand)
    text = (errand.place / "batch.json").read_text()
    assert "SECRET" not in text
    assert (errand.place / "thumbnail.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_done_is_not_done_again_by_a_worker_that_comes_late(errand: Errand) -> None:
    contour_patient(errand)
    before = dates(errand)
    assert contour_patient(errand) == read_record(errand.place)
    assert dates(errand) == before


def test_another_option_bundle_or_input_is_done_anew_and_a_report_is_added(errand: Errand) -> None:
    record = contour_patient(errand)
    assert is_done(record, errand)
    for other in (
        with_options(errand, body=True),
        with_options(errand, organs=("Brainstem",)),
        with_options(errand, allow_gaps=True),
        with_options(errand, report=True),
        replace(errand, key=Errand.of(errand.case, errand.options, errand.model, "f" * 64).key),
        replace(errand, key=Errand.of(replace(errand.case, files=errand.case.files[1:]), errand.options, "m", "s").key),
    ):
        assert not is_done(record, other)
    assert is_done(record, with_options(errand, threads=4, retry_failed=True, workers=3))
    made = contour_patient(with_options(errand, report=True))
    assert held(errand.place) == ["RS.dcm", "batch.json", "report.html", "thumbnail.png"]
    assert is_done(made, errand)


def test_a_file_that_is_gone_is_made_anew(errand: Errand) -> None:
    record = contour_patient(errand)
    (errand.place / "RS.dcm").unlink()
    assert not is_done(record, errand)
    assert is_done(contour_patient(errand), errand)
    assert (errand.place / "RS.dcm").is_file()


def test_a_nifti_ct_gives_masks(cts: Path, ball_folder: Path, tmp_path: Path) -> None:
    errand = errand_for("n01", cts, ball_folder, tmp_path)
    record = contour_patient(errand)
    names = [f"masks/{organ}.nii.gz" for organ in ("Brainstem", "Parotid_L", "Parotid_R")]
    assert held(errand.place) == ["batch.json", *names, "thumbnail.png"]
    assert is_done(record, errand)
    (errand.place / names[0]).unlink()
    assert not is_done(record, errand)
    assert contour_patient(errand).failure is None
    assert held(errand.place) == ["batch.json", *names, "thumbnail.png"]


def test_a_ct_that_cannot_be_contoured_is_refused_and_remembered(cts: Path, ball_folder: Path, tmp_path: Path) -> None:
    errand = errand_for("hole", cts, ball_folder, tmp_path)
    record = contour_patient(errand)
    assert reason(record)[0] == "refused"
    assert "slices are missing" in reason(record)[1]
    assert held(errand.place) == ["batch.json"]
    assert read_record(errand.place) == record
    assert is_remembered(record, errand)
    assert not is_remembered(record, with_options(errand, allow_gaps=True))
    assert not is_remembered(replace(record, rtseg="0.0.9"), errand)
    assert contour_patient(with_options(errand, allow_gaps=True)).failure is None


@pytest.mark.parametrize("kind", ["not_now", "bug"])
def test_what_does_not_lie_in_the_ct_is_tried_again(kind: str, errand: Errand) -> None:
    record = failed(errand, Failure(kind, "x"), None)  # type: ignore[arg-type]
    assert read_record(errand.place) == record
    assert not is_remembered(record, errand)
    assert is_remembered(replace(record, failure=Failure("worker_lost", "x")), errand)


def test_a_bug_is_told_as_one_with_its_traceback(errand: Errand, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(batch_worker, "_write_thumbnail", broken)
    record = contour_patient(errand)
    assert reason(record)[0] == "bug"
    assert reason(record)[1].startswith("ZeroDivisionError: division by zero. This is a bug of rtseg")
    assert record.failure is not None
    assert "in broken" in record.failure.traceback
    monkeypatch.undo()
    assert contour_patient(errand).failure is None


def test_too_little_memory_is_no_bug(errand: Errand, monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*_: object) -> None:
        raise MemoryError("Unable to allocate 9 GiB")

    monkeypatch.setattr(batch_worker, "_write_thumbnail", hungry)
    assert reason(contour_patient(errand))[0] == "not_now"


def test_a_full_disk_leaves_nothing_half_written_and_is_tried_again(errand: Errand) -> None:
    with files_of_at_most(8000):
        record = contour_patient(errand)
    assert reason(record) == ("not_now", f"{errand.place / 'RS.dcm'} cannot be written: File too large")
    assert held(errand.place) == ["batch.json"]
    assert not is_remembered(read_record(errand.place), errand)
    assert contour_patient(errand).failure is None


def test_contours_changed_by_somebody_are_not_replaced(errand: Errand) -> None:
    record = contour_patient(errand)
    file = errand.place / "RS.dcm"
    file.write_bytes(file.read_bytes() + b"corrected")
    assert is_done(record, errand)
    other = with_options(errand, body=True)
    assert reason(contour_patient(other)) == (
        "not_now",
        f"{file} was changed since rtseg made it: move it away to have it made again "
        f"(The contours in {errand.place} were made earlier, by {record.model}.)",
    )
    assert file.read_bytes().endswith(b"corrected")
    assert "was changed since" in reason(contour_patient(other))[1]
    file.unlink()
    assert contour_patient(other).failure is None


def test_another_makers_contours_are_not_replaced(errand: Errand) -> None:
    errand.place.mkdir()
    (errand.place / "RS.dcm").write_text("mine")
    assert "RS.dcm was not made by rtseg for this series: move it away" in reason(contour_patient(errand))[1]
    assert (errand.place / "RS.dcm").read_text() == "mine"


def test_contours_without_their_record_are_made_again_if_they_are_ours(errand: Errand) -> None:
    contour_patient(errand)
    first = dcmread(errand.place / "RS.dcm").SOPInstanceUID
    (errand.place / "batch.json").unlink()
    assert contour_patient(errand).failure is None
    assert dcmread(errand.place / "RS.dcm").SOPInstanceUID != first
    (errand.place / "batch.json").unlink()
    elsewhere = replace(errand, case=replace(errand.case, series_uid="1.2.3"))
    assert "not made by rtseg for this series" in reason(contour_patient(elsewhere))[1]


def test_what_a_killed_worker_left_half_written_goes(errand: Errand) -> None:
    errand.place.mkdir()
    (errand.place / ".RS.dcm.12345678.tmp").touch()
    (errand.place / ".masks.12345678.tmp").mkdir()
    contour_patient(errand)
    assert held(errand.place) == ["RS.dcm", "batch.json", "thumbnail.png"]
    assert not list(errand.place.glob(".*"))


def test_a_record_that_cannot_be_read_counts_for_nothing(errand: Errand) -> None:
    contour_patient(errand)
    for text in ("", "[]", "{}", json.dumps({"key": "x", "failure": {"cause": 1}}), "\xff"):
        (errand.place / "batch.json").write_text(text, encoding="latin-1")
        assert read_record(errand.place) is None
    assert contour_patient(errand).failure is None


def test_a_worker_that_does_not_see_the_folders_says_so(errand: Errand, tmp_path: Path) -> None:
    away = replace(errand.case, files=(tmp_path / "away.dcm",))
    kind, words = reason(contour_patient(replace(errand, case=away)))
    assert kind == "not_now"
    assert "away.dcm is not there for the worker on " in words
    (tmp_path / "file").touch()
    assert "cannot be made on " in reason(contour_patient(replace(errand, place=tmp_path / "file" / "p01")))[1]


def test_a_worker_with_another_model_of_that_name_says_so(errand: Errand) -> None:
    kind, words = reason(contour_patient(replace(errand, model_sha256="f" * 64)))
    assert kind == "not_now"
    assert "is not the one that the batch was started with" in words


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The disk is full after so many bytes of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
