"""The ablation: what its variants change, its figures and its table from made-up rows, and one tiny run scored."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ablation
import numpy as np
import pytest
from ablation import Ablation, Scored, page, read_rows, score_variant, table, train_variant, variant_system, write_rows
from ball_bundle import ball_task
from case_folders import write_ball_cases

from rtseg.core import InputError
from rtseg.imaging import Preparation
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.train_segmentation import TrainOrder, train_segmentation
from rtseg.systems import read_system, write_yaml

PIPELINES = Path(ablation.__file__).parent


def nothing(*_: object) -> None:
    pass


def rows_of(variant: str, organ: str, *dice: float, first: int = 1) -> list[Scored]:
    return [Scored(variant, 5, f"p{number}", organ, dsc) for number, dsc in enumerate(dice, start=first)]


MADE_UP = [
    *rows_of("daunet", "Larynx", 0.5, 0.5, 0.5, 0.5, 0.5),
    *rows_of("daunet", "Brainstem", 0.8, 0.8, first=4),
    *rows_of("no_gates", "Larynx", 0.4, 0.3, 0.2, 0.1, 0.0),
    *rows_of("no_gates", "Brainstem", 0.8, 0.9, first=4),
]


def test_variants_change_the_network_and_the_steps_alone() -> None:
    system = read_system("ct_only").at_size("small")
    base, no_gates, shallow = (
        variant_system(Ablation(Path(), Path()), name) for name in ("daunet", "no_gates", "no_deep_supervision")
    )
    assert base.segmentation.schedule == replace(system.segmentation.schedule, steps=system.segmentation.schedule.steps // 4)
    assert base.segmenter == system.segmenter
    assert no_gates.segmenter == replace(system.segmenter, attention=False)
    assert shallow.segmenter == replace(system.segmenter, deep_supervision=False)
    assert {no_gates.segmentation, shallow.segmentation} == {base.segmentation}


def test_training_needs_none_of_what_reads_and_writes_scans() -> None:
    absent = ("SimpleITK", "pydicom", "nibabel", "typer", "rich", "matplotlib", "contourpy", "jinja2", "rt_utils", "tensorboard")
    code = f"import sys; sys.modules.update(dict.fromkeys({absent})); sys.path.insert(0, {str(PIPELINES)!r}); import ablation"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_table_by_hand() -> None:
    # Larynx: -0.1 to -0.5, mean and median -0.3, five losses: p = 2 / 32, times two organs. Brainstem: 0 and +0.1 of two
    # patients, mean 0.05, Walsh averages 0, 0.05, 0.1; signs permuted with Pratt's zero: both ways as extreme, p = 1.
    lines = table(MADE_UP).splitlines()
    assert len(lines) == 2 + 3
    larynx, brainstem, over = (line.split(" | ") for line in lines[2:])
    assert larynx[:5] == ["| no_gates", "Larynx", "5", "0.500", "0.200"]
    assert larynx[5].startswith("-0.300 (-0.")
    assert larynx[6:] == ["-0.300 (too few)", "-1.00", "0.125 |"]
    assert brainstem[:5] == ["| no_gates", "Brainstem", "2", "0.800", "0.850"]
    assert brainstem[6:] == ["+0.050 (too few)", "+1.00", "1.000 |"]
    # (-0.3 + 0.05) / 2, over five patients
    assert over[:5] == ["| no_gates", "mean over organs", "5", "0.650", "0.525"]
    assert over[5].startswith("-0.125 (-")


def test_the_interval_of_the_mean_holds_it() -> None:
    random = np.random.default_rng(0)
    base = random.uniform(0.6, 0.8, 30)
    rows = [*rows_of("daunet", "Larynx", *base), *rows_of("no_gates", "Larynx", *(base - 0.05 + random.normal(0, 0.02, 30)))]
    line = table(rows).splitlines()[2]
    low, high = (float(word) for word in line.split("|")[6].split("(")[1].rstrip(") ").split(" to "))
    assert low < -0.05 < high < 0
    assert high - low == pytest.approx(2 * 1.96 * 0.02 / np.sqrt(30), rel=0.4)
    assert line.endswith("| <0.001 |")


def test_the_page_tells_steps_patients_and_what_is_in_no_interval() -> None:
    words = page(MADE_UP)
    assert "trained for 5 steps" in words
    assert "5 validation patients" in words
    assert "One training each" in words


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write_rows(MADE_UP, tmp_path / "rows.csv")
    assert read_rows(tmp_path / "rows.csv") == MADE_UP
    with (tmp_path / "rows.csv").open() as file:
        assert next(csv.reader(file)) == ["variant", "step", "patient", "organ", "dsc"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of the three balls with two patients to learn from and one to judge by, and its task."""
    home = tmp_path_factory.mktemp("ablation")
    task = ball_task().model_copy(update={"preparation": Preparation((3.0, 4.0, 4.0), (-1000.0, 3000.0), 8.0)})
    write_yaml(task, home / "task.yaml")
    pack_data(write_ball_cases(home / "cases"), home / "packed", str(home / "task.yaml"), nothing, nothing)
    return home


def of(home: Path, work: Path) -> Ablation:
    return Ablation(home / "packed", work, task=str(home / "task.yaml"), size="tiny", threads=1)


def test_a_tiny_variant_is_trained_and_scored(home: Path, tmp_path: Path) -> None:
    asked = of(home, tmp_path)
    assert train_variant(asked, "no_gates") == 20 // ablation.SHARE
    rows = list(score_variant(asked, "no_gates"))
    assert [(row.variant, row.step, row.patient) for row in rows] == [("no_gates", 5, "p3")] * 3
    assert [row.organ for row in rows] == list(ball_task().organs)
    assert all(0 <= row.dsc <= 1 for row in rows)


def test_a_run_that_has_not_come_to_its_end_is_not_scored(home: Path, tmp_path: Path) -> None:
    asked = of(home, tmp_path)
    with pytest.raises(InputError, match=r"there is no run in .*daunet; train it first"):
        list(score_variant(asked, "daunet"))
    write_yaml(variant_system(asked, "daunet"), tmp_path / "daunet.yaml")
    order = TrainOrder(str(tmp_path / "daunet.yaml"), asked.task, asked.pack, tmp_path / "daunet", "tiny", budget_s=0.0)
    train_segmentation(order, nothing, nothing)
    with pytest.raises(InputError, match="daunet is at step 0 of 5; go on training it first"):
        list(score_variant(asked, "daunet"))
