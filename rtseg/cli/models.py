"""`rtseg models`: which models ship, verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rtseg.cli.terminal import answer, answer_json, table

if TYPE_CHECKING:
    from rtseg.jobs.list_models import ModelRow


def models(as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False) -> None:
    """List the models that ship and verify each file's SHA-256; exit code 1 if one is not what was bundled.

    Example: rtseg models
    """
    from dataclasses import asdict

    from rtseg.jobs.list_models import list_models

    rows = list_models()
    if as_json:
        answer_json([asdict(row) for row in rows])
    else:
        table(
            ("model", "version", "sha256", "makes"),
            [(row.name, row.version, row.sha256[:12], row.error or _makes(row)) for row in rows],
        )
        answer("Each has a card (card.md) with its data, accuracy and limits; not a medical device.")
    if any(row.error for row in rows):
        raise typer.Exit(1)


def _makes(row: ModelRow) -> str:
    return ", ".join([*(["synthetic MR"] if row.makes_mr else []), *row.organs])
