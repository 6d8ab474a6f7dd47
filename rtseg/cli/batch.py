"""`rtseg batch`: a folder of planning CTs in, a folder of structure sets out."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtseg.cli import options
from rtseg.cli.contour import REVIEW
from rtseg.cli.terminal import Bar, answer, answer_json, errors_as_json, exit_strictly, say
from rtseg.core import Finding

if TYPE_CHECKING:
    from rtseg.jobs.batch import BatchOrder, BatchResult

STOPPED = 130


def batch(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT_DIR", help="Folder with planning CTs: one sub-folder or series a patient.")
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT_DIR", help="Folder that mirrors it: RS.dcm for each CT, tables, index.html.")
    ],
    model: Annotated[str, typer.Option(help="Name of a model that ships, or a bundle's folder.")] = "head_neck",
    organs: Annotated[str | None, typer.Option(help="Only these organs, separated by commas.")] = None,
    body: Annotated[bool, typer.Option("--body", help="The body's outline too (External).")] = False,
    report: Annotated[bool, typer.Option("--report", help="An HTML report for each patient too.")] = False,
    allow_gaps: Annotated[bool, typer.Option("--allow-gaps", help="Go on if slices are missing.")] = False,
    names: options.Names = None,
    subvoxel: options.Subvoxel = False,
    simplify_mm: options.SimplifyMm = 0.0,
    min_area_mm2: options.MinAreaMm2 = 0.0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes on this computer; one for four cores if not given.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of the network in each worker; cores / workers if not given.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler whose workers do it, e.g. tls://host:8786.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try those again, too, that were refused before and are the same still.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are findings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON; an error too.")] = False,
) -> None:
    """Contour every CT below a folder; the same command again does only what is not done.

    Exit code 1 if any CT could not be contoured: failures.csv tells why.

    Example: rtseg batch INPUT_DIR OUTPUT_DIR --model head_neck --workers 2
    """
    from rtseg.jobs.batch_order import BatchOrder

    wanted = None if organs is None else tuple(name.strip() for name in organs.split(",") if name.strip())
    with errors_as_json(as_json):
        writing = options.writing(names, subvoxel, simplify_mm, min_area_mm2)
        order = BatchOrder(
            source, output, model, wanted, body, report, allow_gaps, workers, threads, scheduler, retry_failed, writing
        )
        result = _run(order)
    if as_json:
        answer_json(result.as_dict())
    else:
        _answer(result)
    if result.failures:
        raise typer.Exit(1)
    exit_strictly(_findings(result), strict)


def _run(order: BatchOrder) -> BatchResult:
    """The batch; a signal to end, as a shutdown sends it, is taken as Ctrl-C."""
    from rtseg.jobs.batch import run_batch

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run_batch(order, say, Bar("patients"))
    except KeyboardInterrupt:
        say(f"stopped; what is done is in {order.output}, the same command goes on with the rest")
        raise typer.Exit(STOPPED) from None


def _answer(result: BatchResult) -> None:
    failures = result.failures
    contoured = len(result.records) - len(failures)
    answer(
        f"{contoured} contoured ({len(result.done_now)} now), {len(failures)} failed, {result.left_out} groups of files left out"
    )
    for name, failure in failures.items():
        again = " [not tried again]" if name in result.remembered else ""
        answer(f"  {name}: {failure.kind.replace('_', ' ')}{again}: {failure.reason}")
    if result.remembered:
        answer("Those not tried again failed before with the same input; --retry-failed tries them all the same.")
    answer(f"written: {result.output / 'index.html'}, summary.csv, failures.csv, left_out.csv")
    say(REVIEW)


def _findings(result: BatchResult) -> list[Finding]:
    return [Finding(**finding) for record in result.records.values() if record.answer for finding in record.answer["findings"]]
