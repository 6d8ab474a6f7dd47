"""MRs of other people: by index or by folder, by person; what is not there is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from phantoms import axial_geometry

from rtseg.core import InputError, Volume
from rtseg.data import MRFile, PackPlan, find_mrs, write_nifti
from rtseg.data.pack import pack_mr
from rtseg.imaging import Preparation


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_an_index_names_files_and_splits_and_a_test_set_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "b.nii.gz", "a.nii", "c.nii.gz")
    (tmp_path / "index.csv").write_text("file,age,split\nb.nii.gz,3,train\na.nii,4,train\nc.nii.gz,5,test\n")
    assert [(mr.name, mr.split) for mr in find_mrs(tmp_path)] == [("a", "train"), ("b", "train")]


def test_folders_name_splits(tmp_path: Path) -> None:
    touch(tmp_path, "train/x.nii.gz", "validation/y.nii", "train/notes.txt", "other/z.nii.gz")
    assert [(mr.name, mr.split) for mr in find_mrs(tmp_path)] == [("x", "train"), ("y", "validation")]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no MR under .*index\.csv with the columns file and split"):
        find_mrs(tmp_path)
    (tmp_path / "index.csv").write_text("file,age\na.nii,4\n")
    with pytest.raises(InputError, match=r"index\.csv, line 2 lacks split"):
        find_mrs(tmp_path)
    (tmp_path / "index.csv").write_text("file,split\na.nii,train\n")
    with pytest.raises(InputError, match=r"line 2: .*a\.nii is not there"):
        find_mrs(tmp_path)


def test_an_mr_without_a_body_is_named(tmp_path: Path) -> None:
    plan = PackPlan((), (), Preparation((2.5, 4.0, 4.0), (-1000.0, 2000.0), 8.0))
    geometry = axial_geometry()
    write_nifti(Volume(np.zeros(geometry.shape, np.int16), geometry), tmp_path / "dark.nii.gz")
    with pytest.raises(InputError, match=r"dark\.nii\.gz: the MR holds nothing bright"):
        pack_mr(MRFile("dark", "train", tmp_path / "dark.nii.gz"), plan)
