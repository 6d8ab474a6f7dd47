"""What commands print: tables and progress on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from rtseg.core import ConfigError, Finding, RtsegError
from rtseg.core.printable import printable

FINDINGS = 3
"""Exit code of findings under --strict."""


def say(line: str) -> None:
    """One line of progress or remark, on standard error: standard output is for the answer."""
    typer.echo(printable(line), err=True)


def answer(line: str = "") -> None:
    """One line of the answer."""
    typer.echo(printable(line))


def answer_json(content: Any) -> None:
    """The answer for another program."""
    typer.echo(json.dumps(content, indent=1, default=str))


@contextmanager
def errors_as_json(asked: bool) -> Iterator[None]:
    """Within it an RtsegError is answered as JSON too, where that was asked for; it goes on to the command line's end."""
    try:
        yield
    except RtsegError as error:
        if asked:
            answer_json({"error": str(error)})
        raise


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns by width; the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cells = [cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        answer("  ".join(cells).rstrip())


def answer_findings(findings: Sequence[Finding]) -> None:
    """What a human should look at, each in one line."""
    answer(f"{len(findings)} finding{'' if len(findings) == 1 else 's'} to look at{':' if findings else '.'}")
    for finding in findings:
        answer(f"  {finding.kind}: {finding.words}")


def exit_strictly(findings: Sequence[Finding], strict: bool) -> None:
    """End with exit code 3 if there are findings and the user wants them to count."""
    if strict and findings:
        raise typer.Exit(FINDINGS)


class Bar:
    """A progress bar with the time left on a terminal, a line now and then elsewhere."""

    def __init__(self, what: str, every: int = 1) -> None:
        self._what, self._every, self._done, self._total = what, every, 0, 0
        self._progress: Any = None
        self._task: Any = None

    def begin(self, total: int, done: int = 0) -> None:
        self._total, self._done = total, done
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._task = self._progress.add_task(self._what, total=total, completed=done)
            self._progress.start()

    def reach(self, done: int, words: str) -> None:
        self._done = done
        if self._progress is not None:
            self._progress.update(self._task, completed=done, description=f"{self._what} {words}")
        elif done % self._every == 0 or done == self._total:
            say(f"{self._what} {done}/{self._total} {words}")

    def advance(self, words: str) -> None:
        self.reach(self._done + 1, words)

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def steps() -> Callable[[str], None]:
    """For a stopwatch: each step is told when it begins."""
    return lambda step: say(f"{step} ...")


def seconds(text: str) -> float:
    """``90s``, ``30m``, ``2h`` as seconds. Raises ConfigError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if match is None:
        raise ConfigError(f"a time is a number and s, m or h, as in 30m; got {text!r}")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
