"""How the card's figures are made: the rows of one organ, the tables from made-up rows, the template with all its places."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ablation import Scored
from ablation import write_rows as write_scored
from case_folders import ball_case
from head_neck import judge
from head_neck_card import (
    CARD,
    Found,
    Judged,
    ablated,
    calibration_table,
    card,
    contours,
    judged,
    range_table,
    sorting,
    table,
    write_rows,
)
from phantoms import BALLS

from rtseg.core import Geometry, Mask
from rtseg.segmentation.confidence import Row, calibrated
from rtseg.systems import Bundle

GRID = Geometry.regular((20, 12, 12), (3.0, 1.0, 1.0))


def column(first: int, last: int) -> Mask:
    """A column of 6 x 6 mm through these slices."""
    array = np.zeros(GRID.shape, dtype=np.bool_)
    array[first:last, 3:9, 3:9] = True
    return Mask(array, GRID)


def row(organ: str, dsc: float | None, hd95_mm: float | None, outcome: str = "found", patient: str = "p1") -> Judged:
    return Judged(patient, organ, dsc, hd95_mm, None, None, 0.8, 1.0, outcome, "")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_an_open_ended_organ_has_figures_in_reference_range() -> None:
    # 10 of 20 slices: 2 * 10 / 30; the same between the ends
    cord = Found("p1", "SpinalCord", 0.9, "pieces wrong_region")
    there = judged(cord, column(5, 15), column(0, 20), is_open_ended=True)
    assert there.dsc == pytest.approx(2 * 10 / 30)
    assert there.dsc_in_reference_range == pytest.approx(1)
    assert there.hd95_in_reference_range_mm == 0
    assert there.volume_ml == pytest.approx(20 * 3 * 36 / 1000)
    assert (there.outcome, there.soft_dice, there.findings) == ("found", 0.9, "pieces wrong_region")
    other = judged(cord, column(5, 15), column(0, 20), is_open_ended=False)
    assert other.dsc == there.dsc
    assert other.dsc_in_reference_range is other.hd95_in_reference_range_mm is None


def test_outcomes_of_an_organ() -> None:
    larynx = Found("p1", "Larynx", None, "missing")
    missed = judged(larynx, column(5, 15), column(0, 0), is_open_ended=True)
    assert (missed.outcome, missed.dsc, missed.hd95_mm, missed.dsc_in_reference_range) == ("missed", 0, None, 0)
    assert judged(larynx, column(0, 0), column(5, 15), is_open_ended=True).outcome == "false organ"
    absent = judged(larynx, column(0, 0), column(0, 0), is_open_ended=True)
    assert (absent.outcome, absent.dsc) == ("true absence", None)


def test_a_miss_counts_in_every_figure_but_the_mean_distance() -> None:
    rows = [row("Larynx", 0.9, 2.0), row("Larynx", 0.7, 4.0), row("Larynx", 0.0, None, "missed"), row("Larynx", 0.4, 6.0)]
    rows += [row("Larynx", 0.0, None, "false organ"), row("Larynx", None, None, "true absence"), row("Brainstem", 0.8, 1.0)]
    lines = table(rows, ["Larynx", "Brainstem", "Esophagus"]).splitlines()
    # DSC (0.9 + 0.7 + 0 + 0.4) / 4, median (0.4 + 0.7) / 2; distances 2, 4, 6: mean 4, median of 2, 4, 6, inf 5
    assert cells(lines[2]) == ["Larynx", "4", "1", "1", "0.500", "0.550", "0.000", "4.0 (3)", "5.0"]
    assert cells(lines[3]) == ["Brainstem", "1", "0", "0", "0.800", "0.800", "0.800", "1.0 (1)", "1.0"]
    assert cells(lines[4]) == ["Esophagus", "0", "", "0", "", "", "", "", ""]
    assert cells(lines[5])[:5] == ["mean over organs", "", "", "", "0.650"]
    assert len({line.count("|") for line in lines}) == 1


def test_an_organ_that_was_always_missed_has_an_infinite_median() -> None:
    rows = [row("Larynx", 0.0, None, "missed")]
    assert cells(table(rows, ["Larynx"]).splitlines()[2])[6:] == ["0.000", "(0)", "inf"]


def test_in_reference_range_what_was_drawn_elsewhere_is_missed() -> None:
    inside = replace(row("SpinalCord", 0.5, 30.0), dsc_in_reference_range=0.8, hd95_in_reference_range_mm=3.0)
    beyond = replace(row("SpinalCord", 0.0, 60.0), dsc_in_reference_range=0.0, hd95_in_reference_range_mm=None)
    lines = range_table([inside, beyond, row("Brainstem", 0.8, 1.0)], ["SpinalCord"]).splitlines()
    assert len(lines) == 3
    assert cells(lines[2]) == ["SpinalCord", "2", "1", "", "0.400", "0.400", "0.000", "3.0 (1)", "inf"]


def test_a_calibration_is_made_from_contours_that_were_drawn() -> None:
    missed = replace(row("Larynx", 0.0, None, "missed"), soft_dice=None)
    absent = replace(row("Larynx", None, None, "true absence"), soft_dice=None)
    assert contours([row("Larynx", 0.7, 2.0), missed, absent]) == [Row("p1", "Larynx", 0.8, 0.7)]


def made_up() -> list[Row]:
    """24 patients: the larynx contour of every fourth is bad, and the model was less sure of it."""
    return [Row(f"p{n}", "Larynx", 0.6 if n % 4 == 0 else 0.9, 0.4 if n % 4 == 0 else 0.8) for n in range(24)]


def test_the_calibration_is_told_organ_by_organ() -> None:
    # two kinds of contour, each always alike: predicted without error whoever is left out
    lines = calibration_table(calibrated(made_up(), {"Larynx": 0.5}), ["Larynx", "Esophagus"]).splitlines()
    assert cells(lines[2]) == ["Larynx", "24", "no", "0.000", "0.000", "0.50"]
    assert cells(lines[3]) == ["Esophagus", "0", "", "not calibrated", "", ""]
    assert len({line.count("|") for line in lines}) == 1


def test_how_well_bad_contours_are_sorted_is_told() -> None:
    assert sorting(made_up()) == "6 of 24 contours have a DSC under 0.6; the predicted DSC sorts them with an AUC of 1.00."
    good = [replace(one, dsc=0.8) for one in made_up()]
    assert sorting(good) == "0 of 24 contours have a DSC under 0.6; no AUC can be told."
    assert sorting([]) == "0 of 0 contours have a DSC under 0.6; no AUC can be told."


def test_the_ablation_is_told_or_said_not_to_be_there(tmp_path: Path) -> None:
    assert ablated(None) == "It was not measured for this version."
    write_scored([Scored("daunet", 5, "p1", "Larynx", 0.5), Scored("no_gates", 5, "p1", "Larynx", 0.4)], tmp_path / "rows.csv")
    assert "| no_gates | Larynx | 1 | 0.500 | 0.400 |" in ablated(tmp_path / "rows.csv")


def test_a_patient_is_judged_through_dicom_and_fills_the_card(
    ball_model: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_ended = replace(ball_model, task=ball_model.task.model_copy(update={"open_ended": ("Brainstem",)}))
    rows = judge([ball_case("balls")], open_ended)
    assert [r.organ for r in rows] == list(BALLS)
    for r in rows:
        assert r.outcome == "found"
        assert r.dsc is not None
        assert r.dsc > 0.95
        assert r.soft_dice is not None
        assert 0 < r.soft_dice <= 1
    assert [r.organ for r in rows if r.dsc_in_reference_range is not None] == ["Brainstem"]
    assert "balls" in capsys.readouterr().out
    write_rows(rows, tmp_path / "rows.csv")
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 1 + len(rows)
    words = card(open_ended, rows, dict.fromkeys(("size", "hardware", "hours", "regions", "ablation"), "WORDS"))
    assert not set(re.findall(r"{\w+}", CARD.read_text(encoding="utf-8"))) & set(re.findall(r"{\w+}", words))
    assert words.count("| Brainstem |") == 3  # accuracy, in reference range, confidence
    assert words.count("| Parotid_L |") == 2
    assert words.count("WORDS") == 5
