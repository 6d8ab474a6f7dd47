"""The commands, and how they end: 0 done (also with findings), 1 an error, 2 wrong usage, 3 findings under --strict."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rtseg import __version__
from rtseg.cli import (
    batch,
    bundle,
    check,
    contour,
    convert,
    data,
    demo,
    evaluate,
    evaluate_images,
    models,
    reader_study,
    simulate,
    synthesize,
    train,
    verify,
)
from rtseg.core import RtsegError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Planning CT in, DICOM RTSTRUCT out. Not a medical device: every contour needs a human's review.",
)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("contour")(contour.contour)
app.command("batch")(batch.batch)
app.command("verify")(verify.verify)
app.command("convert")(convert.convert)
app.command("evaluate")(evaluate.evaluate)
app.command("evaluate-images")(evaluate_images.evaluate_images)
app.command("synthesize")(synthesize.synthesize)
app.command("simulate")(simulate.simulate)
app.command("models")(models.models)
app.add_typer(reader_study.app, name="reader-study")
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
app.command("bundle")(bundle.bundle)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"rtseg {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line; an RtsegError becomes one line on standard error and exit code 1.

    ``--debug`` may stand anywhere, after the command too: it is taken out before the commands see their arguments.
    """
    given = sys.argv[1:]
    arguments = [word for word in given if word != "--debug"]
    try:
        app(arguments)
    except RtsegError as error:
        if len(arguments) < len(given):
            raise
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
