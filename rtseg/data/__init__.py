"""Cases, where they come from, and how they are packed for training."""

from rtseg.data.case import Case, CaseFolder, axial, find_cases, read_case, squared, write_case, write_labelled
from rtseg.data.nifti import read_nifti, write_nifti
from rtseg.data.pack import PackedCase, PackPlan, pack, pack_case, read_pack, structures_of

__all__ = [
    "Case",
    "CaseFolder",
    "PackPlan",
    "PackedCase",
    "axial",
    "find_cases",
    "pack",
    "pack_case",
    "read_case",
    "read_nifti",
    "read_pack",
    "squared",
    "structures_of",
    "write_case",
    "write_labelled",
    "write_nifti",
]
