"""Options that several commands share: how contours are written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rtseg.jobs.writing import Writing

Names = Annotated[
    Path | None, typer.Option(metavar="YAML", help="The clinic's names, colours and types; organs not in it are not written.")
]
Subvoxel = Annotated[bool, typer.Option("--subvoxel", help="Contours where the probability is one half, within voxels.")]
SimplifyMm = Annotated[float, typer.Option(min=0, help="Leave out points that lie nearer than this to the line between others.")]
MinAreaMm2 = Annotated[float, typer.Option(min=0, help="Leave out parts of a slice smaller than this.")]

OrganNames = Annotated[
    Path | None,
    typer.Option(
        "--map",
        metavar="YAML",
        help="YAML file, your label: TG-263 name, or null to leave it out; it goes before the names rtseg knows.",
    ),
]


def writing(names: Path | None, subvoxel: bool, simplify_mm: float, min_area_mm2: float) -> Writing:
    """These options as the jobs take them. Raises ConfigError for a table of names that cannot be read."""
    from rtseg.jobs.writing import Writing
    from rtseg.systems.clinic_names import read_clinic_names

    table = None if names is None else read_clinic_names(names)
    return Writing(subvoxel, simplify_mm, min_area_mm2, table)
