"""A clinic's table of names: what it may say, and how it is told what it may not."""

import pytest

from rtseg.core import ConfigError
from rtseg.dicom import WrittenRoi
from rtseg.systems.clinic_names import read_clinic_names

GOOD = """
organs:
  Brainstem: {name: Hirnstamm, colour: [0, 128, 255]}
  Parotid_L: {name: Parotis li, type: AVOIDANCE}
  SpinalCord:
"""


def test_a_table_is_read(tmp_path):
    (tmp_path / "clinic.yaml").write_text(GOOD)
    assert read_clinic_names(tmp_path / "clinic.yaml") == {
        "Brainstem": WrittenRoi("Hirnstamm", (0, 128, 255)),
        "Parotid_L": WrittenRoi("Parotis li", None, "AVOIDANCE"),
        "SpinalCord": WrittenRoi("SpinalCord"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("organs:\n  Brain_stem: {}", r"Brain_stem is no TG-263 name known to rtseg; did you mean Brainstem\?"),
        ("organs:\n  Brainstem: {nmae: X}", "unknown key organs.Brainstem.nmae"),
        ("organs:\n  Brainstem: {colour: [0, 0]}", r"organs\.Brainstem\.colour"),
        (
            "organs:\n  Brainstem: {colour: [0, 0, 300]}",
            "Brainstem: the colour of Brainstem is three whole numbers from 0 to 255",
        ),
        ("organs:\n  Brainstem: {type: PTV}", "Brainstem: the type of Brainstem is one of ORGAN"),
        ("organs:\n  Brainstem: {name: ' x'}", "Brainstem: ' x' cannot name an ROI"),
        ("organs:\n  Brainstem: {name: A}\n  Larynx: {name: a}", "Brainstem and Larynx have the same name"),
        ("organs:\n  Brainstem: {colour: [1, 2, 3]}\n  Larynx: {colour: [1, 2, 3]}", "Brainstem and Larynx have the same colour"),
        ("organs: {}", "organs is empty"),
        ("organ: {}", "unknown key organ; did you mean organs"),
        ("- Brainstem", "must hold names and values"),
        ("organs: [", "is not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, text, words):
    (tmp_path / "clinic.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words) as told:
        read_clinic_names(tmp_path / "clinic.yaml")
    assert "clinic.yaml" in str(told.value)


def test_a_table_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"clinic\.yaml cannot be read"):
        read_clinic_names(tmp_path / "clinic.yaml")


def test_the_example_of_the_guide_is_lawful(tmp_path):
    from pathlib import Path

    guide = (Path(__file__).parents[2] / "docs" / "clinic_names.md").read_text(encoding="utf-8")
    (tmp_path / "clinic.yaml").write_text(guide.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert len(read_clinic_names(tmp_path / "clinic.yaml")) == 7
