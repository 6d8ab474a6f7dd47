"""How a user wants contours to be written; who made them and where they go follows from the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtseg.dicom import Clash, Export, Maker, WrittenRoi


@dataclass(frozen=True)
class Writing:
    """Options of a structure set (``Export``), and where it is written beside another form.

    append_to  structure set whose ROIs the new one holds too; clash: what happens where a name is there already
    seg        file for the organs as a DICOM SEG as well
    """

    subvoxel: bool = False
    simplify_mm: float = 0.0
    min_area_mm2: float = 0.0
    names: Mapping[str, WrittenRoi] | None = None
    append_to: Path | None = None
    clash: Clash = Clash.REFUSE
    allow_approved: bool = False
    seg: Path | None = None

    def __post_init__(self) -> None:
        self.export(Maker("none", "0", "0" * 64), overwrite=False)  # raises ConfigError before any work is done

    def export(self, maker: Maker, *, overwrite: bool) -> Export:
        """The options for the writer. Raises ConfigError for what cannot be."""
        return Export(
            maker,
            overwrite=overwrite,
            subvoxel=self.subvoxel,
            simplify_mm=self.simplify_mm,
            min_area_mm2=self.min_area_mm2,
            names=self.names,
            allow_approved=self.allow_approved,
        )

    @property
    def key(self) -> list[Any]:
        """What changes contours, in plain values: a batch does again what was written otherwise."""
        names = None
        if self.names is not None:
            names = {key: [roi.name, roi.colour, roi.interpreted_type] for key, roi in sorted(self.names.items())}
        return [self.subvoxel, self.simplify_mm, self.min_area_mm2, names]


PLAINLY = Writing()
"""Every voxel's border, under TG-263 names, into a structure set of its own."""
