"""Packs of two real patients, for trainings of some steps on what the methods are for."""

from __future__ import annotations

import csv
from pathlib import Path

from limb_cases import limb_case, rows

from rtseg.data import write_case
from rtseg.jobs.pack_data import pack_data

HEADS = {"train": ("pt_4", "pt_31"), "validation": ("pt_208",)}
MRS = {"train": ("IXI013_T1", "IXI014_T1"), "validation": ("IXI033_T1",)}
LIMBS = ("STS_025", "STS_042")
"""The two smallest of the pairs."""


def head_pack(cts: Path, mrs: Path, place: Path) -> Path:
    """Two CTs to learn from, one to judge by, and T1 MRs of three other people."""
    with (cts / "index.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    named = [name for names in HEADS.values() for name in names]
    (place / "cases").mkdir(parents=True)
    with (place / "cases" / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([lines[0], *(line for line in lines[1:] if line[lines[0].index("patient")] in named)])
    for split, names in HEADS.items():
        (place / "cases" / split).mkdir()
        for name in names:
            (place / "cases" / split / name).symlink_to((cts / split / name).resolve())
    for split, names in MRS.items():
        (place / "mrs" / split).mkdir(parents=True)
        for name in names:
            (place / "mrs" / split / f"{name}.nii.gz").symlink_to((mrs / f"{name}.nii.gz").resolve())
    pack_data(place / "cases", place / "pack", "head_neck", _silent, _silent, place / "mrs")
    return place / "pack"


def limb_pack(limbs: Path, place: Path) -> Path:
    """Two weakly paired limbs."""
    for row in rows():
        if row.person in LIMBS:
            write_case(limb_case(limbs / "cases" / row.person, row), place / "cases" / "train" / row.person)
    pack_data(place / "cases", place / "pack", "limb", _silent, _silent)
    return place / "pack"


def _silent(_: object) -> None:
    pass
