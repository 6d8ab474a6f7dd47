"""Charts hold what they are given: a dot for each patient, panels for each organ, no text drawn as curves."""

import base64

from rtseg.report.charts import Volumes, bland_altman, box_plots, dsc_over_volume

VALUES = {"one": {"Bladder": [0.9, 0.8, 0.7], "Rectum": [0.5]}, "other": {"Bladder": [0.95, 0.85]}}
VOLUMES = {"one": {"Bladder": Volumes([100.0, 200.0], [110.0, 190.0], [0.9, 0.95])}}


def svg(source: str) -> str:
    assert source.startswith("data:image/svg+xml;base64,")
    return base64.b64decode(source.split(",")[1]).decode()


def test_box_plots_name_every_organ_and_are_the_same_each_time():
    chart = box_plots(VALUES, "DSC", top=1.02)
    assert all(name in svg(chart.source) for name in ("Bladder", "Rectum", "DSC"))
    assert chart == box_plots(VALUES, "DSC", top=1.02)


def test_bland_altman_draws_mean_and_limits_of_agreement():
    """Differences of 10 and -10 ml: mean 0, SD 14.14, limits at 1.96 of that; the dashed lines are two."""
    text = svg(bland_altman(VOLUMES).source)
    assert "predicted minus reference" in text
    assert text.count("stroke-dasharray: 4") == 2


def test_dsc_over_volume_has_a_dot_for_each_patient():
    text = svg(dsc_over_volume(VOLUMES).source)
    assert "volume of the reference" in text
    assert text.count("#e8a33d") >= 2
