"""`rtseg evaluate`: contours held against a reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rtseg.cli.options import OrganNames
from rtseg.cli.terminal import Bar, answer, answer_json, errors_as_json, say, table
from rtseg.core import ConfigError

if TYPE_CHECKING:
    from rtseg.jobs.evaluate import Evaluation
    from rtseg.metrics import HowMeasured
    from rtseg.metrics.cohort import Comparison, Distribution, OrganSummary


NAMES_SHOWN = 8
"""So many names stand in a line of the answer; all are on the page and in evaluation.json."""

FORMS = "an RTSTRUCT, a folder of NIfTI masks, a case folder, or a tree of these"


def evaluate(
    predicted: Annotated[
        list[Path],
        typer.Argument(metavar="PREDICTED...", help=f"Contours to judge: {FORMS}. Several are compared; NAME=PATH names one."),
    ],
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help=f"Contours to judge them by: {FORMS}.")],
    output: Annotated[Path, typer.Option(help="Folder for tables and page.")],
    ct: Annotated[Path | None, typer.Option(help="Folder or tree with the CTs of structure sets; a CT to show masks on.")] = None,
    names: OrganNames = None,
    organs: Annotated[
        str | None, typer.Option(help="Only these, separated by commas; one that a prediction lacks everywhere was missed.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Task whose tolerances and open ends count; those of all that ship if not given.")
    ] = None,
    surface: Annotated[
        Literal["surfel", "voxel"], typer.Option(help="Surface model; voxel for comparison with older papers.")
    ] = "surfel",
    apl_mm: Annotated[
        float | None, typer.Option(min=0, help="Tolerance of the added path length; one pixel if not given.")
    ] = None,
    resample: Annotated[bool, typer.Option("--resample", help="Bring predictions on another grid onto the reference's.")] = False,
    pictures: Annotated[int, typer.Option(min=0, help="Show so many of an organ's worst patients.")] = 5,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one for each core if not given.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an evaluation that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON; an error too.")] = False,
) -> None:
    """Measure contours against a reference: DSC, HD95 and the others, organ by organ, as CSV tables and a page.

    Patients are matched by the CT their structure sets were drawn on, or by the names of folders; organs through their synonyms.
    Exit code 1 if a patient could not be compared.

    Example: rtseg evaluate AUTO_DIR MANUAL_DIR --ct CTS_DIR --output EVALUATION_DIR
    """
    from rtseg.jobs.evaluate import EvaluateOrder
    from rtseg.jobs.evaluate import evaluate as run
    from rtseg.jobs.import_dicom import read_names
    from rtseg.metrics import SurfaceModel

    with errors_as_json(as_json):
        order = EvaluateOrder(
            predicted=_named(predicted),
            reference=reference,
            output=output,
            ct=ct,
            names=read_names(names),
            organs=None if organs is None else tuple(name.strip() for name in organs.split(",") if name.strip()),
            measured=_measured(task),
            model=SurfaceModel(surface),
            apl_mm=apl_mm,
            resample=resample,
            pictures=pictures,
            workers=workers,
            overwrite=overwrite,
        )
        result = run(order, Bar("patients"), say)
    if as_json:
        answer_json(result.as_dict())
    else:
        _answer(result)
    if result.failures:
        raise typer.Exit(1)


def _named(paths: list[Path]) -> dict[str, Path]:
    """Name -> path of each prediction: as given, else the last parts of its path that no other has."""
    given = [_split(path) for path in paths]
    named: dict[str, Path] = {}
    for name, place in given:
        called = name or _called(place, [other for _, other in given])
        if called in named:
            raise ConfigError(f"two predictions are called {called}: name them, as in NAME={place}")
        named[called] = place
    return named


def _split(path: Path) -> tuple[str, Path]:
    """Name and place of NAME=PATH; an empty name where none was given."""
    name, equals, place = str(path).partition("=")
    return (name, Path(place)) if equals and "/" not in name and not path.exists() else ("", path)


def _called(place: Path, places: list[Path]) -> str:
    parts = place.resolve().parts
    others = [other.resolve().parts for other in places if other.resolve() != place.resolve()]
    counts = (count for count in range(1, len(parts)) if all(other[-count:] != parts[-count:] for other in others))
    return "/".join(parts[-next(counts, len(parts)) :])


def _measured(task: str | None) -> dict[str, HowMeasured]:
    """How organs are measured: by one task, or by all that ship."""
    from rtseg.systems.catalogue import read_task, shipped_tasks

    tasks = shipped_tasks().values() if task is None else [read_task(task)]
    return {organ: how for one in tasks for organ, how in one.measured.items()}


def _answer(result: Evaluation) -> None:
    for label, summaries in result.summaries.items():
        answer(f"{label}: {result.patients} patient{'' if result.patients == 1 else 's'} against {result.order.reference}")
        rows = [_row(summary) for summary in summaries]
        table(("organ", "n", "missed", "false", "DSC", "median", "HD95 mm", "median", "NSD"), rows)
    for label, comparisons in result.comparisons.items():
        first = next(iter(result.scores))
        rows = [_difference(one) for one in comparisons if one.figure == "dsc"]
        answer(f"DSC of {label} minus {first}:")
        table(("organ", "n", "mean difference", "95 % interval", "p (Holm)"), rows)
    _answer_gaps(result)
    answer(f"written: {result.order.output / 'report.html'}, figures.csv, summary.csv")


def _row(summary: OrganSummary) -> tuple[str, ...]:
    dsc, hd95 = summary.figures.get("dsc"), summary.figures.get("hd95_mm")
    nsd = next((of for name, of in summary.figures.items() if name.startswith("nsd_")), None)
    cells = (_shown(dsc, "mean", 3), _shown(dsc, "median", 3), _shown(hd95, "mean", 1), _shown(hd95, "median", 1))
    return (summary.organ, str(summary.n), str(summary.missed), str(summary.false_organs), *cells, _shown(nsd, "mean", 3))


def _shown(of: Distribution | None, what: str, digits: int) -> str:
    value = None if of is None else getattr(of, what)
    return "-" if value is None else f"{value:.{digits}f}"


def _difference(one: Comparison) -> tuple[str, ...]:
    d = one.differences
    interval = "-" if d.mean_interval is None else f"{d.mean_interval[0]:+.3f} to {d.mean_interval[1]:+.3f}"
    return (one.organ, str(d.n), f"{d.mean:+.3f}", interval, f"{one.p_holm:.4f}")


def _answer_gaps(result: Evaluation) -> None:
    """What was not compared."""
    for patient, label, words in result.failures:
        answer(f"not compared: {patient}{f' ({label})' if label else ''}: {words}")
    for what, of in (
        ("patients without a prediction", result.plan.without_prediction),
        ("patients without a reference", result.plan.without_reference),
        ("organs not predicted for anybody, so not scored (--organs counts them as missed)", result.not_predicted),
        ("organs that no reference has", result.unmatched),
    ):
        for label, names in of.items():
            if names:
                rest = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
                answer(f"{label}: {len(names)} {what}: {', '.join(names[:NAMES_SHOWN])}{rest}")
    if result.in_vain:
        answer(f"asked for, but in no reference: {', '.join(result.in_vain)}")
    for words in result.plan.left_out:
        answer(f"left out: {words}")
