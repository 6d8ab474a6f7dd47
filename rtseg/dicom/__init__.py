"""DICOM at the door: planning CT in, CT series out. pydicom and numpy only."""

from rtseg.dicom.ct_writer import Patient, write_ct_series
from rtseg.dicom.planning_ct import PlanningCT, SeriesIdentity, SliceIdentity
from rtseg.dicom.series import read_ct_grid, read_planning_ct

__all__ = [
    "Patient",
    "PlanningCT",
    "SeriesIdentity",
    "SliceIdentity",
    "read_ct_grid",
    "read_planning_ct",
    "write_ct_series",
]
