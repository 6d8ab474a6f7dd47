"""Case folders of limbs with CT and T1 MR, from the set sts_ct_mr (Soft-tissue-Sarcoma, TCIA, CC BY 3.0).

    python pipelines/limb_cases.py SET OUTPUT

SET holds cases/STS_xxx with ct.nii.gz, mr.nii.gz (0 where it was not measured). OUTPUT gets cases/train, cases/validation and
test after limb_splits.csv beside this script: pairs whose residual shift is at most 2.5 mm are weakly paired (9 to train on, 2 to
choose by, 6 to be judged by); everybody else is there for training without pairs. No organ is contoured in them.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

from rtseg.core import InputError, Mask, Structure, StructureSet
from rtseg.data import Case, read_nifti, write_case
from rtseg.data.case import Pairing
from rtseg.data.splits import TEST

GTV = "GTV"
"""The gross tumour volume, a target: no organ, and no task of rtseg knows it."""

SPLITS = Path(__file__).with_name("limb_splits.csv")


@dataclass(frozen=True)
class Row:
    """One person: which split, and whether CT and MR lie on each other (weak) or not (none)."""

    person: str
    split: str
    pairing: str


def rows() -> list[Row]:
    """Who is in which split."""
    with SPLITS.open(newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def limb_case(folder: Path, row: Row, *, with_gtv: bool = False) -> Case:
    """The case of a person, with its gross tumour volume if asked for. Raises InputError if a file is missing."""
    ct, mr = (read_nifti(folder / f"{name}.nii.gz") for name in ("ct", "mr"))
    measured = Mask(mr.array > 0, mr.geometry)
    if row.pairing not in ("none", "weak"):
        raise InputError(f"{SPLITS}: {row.person}: pairing is none or weak, not {row.pairing!r}")
    organs = {GTV: Structure.from_full(read_nifti(folder / "mask.nii.gz").array > 0)} if with_gtv else {}
    pairing: Pairing = "weak" if row.pairing == "weak" else "none"
    return Case(row.person, ct, StructureSet(ct.geometry, organs), tuple(organs), mr, pairing, measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    for row in rows():
        place = asked.output / "test" if row.split == TEST else asked.output / "cases" / row.split
        write_case(limb_case(asked.set / "cases" / row.person, row), place / row.person, overwrite=True)
        print(row.person, row.split, row.pairing, flush=True)


if __name__ == "__main__":
    main()
