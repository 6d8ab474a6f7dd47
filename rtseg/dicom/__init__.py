"""DICOM at the door: planning CT in, structure set out and in, CT series out. pydicom and numpy only."""

from rtseg.dicom.append import Clash, append
from rtseg.dicom.ct_writer import Patient, write_ct_series
from rtseg.dicom.export import Conversion, Export, Maker, WrittenRoi
from rtseg.dicom.foreign import foreign_check
from rtseg.dicom.mr_series import WrittenMrSeries, write_mr_series
from rtseg.dicom.mr_verify import StoredValues, verify_mr_series
from rtseg.dicom.planning_ct import CtGrid, PlanningCT, SeriesIdentity, SliceIdentity
from rtseg.dicom.rtstruct_reader import Roi, RtstructContents, read_rtstruct
from rtseg.dicom.rtstruct_writer import WrittenRtstruct, write_rtstruct
from rtseg.dicom.seg import read_seg, write_seg
from rtseg.dicom.series import read_ct_grid, read_planning_ct
from rtseg.dicom.verify import Expected, Verification, verify

__all__ = [
    "Clash",
    "Conversion",
    "CtGrid",
    "Expected",
    "Export",
    "Maker",
    "Patient",
    "PlanningCT",
    "Roi",
    "RtstructContents",
    "SeriesIdentity",
    "SliceIdentity",
    "StoredValues",
    "Verification",
    "WrittenMrSeries",
    "WrittenRoi",
    "WrittenRtstruct",
    "append",
    "foreign_check",
    "read_ct_grid",
    "read_planning_ct",
    "read_rtstruct",
    "read_seg",
    "verify",
    "verify_mr_series",
    "write_ct_series",
    "write_mr_series",
    "write_rtstruct",
    "write_seg",
]
