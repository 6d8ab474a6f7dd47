"""`rtseg verify`: is a structure set of anybody's as it should be?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtseg.cli.terminal import answer, answer_json, errors_as_json, exit_strictly

if TYPE_CHECKING:
    from rtseg.core import Finding
    from rtseg.jobs.verify import VerifyResult


def verify(
    structure_set: Annotated[Path, typer.Argument(metavar="RS", help="RTSTRUCT file of any maker.")],
    ct: Annotated[Path, typer.Argument(metavar="CT", help="Folder with the CT that it was drawn on; headers alone are read.")],
    series: Annotated[str | None, typer.Option(help="Series UID, or its unique ending, if the folder has several CTs.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are warnings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON; an error too.")] = False,
) -> None:
    """Hold a structure set against its CT and the standard: ten checks, each fault in plain words (exit code 1 if there is one).

    Example: rtseg verify RS.dcm CT_DIR
    """
    from rtseg.jobs.verify import verify_structure_set

    with errors_as_json(as_json):
        result = verify_structure_set(structure_set, ct, series)
    if as_json:
        answer_json(result.as_dict())
    else:
        _answer(result)
    if not result.is_good:
        raise typer.Exit(1)
    exit_strictly(result.warnings, strict)


def _answer(result: VerifyResult) -> None:
    from rtseg.dicom.verify import CHECKS

    def lines(findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            number, _ = CHECKS.get(finding.kind, ("-", ""))
            answer(f"  {number}: {finding.words}")

    answer(f"{result.name}: {len(result.defects)} defects{':' if result.defects else ''}")
    lines(result.defects)
    answer(f"{len(result.warnings)} warnings{':' if result.warnings else ''}")
    lines(result.warnings)
    answer(result.foreign)
