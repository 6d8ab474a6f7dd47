"""The table in Markdown, as cards have it: misses count everywhere but in a mean distance."""

from rtseg.jobs.evaluate_tables import range_table, table
from rtseg.metrics import Outcome
from rtseg.metrics.cohort import Score, summarised


def row(organ, dsc, hd95_mm, outcome=Outcome.FOUND, patient="p1", **more):
    return Score(patient, organ, outcome, False, {"dsc": dsc, "hd95_mm": hd95_mm, **more})


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


MISSED = row("Larynx", 0.0, None, Outcome.MISSED)


def test_a_miss_counts_in_every_figure_but_the_mean_distance():
    rows = [row("Larynx", 0.9, 2.0), row("Larynx", 0.7, 4.0), MISSED, row("Larynx", 0.4, 6.0)]
    rows += [row("Larynx", 0.0, None, Outcome.FALSE_ORGAN), row("Larynx", None, None, Outcome.TRUE_ABSENCE)]
    lines = table(summarised([*rows, row("Brainstem", 0.8, 1.0)])).splitlines()
    # DSC (0.9 + 0.7 + 0 + 0.4) / 4, median (0.4 + 0.7) / 2; distances 2, 4, 6: mean 4, median of 2, 4, 6, inf 5
    assert cells(lines[2]) == ["Larynx", "4", "1", "1", "0.500", "0.550", "0.000", "4.0 (3)", "5.0"]
    assert cells(lines[3]) == ["Brainstem", "1", "0", "0", "0.800", "0.800", "0.800", "1.0 (1)", "1.0"]
    assert cells(lines[4])[:5] == ["mean over organs", "", "", "", "0.650"]
    assert len({line.count("|") for line in lines}) == 1


def test_an_organ_that_was_always_missed_has_an_infinite_median():
    assert cells(table(summarised([MISSED])).splitlines()[2])[6:] == ["0.000", "(0)", "inf"]


def test_in_reference_range_what_was_drawn_elsewhere_is_missed():
    names = ("dsc_in_reference_range", "hd95_in_reference_range_mm")
    inside = row("SpinalCord", 0.5, 30.0, **dict(zip(names, (0.8, 3.0), strict=True)))
    beyond = row("SpinalCord", 0.0, 60.0, patient="p2", **dict(zip(names, (0.0, None), strict=True)))
    lines = range_table(summarised([inside, beyond, row("Brainstem", 0.8, 1.0)])).splitlines()
    assert len(lines) == 3
    assert cells(lines[2]) == ["SpinalCord", "2", "1", "0", "0.400", "0.400", "0.000", "3.0 (1)", "inf"]
