"""What `rtseg reader-study` does: a blinded page of real and synthetic images, and the score of its readers' answers."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from rtseg import __version__
from rtseg.core import ConfigError, InputError, Volume
from rtseg.dicom.atomic import must_be_free, whole_file
from rtseg.jobs.image_files import find_images, read_image
from rtseg.metrics.readers import Rates, cohens_kappa, fleiss_kappa, rates
from rtseg.report.reader_study import GRADES, StudyPage, axial_picture, field_of, planes_worth_seeing, render_study

REAL, SYNTHETIC = "real", "synthetic"

KNOWN = {REAL: ("mr",), SYNTHETIC: ("smr", "synthetic_mr", "mr")}
"""Files of a patient's folder that are meant where it holds several."""


@dataclass(frozen=True)
class StudyOrder:
    """What a user asks of `rtseg reader-study make`.

    real, synthetic   NIfTI file, folder with a DICOM series, or folder of NIfTI files
    page, key         HTML file for the readers; JSON file that says which is which, in another folder
    slices            pictures of each patient; seed: decides planes and order, drawn if None, and stands in the key
    """

    real: Path
    synthetic: Path
    page: Path
    key: Path
    title: str = "Real or synthetic?"
    slices: int = 3
    seed: int | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Item:
    """One picture of the study: what it is of, for the key alone."""

    truth: str
    patient: str
    z_mm: float


@dataclass(frozen=True)
class ReaderScore:
    """One reader. positive is a synthetic image: sensitivity is the part of these that was recognised.

    answered, of: images; grades: truth -> mean grade, None without an answer; seconds: median for an image
    """

    reader: str
    answered: int
    of: int
    rates: Rates
    grades: Mapping[str, float | None]
    seconds: float | None


@dataclass(frozen=True)
class Agreement:
    """Agreement of readers beyond chance, over the images that all of them answered; None if it cannot be told.

    kind: of real or synthetic; grade: of the four grades
    """

    readers: tuple[str, ...]
    n: int
    kind: float | None
    grade: float | None


@dataclass(frozen=True)
class StudyScore:
    """All readers, each pair (Cohen's kappa), and all together where there are more than two (Fleiss' kappa)."""

    readers: tuple[ReaderScore, ...]
    pairs: tuple[Agreement, ...]
    together: Agreement | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def make_study(order: StudyOrder, heard: Callable[[str], None] = lambda _: None) -> int:
    """Write the page and its key; how many images it has.

    Raises InputError if a side has no image, ConfigError if the key would lie beside the page, OutputError if a file cannot be
    written.
    """
    if order.key.resolve().parent == order.page.resolve().parent:
        raise ConfigError(f"{order.key} lies in the folder of the page: readers would find it; keep the key elsewhere")
    for file in (order.page, order.key):
        must_be_free(file, overwrite=order.overwrite)
    seed = secrets.randbits(32) if order.seed is None else order.seed
    files = {truth: find_images(path, KNOWN[truth]) for truth, path in ((REAL, order.real), (SYNTHETIC, order.synthetic))}
    images = {}
    for truth, side in files.items():
        for patient, file in side.items():
            heard(f"{truth}: {patient}")
            images[truth, patient] = read_image(file)
    shown = _pictures(images, order.slices, random.Random(seed))
    study = secrets.token_hex(4)
    page = StudyPage(study, order.title, __version__, {token: png for token, (_, png) in shown.items()})
    key = {"study": study, "seed": seed, "rtseg": __version__, "items": {token: vars(item) for token, (item, _) in shown.items()}}
    with whole_file(order.key, overwrite=order.overwrite) as path:
        path.write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")
    with whole_file(order.page, overwrite=order.overwrite) as path:
        path.write_text(render_study(page), encoding="utf-8")
    return len(shown)


def score_study(key_file: Path, answer_files: Sequence[Path]) -> StudyScore:
    """The answers of one reader or more against the key.

    Raises InputError for a file that is none, of another study, of a reader who comes twice, or without an answer.
    """
    key = _json(key_file, "key", ("study", "items"))
    truth = {token: item["truth"] == SYNTHETIC for token, item in key["items"].items()}
    readers: dict[str, dict[str, Any]] = {}
    for file in answer_files:
        answers = _json(file, "file of answers", ("study", "reader", "answers"))
        if answers["study"] != key["study"] or not set(answers["answers"]) <= set(truth):
            raise InputError(f"{file} holds answers to another study than {key_file}: name the key that was made with its page")
        if answers["reader"] in readers:
            raise InputError(f"{file}: the reader {answers['reader']} comes twice; name one file for each reader")
        readers[answers["reader"]] = _whole(file, answers["answers"])
    scores = tuple(_reader_score(name, answers, truth) for name, answers in readers.items())
    pairs = tuple(_agreement({a: readers[a], b: readers[b]}) for a, b in combinations(readers, 2))
    return StudyScore(scores, pairs, _agreement(readers) if len(readers) > 2 else None)


def _pictures(images: Mapping[tuple[str, str], Volume], slices: int, chance: random.Random) -> dict[str, tuple[Item, bytes]]:
    """Token -> what it is and its picture, in random order; all of one field of view, so that its size tells nothing."""
    field_mm = np.min([field_of(image) for image in images.values()], axis=0)
    found = []
    for (truth, patient), image in images.items():
        places = planes_worth_seeing(image)
        for z in sorted(chance.sample(list(places), min(slices, len(places)))):
            found.append((Item(truth, patient, round(float(z), 1)), axial_picture(image, float(z), field_mm)))
    chance.shuffle(found)
    return {secrets.token_hex(6): item for item in found}


def _json(file: Path, what: str, wanted: tuple[str, ...]) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as a {what} of a reader study: {error}") from error
    if not isinstance(content, dict) or not set(wanted) <= set(content):
        raise InputError(f"{file} is no {what} of a reader study: expected {', '.join(wanted)} in it")
    return content


def _whole(file: Path, answers: Any) -> dict[str, Any]:
    """Answers with both parts. Raises InputError for what the page never writes, or where there is none."""
    whole = {}
    for token, answer in answers.items():
        kind, grade = answer.get("kind"), answer.get("grade")
        if kind not in (None, REAL, SYNTHETIC) or grade not in (None, *GRADES):
            raise InputError(f"{file}: image {token} has the answer {kind!r}, {grade!r}; expected real or synthetic, and 1 to 4")
        if kind is not None and grade is not None:
            whole[token] = answer
    if not whole:
        raise InputError(f"{file}: no image was answered whole")
    return whole


def _reader_score(name: str, answers: Mapping[str, Any], truth: Mapping[str, bool]) -> ReaderScore:
    tokens = [token for token in truth if token in answers]
    grades = {
        kind: [answers[token]["grade"] for token in tokens if truth[token] == (kind == SYNTHETIC)] for kind in (REAL, SYNTHETIC)
    }
    seconds = [answers[token]["seconds"] for token in tokens if isinstance(answers[token].get("seconds"), (int, float))]
    return ReaderScore(
        reader=name,
        answered=len(tokens),
        of=len(truth),
        rates=rates([truth[token] for token in tokens], [answers[token]["kind"] == SYNTHETIC for token in tokens]),
        grades={kind: float(np.mean(values)) if values else None for kind, values in grades.items()},
        seconds=float(np.median(seconds)) if seconds else None,
    )


def _agreement(readers: Mapping[str, Mapping[str, Any]]) -> Agreement:
    """Cohen's kappa of two readers, Fleiss' of more, over the images that all answered."""
    first, *others = readers.values()
    tokens = [token for token in first if all(token in other for other in others)]
    if not tokens:
        return Agreement(tuple(readers), 0, None, None)
    kinds = [[int(of[token]["kind"] == SYNTHETIC) for token in tokens] for of in readers.values()]
    grades = [[int(of[token]["grade"]) for token in tokens] for of in readers.values()]
    return Agreement(tuple(readers), len(tokens), _kappa(kinds), _kappa(grades))


def _kappa(answers: Sequence[Sequence[int]]) -> float | None:
    if len(answers) == 2:
        return cohens_kappa(*answers)
    table = np.array(answers)
    return fleiss_kappa(np.stack([(table == answer).sum(axis=0) for answer in np.unique(table)], axis=1))
