"""`rtseg bundle`: a model from a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtseg.cli.terminal import answer


def bundle(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a training.")],
    output: Annotated[Path, typer.Option(help="New folder for the bundle; its name becomes the model's.")],
    version: Annotated[str, typer.Option(help="The model's version.")] = "0.1",
    finder: Annotated[
        Path | None, typer.Option(help="Model that looks at the whole scan first, on a coarser grid, for the slices to contour.")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The last averaged weights, not those that validated best.")] = False,
) -> None:
    """Make a model bundle: weights as tensors, their system and task, card and checksums.

    Example: rtseg bundle RUN_DIR --output MODEL_DIR
    """
    from rtseg.jobs.make_bundle import BundleOrder, is_translators, make_bundle

    folder = make_bundle(BundleOrder(run, output, output.resolve().name, version, "last" if last else "best", finder))
    use = "synthesize CT_DIR --model {} --output MR_DIR" if is_translators(run) else "contour CT_DIR --model {} --output RS.dcm"
    answer(f"bundle written: {folder}; use it with: rtseg {use.format(folder)}")
