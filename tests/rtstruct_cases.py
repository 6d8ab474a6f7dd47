"""Structure sets for tests: a phantom written as CT, read again, its organs written as contours of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phantoms import axial_geometry, coronal_geometry, oblique_geometry, sagittal_geometry, three_balls, without_slices

from rtseg.core import Geometry, StructureSet
from rtseg.dicom import Patient, PlanningCT, read_planning_ct, write_ct_series
from rtseg.dicom.export import Export, Maker
from rtseg.dicom.rtstruct_writer import WrittenRtstruct, write_rtstruct

MAKER = Maker("rtseg-ct-test", "1.2", "1a2b3c4d" * 8)

GEOMETRIES = {
    **{position: axial_geometry(position) for position in ("HFS", "HFP", "FFS", "FFP")},
    "oblique": oblique_geometry(),
    "sagittal": sagittal_geometry(),
    "coronal": coronal_geometry(),
    "slice gap": without_slices(axial_geometry(), (12, 13)),
    "pixels not square": axial_geometry(spacing_mm=(2.5, 1.6, 2.4), shape=(34, 76, 56)),
    "image not square": axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 60, 72)),
    "square": axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64)),
}


@dataclass(frozen=True)
class Case:
    """What was written where, and what it should read back as."""

    ct: PlanningCT
    organs: StructureSet
    written: WrittenRtstruct

    @property
    def path(self) -> Path:
        return self.written.path


def case(folder: Path, geometry: Geometry, patient: str = "Test^Three Balls") -> Case:
    phantom = three_balls(geometry)
    write_ct_series(phantom.ct, folder / "ct", Patient(patient, "P-1", "F", "19500102"))
    ct = read_planning_ct(folder / "ct")
    organs = on_grid(phantom.organs, ct.volume.geometry)
    return Case(ct, organs, write_rtstruct(organs, ct, folder / "rs.dcm", Export(MAKER)))


def on_grid(organs: StructureSet, geometry: Geometry) -> StructureSet:
    """The same voxels on the grid as it was read; the stack must have come back in the same order."""
    assert geometry.same_as(organs.geometry)
    return StructureSet(geometry, organs.structures)
