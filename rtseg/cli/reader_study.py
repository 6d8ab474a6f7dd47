"""`rtseg reader-study`: can people tell synthetic images from real ones, and how good do they find them?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtseg.cli.terminal import answer, answer_json, errors_as_json, say, table

if TYPE_CHECKING:
    from rtseg.jobs.reader_study import Agreement, ReaderScore

FORMS = "NIfTI file, folder with a DICOM series, or folder of NIfTI files of many patients"

app = typer.Typer(no_args_is_help=True, help="A blinded study of real and synthetic images: its page, and the readers' score.")


@app.command("make")
def make(
    real: Annotated[Path, typer.Argument(metavar="REAL", help=f"Real MR: {FORMS}.")],
    synthetic: Annotated[Path, typer.Argument(metavar="SYNTHETIC", help="Synthetic MR, the same.")],
    page: Annotated[Path, typer.Option(help="HTML file for the readers.")],
    key: Annotated[Path, typer.Option(help="JSON file that tells which is which; in another folder than the page.")],
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Real or synthetic?",
    slices: Annotated[int, typer.Option(min=1, help="Pictures of each patient.")] = 3,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides planes and order; drawn if not given.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Make one HTML page with real and synthetic images in random order: a visual Turing test and a grading sheet of four levels.

    Readers open it in any browser, answer by keyboard and save a file with their answers.

    Example: rtseg reader-study make MR_DIR SMR_DIR --page STUDY_DIR/study.html --key key.json
    """
    from rtseg.jobs.reader_study import StudyOrder, make_study

    count = make_study(StudyOrder(real, synthetic, page, key, title, slices, seed, overwrite), lambda words: say(f"{words} ..."))
    answer(f"{count} images in {page}; which is which: {key}")
    answer("Give readers the page alone.")


@app.command("score")
def score(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="File written with the page.")],
    answers: Annotated[list[Path], typer.Argument(metavar="ANSWERS...", help="Files that readers saved, one for each.")],
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON; an error too.")] = False,
) -> None:
    """Score the answers: accuracy with exact 95 % interval, sensitivity and specificity for synthetic images, grades, and kappa.

    Example: rtseg reader-study score key.json answers_A.json answers_B.json
    """
    from rtseg.jobs.reader_study import score_study

    with errors_as_json(as_json):
        found = score_study(key, answers)
    if as_json:
        answer_json(found.as_dict())
        return
    head = (
        "reader",
        "answered",
        "accuracy",
        "95 % interval",
        "sensitivity",
        "specificity",
        "PPV",
        "NPV",
        "F1",
        "grade real",
        "synthetic",
    )
    table(head, [_row(reader) for reader in found.readers])
    answer("Positive is a synthetic image: an accuracy near 0.50 means that readers could not tell. Interval: Clopper-Pearson.")
    together = () if found.together is None else (found.together,)
    if found.pairs:
        table(("kappa", "images", "real or synthetic", "grade"), [_kappas(one) for one in (*found.pairs, *together)])
        answer("Cohen's kappa of two readers, Fleiss' of more; grades unweighted.")


def _row(reader: ReaderScore) -> tuple[str, ...]:
    of = reader.rates
    low, high = of.accuracy_interval
    parts = (of.sensitivity, of.specificity, of.ppv, of.npv, of.f1)
    grades = (reader.grades["real"], reader.grades["synthetic"])
    counts = (reader.reader, f"{reader.answered} of {reader.of}", f"{of.accuracy:.2f}", f"{low:.2f} to {high:.2f}")
    return (*counts, *map(_shown, parts), *map(_shown, grades))


def _kappas(one: Agreement) -> tuple[str, ...]:
    return (", ".join(one.readers), str(one.n), _shown(one.kind), _shown(one.grade))


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
