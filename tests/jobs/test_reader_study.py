"""A reader study: blinded, in random order, its key apart; the answers scored as counted by hand."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtseg.core import ConfigError, Geometry, InputError, OutputError, Volume
from rtseg.data import write_nifti
from rtseg.jobs.reader_study import StudyOrder, make_study, score_study

GRID = Geometry.regular((20, 40, 40), (4.0, 4.0, 4.0), (-78.0, -78.0, -38.0))


def ball(left_mm: float = 0.0, grid: Geometry = GRID) -> Volume:
    """60 mm wide, a small bright one on the patient's left within."""
    points = grid.points(np.moveaxis(np.indices(grid.shape), 0, -1))
    big = np.linalg.norm(points - np.array([left_mm, 0, 0]), axis=-1) < 60
    small = np.linalg.norm(points[..., :2] - np.array([left_mm + 35, 0]), axis=-1) < 12
    return Volume((100.0 * big + 200.0 * (big & small)).astype(np.float32), grid)


@pytest.fixture
def order(tmp_path: Path) -> StudyOrder:
    for kind in ("real", "synthetic"):
        (tmp_path / kind).mkdir()
        for n in range(2):
            write_nifti(ball(), tmp_path / kind / f"{kind}_patient_{n}.nii.gz")
    (tmp_path / "page").mkdir()
    return StudyOrder(
        tmp_path / "real", tmp_path / "synthetic", tmp_path / "page" / "study.html", tmp_path / "key.json", slices=2, seed=3
    )


def key_of(order: StudyOrder) -> dict:
    return json.loads(order.key.read_text())


def tokens(page: str) -> list[str]:
    return re.findall(r'data-token="(\w+)"', page)


def pictures(page: str) -> list[np.ndarray]:
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))).astype(int) for source in sources]


def test_the_page_holds_every_image_once_and_not_a_word_on_which_is_which(order):
    assert make_study(order) == 8
    page, key = order.page.read_text(), key_of(order)
    assert tokens(page) == list(key["items"])
    assert sorted(item["truth"] for item in key["items"].values()) == ["real"] * 4 + ["synthetic"] * 4
    assert "patient_" not in page
    assert len({picture.shape for picture in pictures(page)}) == 1


def test_the_order_is_random_and_the_seed_decides_it(order):
    def truths() -> list[str]:
        return [(item["truth"], item["z_mm"]) for item in key_of(order).get("items").values()]

    make_study(order)
    first = truths()
    again = StudyOrder(**{**vars(order), "overwrite": True})
    make_study(again)
    assert truths() == first
    make_study(StudyOrder(**{**vars(again), "seed": 4}))
    assert truths() != first
    assert [kind for kind, _ in first] != sorted(kind for kind, _ in first)


def test_left_is_on_the_right_side_of_every_picture(order):
    make_study(order)
    for picture in pictures(order.page.read_text()):
        bright = np.argwhere(picture > 220)
        assert bright[:, 1].mean() > picture.shape[1] / 2 + 20


def test_a_field_of_view_tells_nothing(order):
    """A synthetic image on a narrower grid: all pictures have its field, so the ball is as wide on each."""
    narrow = Geometry.regular((20, 34, 34), (4.0, 4.0, 4.0), (-66.0, -66.0, -38.0))
    write_nifti(ball(grid=narrow), order.synthetic / "synthetic_patient_0.nii.gz")
    make_study(order)
    widths = {(picture > 40).any(axis=0).sum() for picture in pictures(order.page.read_text())}
    assert max(widths) - min(widths) <= 0.15 * max(widths)


def test_the_key_lies_apart_and_nothing_is_overwritten(order):
    with pytest.raises(ConfigError, match="keep the key elsewhere"):
        make_study(StudyOrder(**{**vars(order), "key": order.page.parent / "key.json"}))
    make_study(order)
    with pytest.raises(OutputError, match="--overwrite"):
        make_study(order)
    with pytest.raises(InputError, match="does not exist"):
        make_study(StudyOrder(**{**vars(order), "real": order.real / "nowhere", "overwrite": True}))


# Scores

KEY = {"study": "abc", "items": {f"t{n}": {"truth": "real" if n < 4 else "synthetic"} for n in range(8)}}


def answers(tmp_path: Path, reader: str, kinds: str, grades: str, **more: object) -> Path:
    """Letters r and s and digits, one for each image; a blank is not answered."""
    given = {
        f"t{n}": {"kind": {"r": "real", "s": "synthetic"}[kind], "grade": int(grade), "seconds": 2.0 * n}
        for n, (kind, grade) in enumerate(zip(kinds, grades, strict=True))
        if kind != " "
    }
    file = tmp_path / f"{reader}.json"
    file.write_text(json.dumps({"study": "abc", "reader": reader, "answers": given, **more}))
    return file


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(KEY))
    return file


def test_one_reader_counted_by_hand(tmp_path, key):
    """Of 4 real ones 3 were called real, of 4 synthetic ones 2 synthetic."""
    (one,) = score_study(key, [answers(tmp_path, "A", "rrrsssrr", "44442222")]).readers
    assert (one.answered, one.of) == (8, 8)
    assert one.rates.accuracy == 5 / 8
    assert (one.rates.sensitivity, one.rates.specificity) == (0.5, 0.75)
    assert (one.rates.ppv, one.rates.npv) == (2 / 3, 3 / 5)
    assert one.rates.f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    assert one.grades == {"real": 4.0, "synthetic": 2.0}
    assert one.seconds == 7.0


def test_what_was_not_answered_is_counted_apart(tmp_path, key):
    (one,) = score_study(key, [answers(tmp_path, "A", "rrrr    ", "44442222")]).readers
    assert (one.answered, one.of, one.rates.accuracy, one.rates.sensitivity) == (4, 8, 1.0, None)
    assert one.grades["synthetic"] is None


def test_readers_agreement_counted_by_hand(tmp_path, key):
    """Both say r for 3 and s for 3 of 8: 6 of 8 alike; A has half r, B half r: chance 1/2, kappa (3/4 - 1/2) / (1/2)."""
    found = score_study(key, [answers(tmp_path, "A", "rrrrssss", "11112222"), answers(tmp_path, "B", "rrrssssr", "11112222")])
    (pair,) = found.pairs
    assert (pair.readers, pair.n, pair.kind, pair.grade) == (("A", "B"), 8, pytest.approx(0.5), pytest.approx(1.0))
    assert found.together is None


def test_three_readers_have_a_kappa_together_over_what_all_answered(tmp_path, key):
    files = [answers(tmp_path, name, "rrrrss  ", "11112222") for name in "AB"]
    found = score_study(key, [*files, answers(tmp_path, "C", "rrrrsss ", "11112222")])
    assert len(found.pairs) == 3
    assert (found.together.n, found.together.kind) == (6, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "cannot be read as a file of answers"),
        (json.dumps({"study": "abc"}), "expected study, reader, answers"),
        (json.dumps({"study": "other", "reader": "A", "answers": {}}), "another study"),
        (json.dumps({"study": "abc", "reader": "A", "answers": {"t99": {}}}), "another study"),
        (json.dumps({"study": "abc", "reader": "A", "answers": {}}), "no image was answered"),
        (json.dumps({"study": "abc", "reader": "A", "answers": {"t1": {"kind": "maybe", "grade": 9}}}), "'maybe', 9"),
    ],
)
def test_files_that_are_no_answers_are_named(tmp_path, key, content, words):
    file = tmp_path / "a.json"
    file.write_text(content)
    with pytest.raises(InputError, match=words) as error:
        score_study(key, [file])
    assert str(file) in str(error.value)


def test_a_reader_who_comes_twice_is_refused(tmp_path, key):
    file = answers(tmp_path, "A", "rrrrssss", "11112222")
    with pytest.raises(InputError, match="A comes twice"):
        score_study(key, [file, file])
