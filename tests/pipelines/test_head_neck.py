"""How the card's figures are made: what the model said beside its score, and the template with all its places."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from ablation import Scored
from ablation import write_rows as write_scored
from benchmark import Found, contour_patients, judge, write_patients
from case_folders import ball_case
from head_neck_card import CARD, Judged, ablated, calibration_table, card, contours, judged, sorting, write_rows
from phantoms import BALLS

from rtseg.metrics import Outcome
from rtseg.metrics.cohort import Score
from rtseg.segmentation.confidence import Row, calibrated
from rtseg.systems import Bundle


def row(organ: str, dsc: float | None, outcome: Outcome = Outcome.FOUND, soft_dice: float | None = 0.8) -> Judged:
    return Judged(Found("p1", organ, soft_dice, ""), Score("p1", organ, outcome, False, {"dsc": dsc}))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_the_model_said_meets_its_score() -> None:
    found = [Found("p1", "Larynx", 0.9, "pieces"), Found("p1", "Brainstem", None, "missing")]
    score = Score("p1", "Larynx", Outcome.FOUND, False, {"dsc": 0.7})
    rows = judged(found, [score])
    assert [(one.found.organ, one.dsc) for one in rows] == [("Larynx", 0.7), ("Brainstem", None)]


def test_a_calibration_is_made_from_contours_that_were_drawn() -> None:
    missed = row("Larynx", 0.0, Outcome.MISSED, None)
    absent = row("Larynx", None, Outcome.TRUE_ABSENCE, None)
    nobody = Judged(Found("p1", "Larynx", 0.8, ""), None)
    assert contours([row("Larynx", 0.7), missed, absent, nobody]) == [Row("p1", "Larynx", 0.8, 0.7)]


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
    write_patients([ball_case("balls")], tmp_path)
    found, seconds = contour_patients(open_ended, tmp_path, tmp_path / "balls_model")
    assert len(seconds) == 1
    evaluation = judge({"balls_model": open_ended}, tmp_path)
    rows = judged(found, evaluation.scores["balls_model"])
    assert [one.found.organ for one in rows] == list(BALLS)
    for one in rows:
        assert one.score is not None
        assert one.score.outcome is Outcome.FOUND
        assert one.dsc is not None
        assert one.dsc > 0.95
        assert one.found.soft_dice is not None
        assert 0 < one.found.soft_dice <= 1
    assert "balls" in capsys.readouterr().out
    write_rows(rows, tmp_path / "rows.csv")
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 1 + len(rows)
    words = card(open_ended, evaluation, rows, dict.fromkeys(("size", "hardware", "hours", "regions", "ablation"), "WORDS"))
    assert not set(re.findall(r"{\w+}", CARD.read_text(encoding="utf-8"))) & set(re.findall(r"{\w+}", words))
    assert words.count("| Brainstem |") == 3  # accuracy, in reference range, confidence
    assert words.count("| Parotid_L |") == 2
    assert words.count("WORDS") == 5
