"""MRs of people without CT, for training that needs no pairs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtseg.core import InputError, Volume
from rtseg.data.case import INDEX, SPLITS
from rtseg.data.nifti import read_nifti

NIFTI = (".nii.gz", ".nii")


@dataclass(frozen=True)
class MRFile:
    """A NIfTI MR, whose it is and which split that person belongs to."""

    name: str
    split: str
    file: Path

    def read(self) -> Volume:
        """Its voxels. Raises InputError naming the file if it cannot be read."""
        return read_nifti(self.file)


def find_mrs(root: Path) -> list[MRFile]:
    """NIfTI MRs that index.csv names in its columns file and split, or those in folders named train and validation; by name.

    One per person: rows of splits that training does not know are left out, as kept for a test. Raises InputError if there is
    none, or a file is not there.
    """
    found = list(_indexed(root)) if (root / INDEX).is_file() else list(_in_folders(root))
    if not found:
        raise InputError(
            f"no MR under {root}: expected {INDEX} with the columns file and split, "
            f"or NIfTI files in folders {' and '.join(SPLITS)}"
        )
    return sorted(found, key=lambda mr: (mr.split, mr.name))


def _indexed(root: Path) -> Iterator[MRFile]:
    with (root / INDEX).open(newline="", encoding="utf-8-sig") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            if missing := [column for column in ("file", "split") if not row.get(column)]:
                raise InputError(f"{root / INDEX}, line {line} lacks {', '.join(missing)}")
            if not (root / row["file"]).is_file():
                raise InputError(f"{root / INDEX}, line {line}: {root / row['file']} is not there")
            if row["split"] in SPLITS:
                yield MRFile(_stem(Path(row["file"])), row["split"], root / row["file"])


def _in_folders(root: Path) -> Iterator[MRFile]:
    for split in SPLITS:
        for file in sorted((root / split).glob("*")):
            if file.name.endswith(NIFTI):
                yield MRFile(_stem(file), split, file)


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".nii")
