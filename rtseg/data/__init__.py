"""Cases, where they come from, and how they are packed for training."""

from rtseg.data.case import Case, CaseFolder, axial, find_cases, read_case, squared, write_case, write_labelled
from rtseg.data.mr_files import MRFile, find_mrs
from rtseg.data.nifti import read_nifti, write_nifti
from rtseg.data.pack import Packed, PackedCase, PackedMR, PackPlan, pack, pack_case, read_pack, structures_of

__all__ = [
    "Case",
    "CaseFolder",
    "MRFile",
    "PackPlan",
    "Packed",
    "PackedCase",
    "PackedMR",
    "axial",
    "find_cases",
    "find_mrs",
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
