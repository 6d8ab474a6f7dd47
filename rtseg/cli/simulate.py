"""`rtseg simulate`: labelled patients without a patient."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtseg.cli.terminal import Bar, answer
from rtseg.core import ConfigError


class Format(StrEnum):
    """How a man is written."""

    CASES = "cases"
    DICOM = "dicom"


def simulate(
    site: Annotated[str, typer.Argument(metavar="SITE", help="Whom to simulate: male_pelvis.")],
    output: Annotated[Path, typer.Option(help="Folder; each man gets one in it.")],
    n: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    first: Annotated[int, typer.Option(min=1, help="Number of the first: more men go beside those that are there.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and number give the same man, to the byte.")] = 0,
    form: Annotated[Format, typer.Option("--format", help="Case folders (NIfTI), or DICOM CT, MR and RTSTRUCT.")] = Format.CASES,
    registered: Annotated[
        bool, typer.Option(help="CT and MR of the same hour; else the MR has another bladder, rectum, pose.")
    ] = True,
    wishes: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=NUMBER that is not drawn, as in bladder_ml=300.")
    ] = None,
    population: Annotated[str, typer.Option(help="Population that ships, or a YAML file of your own.")] = "male_pelvis",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace men that are there already.")] = False,
) -> None:
    """Simulate men: CT, T2-weighted MR and the exact masks of their organs. Every file says that it is simulated.

    Example: rtseg simulate male_pelvis --n 20 --output MEN_DIR --seed 1
    """
    from rtseg.jobs.simulate import SimulateOrder
    from rtseg.jobs.simulate import simulate as run

    order = SimulateOrder(
        site, output, n, first, seed, form.value, registered, _numbers(wishes or []), population, workers, overwrite
    )
    bar = Bar("simulating")
    try:
        folders = run(order, bar.begin, bar.advance)
    finally:
        bar.end()
    answer(f"{len(folders)} simulated men: {folders[0]} to {folders[-1].name}")


def _numbers(wishes: list[str]) -> dict[str, float]:
    found = {}
    for wish in wishes:
        name, _, value = wish.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise ConfigError(f"--set takes NAME=NUMBER, as in bladder_ml=300; got {wish!r}") from None
    return found
