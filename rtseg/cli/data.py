"""`rtseg data`: cases made ready for training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtseg.cli.terminal import Bar, answer

app = typer.Typer(no_args_is_help=True, help="Cases made ready for training.")


@app.callback()
def _group() -> None:
    """Keeps `pack` a command of its own name."""


@app.command("pack")
def pack(
    source: Annotated[Path, typer.Argument(metavar="CASES", help="Case folders (case.json), or a tree with index.csv.")],
    output: Annotated[Path, typer.Option(help="New folder for the packed data.")],
    task: Annotated[str, typer.Option(help="Task that ships, or a YAML file.")] = "head_neck",
) -> None:
    """Bring every case onto the task's working grid, once, for training.

    Example: rtseg data pack CASES_DIR --task head_neck --output PACKED_DIR
    """
    from rtseg.jobs.pack_data import pack_data

    bar = Bar("packing", every=10)
    try:
        count = pack_data(source, output, task, bar.begin, bar.advance)
    finally:
        bar.end()
    answer(f"{count} cases packed into {output}")
