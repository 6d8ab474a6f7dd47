"""A night's batch: everybody has a verdict, nobody stops the others, and the same order again does only what is not done."""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import dask
import distributed  # noqa: F401  # so that its configuration is there before a test changes it
import pytest
from batch_clusters import DOWN, preload
from contour_cases import ball_ct, edit, slices
from phantoms import axial_geometry, without_slices

from rtseg.core import BundleError, ConfigError, InputError, OutputError
from rtseg.jobs import batch
from rtseg.jobs.batch import WORKER, BatchOrder, BatchResult, run_batch
from rtseg.jobs.batch_dask import local_workers
from rtseg.jobs.batch_record import read_record, write_record

SQUARE = axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64))


@dataclass
class Heard:
    """What was told, and when to be stopped."""

    lines: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    begun: tuple[int, int] = (0, 0)
    stop_after: int = 10**9
    ended: bool = False

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, total: int, done: int = 0) -> None:
        self.begun = (total, done)

    def advance(self, words: str) -> None:
        self.words.append(words)
        if len(self.words) >= self.stop_after:
            raise KeyboardInterrupt

    def end(self) -> None:
        self.ended = True


def run(order: BatchOrder, heard: Heard | None = None) -> BatchResult:
    heard = heard or Heard()
    return run_batch(order, heard.say, heard)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def written(output: Path) -> dict[str, int]:
    """Contours and records with the time they were written."""
    return {str(p.relative_to(output)): p.stat().st_mtime_ns for p in output.rglob("*") if p.name in ("RS.dcm", "batch.json")}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients, one with a hole, one that takes workers down, one MR."""
    root = tmp_path_factory.mktemp("ward") / "in"
    for name in ("p01", "ward <b>/p02", DOWN):
        ball_ct(root / name, SQUARE)
    ball_ct(root / "hole", without_slices(SQUARE, (3, 4)))
    for path in slices(ball_ct(root / "mr", SQUARE))[:3]:
        edit(path, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR")
    for path in slices(root / "mr")[3:]:
        path.unlink()
    return root


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster whose workers, kept warm for all tests, go down when they open a CT of DOWN."""
    preloads = [str(preload(tmp_path_factory.mktemp("preload")))]
    with dask.config.set({"distributed.worker.preload": preloads}), local_workers(2, WORKER) as client:
        yield client.scheduler.address


@pytest.fixture(scope="module")
def night(
    ward: Path, ball_folder: Path, scheduler: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[BatchOrder, BatchResult, Heard]:
    """The first run over it."""
    output = tmp_path_factory.mktemp("night") / "out"
    order, heard = BatchOrder(ward, output, str(ball_folder), threads=1, scheduler=scheduler), Heard()
    return order, run(order, heard), heard


Night = tuple[BatchOrder, BatchResult, Heard]


def test_everybody_has_the_right_verdict(night: Night) -> None:
    _, result, heard = night
    assert result.done_now == ("p01", "ward <b>/p02")
    assert {name: failure.kind for name, failure in result.failures.items()} == {DOWN: "worker_lost", "hole": "refused"}
    assert "2 workers that had this patient went down" in result.failures[DOWN].reason
    assert result.left_out == 1
    assert heard.begun == (4, 0)
    assert heard.ended
    assert len(heard.words) == 4


def test_the_output_mirrors_the_input(night: Night) -> None:
    order, _, _ = night
    assert sorted(written(order.output)) == [
        *("hole/batch.json", "p01/RS.dcm", "p01/batch.json"),
        *(f"{DOWN}/batch.json", "ward <b>/p02/RS.dcm", "ward <b>/p02/batch.json"),
    ]


def test_the_tables_tell_patients_organs_failures_and_what_was_left_out(night: Night) -> None:
    order, _, _ = night
    summary = rows(order.output / "summary.csv")
    assert [(row["patient"], row["organ"]) for row in summary] == [
        (name, organ) for name in ("p01", "ward <b>/p02") for organ in ("Parotid_L", "Parotid_R", "Brainstem")
    ]
    assert all(float(row["volume_ml"]) > 0 and float(row["seconds"]) > 0 for row in summary)
    assert {row["predicted_dsc"] for row in summary} == {""}
    failures = rows(order.output / "failures.csv")
    assert [(row["patient"], row["kind"]) for row in failures] == [("hole", "refused"), (DOWN, "worker_lost")]
    assert "slices are missing: a gap of 7.5 mm" in failures[0]["reason"]
    (left_out,) = rows(order.output / "left_out.csv")
    assert (Path(left_out["folder"]).name, left_out["files"], left_out["reason"]) == ("mr", "3", "MR Image Storage")


def test_the_page_shows_all_of_it_with_names_escaped(night: Night) -> None:
    order, _, _ = night
    page = (order.output / "index.html").read_text(encoding="utf-8")
    assert "ward &lt;b&gt;/p02" in page
    assert "ward <b>" not in page
    assert 'src="ward%20%3Cb%3E/p02/thumbnail.png"' in page
    assert (order.output / "ward <b>" / "p02" / "thumbnail.png").is_file()
    for words in ("slices are missing", "went down", "MR Image Storage", "three_balls sha256:"):
        assert words in page
    assert "SECRET" not in page


def test_the_same_again_does_nothing_and_says_the_same(night: Night) -> None:
    order, first, _ = night
    before = written(order.output)
    heard = Heard()
    result = run(order, heard)
    assert (result.done_now, result.remembered, heard.words) == ((), ("hole", DOWN), [])
    assert result.records == first.records
    assert written(order.output) == before
    assert len(rows(order.output / "failures.csv")) == 2
    assert heard.lines[-1] == "4 CTs: 2 done before, 2 refused before, 0 to contour"


def test_only_what_is_new_or_asked_for_again_is_done(night: Night, ward: Path, tmp_path: Path) -> None:
    order, _, _ = night
    shutil.copytree(order.output, tmp_path / "out")
    shutil.copytree(ward, tmp_path / "in")
    shutil.copytree(ward / "p01", tmp_path / "in" / "p03")
    for path in slices(tmp_path / "in" / "p03"):
        edit(path, SeriesInstanceUID="1.2.3")
    shutil.rmtree(tmp_path / "in" / DOWN)
    other = replace(order, source=tmp_path / "in", output=tmp_path / "out")
    before = written(tmp_path / "out")
    assert run(other).done_now == ("p03",)
    after = written(tmp_path / "out")
    assert {name: after[name] for name in before} == before
    again = run(replace(other, retry_failed=True))
    assert (again.done_now, again.remembered) == ((), ())
    assert {name: failure.kind for name, failure in again.failures.items()} == {"hole": "refused"}
    assert {name for name, when in written(tmp_path / "out").items() if when != after[name]} == {"hole/batch.json"}


def test_stopped_half_way_the_tables_are_whole_and_the_rest_is_done_later(ward: Path, ball_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(ward, tmp_path / "in", ignore=shutil.ignore_patterns(DOWN, "mr"))
    order = BatchOrder(tmp_path / "in", tmp_path / "out", str(ball_folder), workers=1, threads=1)
    heard = Heard(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        run(order, heard)
    assert heard.ended
    told = {row["patient"] for name in ("summary.csv", "failures.csv") for row in rows(tmp_path / "out" / name)}
    assert len(told) == 2
    assert "not done yet: the same command goes on" in (tmp_path / "out" / "index.html").read_text()
    before = written(tmp_path / "out")
    assert set(run(order).records) == {"p01", "ward <b>/p02", "hole"}
    assert {name: when for name, when in written(tmp_path / "out").items() if name in before} == before


def test_contours_stay_where_they_are_when_a_second_series_comes_into_the_folder(
    ward: Path, ball_folder: Path, scheduler: str, tmp_path: Path
) -> None:
    shutil.copytree(ward / "p01", tmp_path / "in" / "p01")
    order = BatchOrder(tmp_path / "in", tmp_path / "out", str(ball_folder), threads=1, scheduler=scheduler)
    run(order)
    for path in slices(ward / "p01"):
        shutil.copy(path, tmp_path / "in" / "p01" / f"second{path.name}")
        edit(tmp_path / "in" / "p01" / f"second{path.name}", SeriesInstanceUID="1.2.345678901")
    before = written(tmp_path / "out")
    assert run(order).done_now == ("p01/45678901",)
    assert {name: when for name, when in written(tmp_path / "out").items() if name in before} == before


def test_a_batch_that_cannot_be_is_told_before_the_work(ward: Path, ball_folder: Path, tmp_path: Path) -> None:
    order = BatchOrder(ward, tmp_path / "out", str(ball_folder))
    with pytest.raises(InputError, match=r"is no folder: a folder with planning CTs was expected"):
        run(replace(order, source=tmp_path / "nowhere"))
    for output in (ward, ward / "out", ward.parent):
        with pytest.raises(ConfigError, match=r"lie in each other: name an output folder outside"):
            run(replace(order, output=output))
    with pytest.raises(BundleError, match="no model 'nonsense'"):
        run(replace(order, model="nonsense"))
    with pytest.raises(ConfigError, match="has no Liver; it has Parotid_L, Parotid_R, Brainstem"):
        run(replace(order, organs=("Liver",)))
    with pytest.raises(ConfigError, match="no organ is asked for"):
        run(replace(order, organs=()))
    with pytest.raises(ConfigError, match="--workers is for this computer"):
        run(replace(order, workers=2, scheduler="tcp://127.0.0.1:1"))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        run(replace(order, output=tmp_path / "file" / "out"))
    assert not (ward / "out").exists()


def test_two_batches_into_one_folder_are_refused(ward: Path, ball_folder: Path, tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match=r"another `rtseg batch` writes into"):
            run(BatchOrder(ward, tmp_path, str(ball_folder)))
    finally:
        os.close(handle)


def test_a_folder_without_a_ct_is_refused_and_what_is_there_is_listed(ball_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "letter.txt").write_text("x")
    with pytest.raises(InputError, match=r"no CT below .*left_out.csv"):
        run(BatchOrder(tmp_path / "in", tmp_path / "out", str(ball_folder)))
    assert [row["names"] for row in rows(tmp_path / "out" / "left_out.csv")] == ["letter.txt"]


def test_names_in_no_encoding_are_told_all_the_same(ball_folder: Path, scheduler: str, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/p\xe9"))
    ball_ct(folder, without_slices(SQUARE, (3, 4)))
    order = BatchOrder(tmp_path / "in", tmp_path / "out", str(ball_folder), threads=1, scheduler=scheduler)
    assert [failure.kind for failure in run(order).failures.values()] == ["refused"]
    assert rows(tmp_path / "out" / "failures.csv")[0]["patient"] == "p\\udce9"
    assert "p\\udce9" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert run(order).remembered == (os.fsdecode(b"p\xe9"),)


def test_tables_are_written_while_the_work_goes_on(
    ward: Path, ball_folder: Path, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "TABLES_EVERY_S", 0.0)
    seen: list[int] = []

    class Look(Heard):
        def advance(self, words: str) -> None:
            seen.append(len(rows(tmp_path / "out" / "failures.csv")) if (tmp_path / "out" / "failures.csv").exists() else -1)
            super().advance(words)

    shutil.copytree(ward / "hole", tmp_path / "in" / "a")
    shutil.copytree(ward / "hole", tmp_path / "in" / "b")
    run(BatchOrder(tmp_path / "in", tmp_path / "out", str(ball_folder), threads=1, scheduler=scheduler), Look())
    assert seen == [-1, 1]


def test_a_record_of_an_older_rtseg_does_not_keep_a_failure(night: Night, tmp_path: Path) -> None:
    order, _, _ = night
    record = read_record(order.output / "hole")
    assert record is not None
    shutil.copytree(order.output, tmp_path / "out")
    write_record(replace(record, rtseg="0.0.9"), tmp_path / "out" / "hole")
    result = run(replace(order, output=tmp_path / "out"))
    assert result.remembered == (DOWN,)
    assert result.failures["hole"].kind == "refused"
