"""Names, codes, colours and labels of organs: against pydicom's dictionary, against tg263, and by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from rtseg.core.anatomy import ORGANS, Code, canonical, mirrored, normalised, organ
from rtseg.core.organ_table import BEYOND_TG263

HAN_SEG = [
    *("A_Carotid_L", "A_Carotid_R", "Arytenoid", "Bone_Mandible", "Brainstem", "BuccalMucosa", "Cavity_Oral", "Cochlea_L"),
    *("Cochlea_R", "Cricopharyngeus", "Esophagus_S", "Eye_AL", "Eye_AR", "Eye_PL", "Eye_PR", "Glnd_Lacrimal_L"),
    *("Glnd_Lacrimal_R", "Glnd_Submand_L", "Glnd_Submand_R", "Glnd_Thyroid", "Glottis", "Larynx_SG", "Lips", "OpticChiasm"),
    *("OpticNrv_L", "OpticNrv_R", "Parotid_L", "Parotid_R", "Pituitary", "SpinalCord"),
]
OPENKBP = {
    "Brainstem": "Brainstem",
    "SpinalCord": "SpinalCord",
    "RightParotid": "Parotid_R",
    "LeftParotid": "Parotid_L",
    "Esophagus": "Esophagus",
    "Larynx": "Larynx",
    "Mandible": "Bone_Mandible",
}
PDDCA = {
    "BrainStem": "Brainstem",
    "Chiasm": "OpticChiasm",
    "Mandible": "Bone_Mandible",
    "OpticNerve_L": "OpticNrv_L",
    "OpticNerve_R": "OpticNrv_R",
    "Parotid_L": "Parotid_L",
    "Parotid_R": "Parotid_R",
    "Submandibular_L": "Glnd_Submand_L",
    "Submandibular_R": "Glnd_Submand_R",
}
CLINICS = {
    "Lt Parotid": "Parotid_L",
    "PAROTID_LT": "Parotid_L",
    "parotid left": "Parotid_L",
    "Parotis li": "Parotid_L",
    "Parotis re.": "Parotid_R",
    "parotide droite": "Parotid_R",
    "Parotide G": "Parotid_L",
    "Parotid (R)": "Parotid_R",
    "linke Parotis": "Parotid_L",
    "spinal_cord": "SpinalCord",
    "Cord": "SpinalCord",
    "Rückenmark": "SpinalCord",
    "RUECKENMARK": "SpinalCord",
    "Brain Stem": "Brainstem",
    "Tronc cerebral": "Brainstem",
    "Oesophagus": "Esophagus",
    "Œsophage": "Esophagus",
    "Slokdarm": "Esophagus",
    "GlnSubmand_L": "Glnd_Submand_L",
    "Rt Submandibular Gland": "Glnd_Submand_R",
    "OAR_A_Carotid_L": "A_Carotid_L",
    "Optic Lt Nerve": "OpticNrv_L",
    "Femoral Head Left": "Femur_Head_L",
    "FemoralHead_L": "Femur_Head_L",
    "fem_head_rt": "Femur_Head_R",
    "Hüftkopf links": "Femur_Head_L",
    "Blase": "Bladder",
    "Vessie": "Bladder",
    "Bowel_Bag": "Bag_Bowel",
    "Penile Bulb": "PenileBulb",
    "BODY": "External",
    "LLens": "Lens_L",
    "R Eye": "Eye_R",
}
NOT_AN_ORGAN = [
    *(
        "Parotids",
        "Parotid",
        "lens",
        "Eye",
        "GlnSubmand",
        "L Parotid R",
        "Parotid L R",
        "Parotid L/R",
        "Pelvis",
        "Hip_L",
        "Bulbus",
    ),
    *("PRV cord", "CTV larynx", "Lung Total - ITV", "Cord+5", "~Parotid_L", "Parotid_L (1)", "SpinalCord_PRV05", "Body-PTV"),
    *("Brain-GTV", "Parotid_L^2", "Parotid D", "Larynx opt", "zRectum", "l", "re", "", " _ "),
]


@pytest.mark.parametrize(("label", "name"), [*(OPENKBP | PDDCA | CLINICS).items(), *((name, name) for name in HAN_SEG)])
def test_label_met_in_the_wild_is_the_organ(label: str, name: str) -> None:
    assert canonical(label) == name


@pytest.mark.parametrize("label", NOT_AN_ORGAN)
def test_label_that_could_mean_another_thing_is_none(label: str) -> None:
    assert canonical(label) is None


def test_every_name_and_synonym_leads_to_its_own_organ() -> None:
    wrong = {label: canonical(label) for o in ORGANS for label in (o.name, *o.synonyms) if canonical(label) != o.name}
    assert wrong == {}


def test_no_two_organs_share_a_label() -> None:
    labels = Counter(label for o in ORGANS for label in {normalised(label) for label in (o.name, *o.synonyms)})
    assert [label for label, n in labels.items() if n > 1] == []


def test_left_is_never_right() -> None:
    for o in ORGANS:
        other = organ(mirrored(o.name))
        assert other is not None
        assert mirrored(other.name) == o.name
        assert {o.laterality, other.laterality} in ({None}, {"left", "right"})
        assert other.code == o.code
        if o.laterality is not None:
            assert o.name.endswith("L" if o.laterality == "left" else "R")
            swapped = {s.replace("left", "right").replace("gauche", "droite") for s in o.synonyms}
            assert o.laterality == "right" or swapped == set(other.synonyms)


def test_mirrored_by_hand() -> None:
    assert mirrored("Parotid_L") == "Parotid_R"
    assert mirrored("Eye_AR") == "Eye_AL"
    assert mirrored("Larynx") == "Larynx"
    assert mirrored("Something_L") == "Something_L"


def test_exact_names_only() -> None:
    assert organ("parotid_l") is None
    brainstem = organ("Brainstem")
    assert brainstem is not None
    assert brainstem.code == Code("119238007", "SCT", "Brain Stem")
    assert [o.name for o in ORGANS if o.interpreted_type != "ORGAN"] == ["External", "CouchSurface", "CouchInterior"]


def test_colours_are_distinct_and_sides_far_apart() -> None:
    def distance(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5

    assert all(0 <= channel <= 255 for o in ORGANS for channel in o.colour)
    assert min(distance(a.colour, b.colour) for a in ORGANS for b in ORGANS if a.name < b.name) >= 20
    pairs = [(o.colour, other.colour) for o in ORGANS if o.laterality == "left" and (other := organ(mirrored(o.name)))]
    assert min(distance(*pair) for pair in pairs) >= 60


def test_codes_stand_in_the_dictionary_of_pydicom() -> None:
    from pydicom.sr._concepts_dict import concepts

    known = {(value, entry[0]) for concept in concepts["SCT"].values() for value, entry in concept.items()}
    codes = {(o.code.value, o.code.meaning) for o in ORGANS if o.code is not None}
    assert codes - known == set()
    assert {o.code.scheme for o in ORGANS if o.code is not None} == {"SCT"}


def test_names_stand_in_the_list_of_tg263() -> None:
    tg263 = pytest.importorskip("tg263.dictionary", reason="tg263 is not installed: names not compared")
    primary = {structure.primary_name for structure in tg263.ALLOWED_STRUCTURES}
    beyond = {name.format(side) for name in BEYOND_TG263 for side in "LR"}
    assert {o.name for o in ORGANS} - primary == beyond
    assert max(len(o.name) for o in ORGANS) <= 16
