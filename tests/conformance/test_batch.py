"""A batch under fire: workers, the driver and the disk fail half-way, and in the morning everybody has the right verdict."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from batch_clusters import DOWN, cluster, preload, rtseg_batch, wait_until
from contour_cases import ball_ct
from phantoms import axial_geometry

from rtseg.data import axial, find_cases, squared
from rtseg.dicom import Patient, write_ct_series
from rtseg.systems import shipped_bundles

pytestmark = pytest.mark.conformance

SQUARE = axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64))

PATIENTS = tuple(f"p{number}" for number in range(4))


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four patients."""
    root = tmp_path_factory.mktemp("ward") / "in"
    for name in PATIENTS:
        ball_ct(root / name, SQUARE)
    return root


def contoured(output: Path) -> dict[str, int]:
    """Patients with contours and their record, and when the contours were written."""
    there = [file.parent for file in output.glob("*/batch.json") if json.loads(file.read_text())["failure"] is None]
    return {folder.name: (folder / "RS.dcm").stat().st_mtime_ns for folder in there}


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def half_written(output: Path) -> list[Path]:
    return list(output.rglob(".*.tmp"))


def test_one_of_two_workers_is_killed_half_way(ward: Path, ball_folder: Path, tmp_path: Path) -> None:
    with cluster(tmp_path) as made:
        made.add_worker("--no-nanny")
        victim = made.add_worker("--no-nanny")
        batch = rtseg_batch(ward, tmp_path / "out", "--model", ball_folder, "--scheduler", made.address)
        wait_until(lambda: contoured(tmp_path / "out"))
        before = contoured(tmp_path / "out")
        victim.kill()
        code, out, err = ended(batch)
    assert code == 0, err
    assert "4 contoured (4 now), 0 failed" in out
    after = contoured(tmp_path / "out")
    assert set(after) == set(PATIENTS)
    assert {name: after[name] for name in before} == before
    assert {row["patient"] for row in rows(tmp_path / "out" / "summary.csv")} == set(PATIENTS)
    assert rows(tmp_path / "out" / "failures.csv") == []


def test_the_driver_is_killed_and_started_again(ward: Path, ball_folder: Path, tmp_path: Path) -> None:
    words = (ward, tmp_path / "out", "--model", ball_folder, "--scheduler")
    with cluster(tmp_path) as made:
        made.add_worker()
        first = rtseg_batch(*words, made.address)
        wait_until(lambda: contoured(tmp_path / "out"))
        first.kill()
        ended(first)
        before = contoured(tmp_path / "out")
        code, out, err = ended(rtseg_batch(*words, made.address))
        assert code == 0, err
        after = contoured(tmp_path / "out")
        assert set(after) == set(PATIENTS)
        assert {name: after[name] for name in before} == before
        code, out, err = ended(rtseg_batch(*words, made.address))
    assert code == 0, err
    assert "4 contoured (0 now), 0 failed" in out
    assert contoured(tmp_path / "out") == after


def test_the_scheduler_is_lost_half_way(ward: Path, ball_folder: Path, tmp_path: Path) -> None:
    with cluster(tmp_path) as made:
        made.add_worker()
        batch = rtseg_batch(ward, tmp_path / "out", "--model", ball_folder, "--scheduler", made.address)
        wait_until(lambda: contoured(tmp_path / "out"))
        made.scheduler.kill()
        code, _, err = ended(batch)
    assert code == 1
    assert "the Dask scheduler does not answer any more" in err.splitlines()[-1]
    assert "Traceback" not in err
    told = {row["patient"] for row in rows(tmp_path / "out" / "summary.csv")}
    assert told
    assert told <= set(contoured(tmp_path / "out"))


def test_killed_on_this_computer_no_worker_is_left_and_the_rest_is_done_later(
    ward: Path, ball_folder: Path, tmp_path: Path
) -> None:
    words = (ward, tmp_path / "out", "--model", ball_folder, "--workers", 2)
    first = rtseg_batch(*words)
    wait_until(lambda: contoured(tmp_path / "out"))
    group = os.getpgid(first.pid)
    first.kill()
    ended(first)
    wait_until(lambda: _nobody_of(group))
    before = contoured(tmp_path / "out")
    code, out, err = ended(rtseg_batch(*words))
    assert code == 0, err
    assert f"4 contoured ({4 - len(before)} now), 0 failed" in out
    after = contoured(tmp_path / "out")
    assert {name: after[name] for name in before} == before
    assert half_written(tmp_path / "out") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_ends_cleanly(number: signal.Signals, ward: Path, ball_folder: Path, tmp_path: Path) -> None:
    first = rtseg_batch(ward, tmp_path / "out", "--model", ball_folder, "--workers", 2)
    wait_until(lambda: contoured(tmp_path / "out"))
    os.killpg(os.getpgid(first.pid), number) if number is signal.SIGINT else first.send_signal(number)
    code, _, err = ended(first)
    assert code == 130
    assert "the same command goes on with the rest" in err
    assert "Traceback" not in err
    told = {row["patient"] for row in rows(tmp_path / "out" / "summary.csv")}
    assert told == set(contoured(tmp_path / "out"))
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_full_disk_fails_patients_and_not_the_batch(ward: Path, ball_folder: Path, tmp_path: Path) -> None:
    words = (ward, tmp_path / "out", "--model", ball_folder, "--workers", 1)
    with_room = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12000, with_room[1]))
    try:
        full = rtseg_batch(*words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, with_room)
    code, _, err = ended(full)
    assert code == 1, err
    assert "Traceback" not in err
    failures = rows(tmp_path / "out" / "failures.csv")
    assert [(row["patient"], row["kind"]) for row in failures] == [(name, "not_now") for name in PATIENTS]
    assert all("RS.dcm cannot be written: File too large" in row["reason"] for row in failures)
    assert not list((tmp_path / "out").rglob("RS.dcm"))
    assert half_written(tmp_path / "out") == []
    code, out, err = ended(rtseg_batch(*words))
    assert code == 0, err
    assert "4 contoured (4 now), 0 failed" in out


def test_where_not_even_the_tables_can_be_written_one_error_says_so(ward: Path, ball_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(ward / "p0", tmp_path / "in" / "p0")
    with_room = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, with_room[1]))
    try:
        full = rtseg_batch(tmp_path / "in", tmp_path / "out", "--model", ball_folder, "--workers", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, with_room)
    code, _, err = ended(full)
    assert code == 1
    assert "summary.csv cannot be written: File too large" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_a_patient_that_needs_too_much_memory_is_passed_over_after_two_tries(
    ward: Path, ball_folder: Path, tmp_path: Path
) -> None:
    """64 MB more every 50 ms: the nanny ends the worker at 95 % of its limit, as it would for a scan that is too large."""
    shutil.copytree(ward, tmp_path / "in")
    shutil.copytree(ward / "p0", tmp_path / "in" / DOWN)
    grow = "import time; hoard = []; [(hoard.append(b'x' * 2**26), time.sleep(0.05)) for _ in range(100)]"
    module = preload(tmp_path, f"open({str(tmp_path / 'tries')!r}, 'a').write('begun\\n'); {grow}")
    with cluster(tmp_path) as made:
        for _ in range(2):
            made.add_worker("--memory-limit", "1.5GiB", "--preload", str(module))
        batch = rtseg_batch(tmp_path / "in", tmp_path / "out", "--model", ball_folder, "--scheduler", made.address, "--json")
        code, out, err = ended(batch)
    assert code == 1, err
    answer = json.loads(out)
    assert list(answer["failed"]) == [DOWN]
    assert "2 workers that had this patient went down" in answer["failed"][DOWN]
    assert answer["contoured_now"] == len(PATIENTS)
    assert (tmp_path / "tries").read_text().splitlines() == ["begun", "begun"]
    assert [(row["patient"], row["kind"]) for row in rows(tmp_path / "out" / "failures.csv")] == [(DOWN, "worker_lost")]


def _nobody_of(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


OTHER_SITES = ("abdomen_male_acrin_042", "chest_female_lidc_0314", "hand_female_sts_019", "knee_male_sts_051", "phantom_tg119")
"""NIfTI CTs of other regions, and a phantom: contoured, with the finding that the region is not the model's."""

REFUSED = {
    "big_endian_private_syntax": "breaks off or does not keep to its encoding",
    "broken_encoding/03340146": "only slice of its series",
    "broken_encoding/51399667": "only slice of its series",
    "broken_encoding/8e7d4d7b": "only slice of its series",
    "broken_encoding/unreadable": "UN_sequence.dcm",
    "dicomdir_no_suffix/77654033/CT2": "slices are missing",
    "dicomdir_no_suffix/98892001/CT5N": "was found, so there is nothing to write",
    "enhanced_ct_multiframe": "Enhanced CT Image Storage",
    "gantry_tilt": "gantry tilt",
    "gantry_tilt_variable_spacing": "gantry tilt",
    "missing_slice": "Seem to be missing: 751.21",
    "oblique_ct": "disagree on identity",
    "one_ct_slice_many_syntaxes/8949.890": "the same image twice",
    "rle_many_fragments": "only slice of its series",
    "rt_objects_mixed": "the same image twice",
    "single_slice": "only slice of its series",
    "small_pairs": "only slice of its series",
}

SCRAPS = ("localizer_and_captures_mixed", "rtstruct_bad_references")
"""Three and two slices: whatever the model sees in them, the region is doubted; if it sees nothing, there is nothing to write."""

LEFT_OUT = {
    "coronal_reformat": "localizer",
    "decubitus_prone_mr": "MR Image Storage",
    "names_in_other_scripts": "Secondary Capture Image Storage",
    "no_geometry": "Secondary Capture Image Storage",
    "no_meta_or_bad_meta": "RT Ion Plan Storage",
    "rtimage": "RT Image Storage",
    "truncated": "RT Plan Storage",
}


@pytest.mark.skipif("head_neck" not in shipped_bundles(), reason="the model head_neck is not there")
def test_patients_oddities_and_other_regions_have_each_the_right_verdict_twice(
    test_data: Callable[[str], Path], tmp_path: Path
) -> None:
    _mixed(test_data, tmp_path / "in")
    command = (tmp_path / "in", tmp_path / "out", "--json")
    code, out, err = ended(rtseg_batch(*command))
    assert code == 1, err
    first = json.loads(out)
    refused = {name: words for name, words in first["failed"].items() if "1.3.6.1.4.1.5962.1" not in name}
    scraps = {name: refused.pop(name) for name in SCRAPS if name in refused}
    assert all("was found, so there is nothing to write" in words for words in scraps.values())
    assert set(refused) == set(REFUSED)
    assert [name for name, words in REFUSED.items() if words not in refused[name]] == []
    assert [
        words for name, words in first["failed"].items() if name not in {*refused, *scraps} and "only slice" not in words
    ] == []
    assert {row["kind"] for row in rows(tmp_path / "out" / "failures.csv")} == {"refused"}

    found: dict[str, dict[str, str]] = {}
    for row in rows(tmp_path / "out" / "summary.csv"):
        found.setdefault(row["patient"], {"scan": row["scan_findings"]})[row["organ"]] = row["volume_ml"]
    for number in range(5):
        patient = found[f"validation_{number}"]
        assert "wrong_region" not in patient["scan"]
        assert min(float(patient[name]) for name in ("Parotid_L", "Parotid_R", "Brainstem")) > 1
    seen = [*OTHER_SITES, *(name for name in SCRAPS if name not in scraps)]
    assert [name for name in seen if "wrong_region" not in found[name]["scan"]] == []

    left_out = rows(tmp_path / "out" / "left_out.csv")
    told = {name: {row["reason"] for row in left_out if Path(row["folder"]).name == name} for name in LEFT_OUT}
    assert [name for name, words in LEFT_OUT.items() if not any(words in reason for reason in told[name])] == []
    everywhere = {name.split("/")[0] for name in (*found, *first["failed"])}
    everywhere |= {Path(row["folder"]).relative_to(tmp_path / "in").parts[0] for row in left_out}
    assert {path.name.split(".nii")[0] for path in (tmp_path / "in").iterdir()} <= everywhere

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*/*") if path.is_file()}
    code, out, err = ended(rtseg_batch(*command))
    again = json.loads(out)
    assert code == 1, err
    assert again == {**first, "contoured_now": 0, "not_tried_again": list(first["failed"])}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*/*") if path.is_file()} == before


def _mixed(test_data: Callable[[str], Path], root: Path) -> None:
    """Five validation patients as DICOM, every oddity, every CT of another region, side by side."""
    cases = [case for case in find_cases(test_data("openkbp_head_neck")) if case.split == "validation"][:5]
    for number, case in enumerate(cases):
        write_ct_series(squared(axial(case.read())).ct, root / f"validation_{number}", Patient("RTSEG^TEST", f"RTSEG{number}"))
    for folder in (test_data("dicom_odd"), test_data("ct_other_sites")):
        for path in (path for path in folder.iterdir() if path.name != "README.md"):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, root / path.name)
