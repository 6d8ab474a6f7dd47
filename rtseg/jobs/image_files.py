"""MR images of one patient or of many, as people keep them: NIfTI files, or a DICOM series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rtseg.core import InputError, Volume
from rtseg.data import read_nifti
from rtseg.data.dicom_case import read_mr
from rtseg.dicom.find_series import scan_folder
from rtseg.jobs.nifti_ct import NIFTI, is_nifti


def find_images(path: Path, meant_names: Sequence[str]) -> dict[str, Path]:
    """Images by the patient's name: the only one, or those of a folder with NIfTI files or sub-folders that hold them.

    meant_names: files of a patient's folder that are meant where it holds several, without suffix. A folder without NIfTI files
    is taken as a DICOM series. Raises InputError if nothing is there.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: name a NIfTI file, a folder with a DICOM series, or a folder of NIfTI files")
    if path.is_file():
        return {_stem(path): path}
    files = sorted(file for file in path.rglob("*") if file.name.endswith(NIFTI) and file.is_file())
    if not files:
        return {path.resolve().name: path}
    found: dict[str, Path] = {}
    for folder in dict.fromkeys(file.parent for file in files):
        held = {_stem(file): file for file in files if file.parent == folder}
        meant = next((held[name] for name in meant_names if name in held), None)
        if folder != path and (meant is not None or len(held) == 1):
            found[str(folder.relative_to(path))] = meant or next(iter(held.values()))
        else:
            found |= {str((folder / stem).relative_to(path)): file for stem, file in held.items()}
    return found


def read_image(path: Path) -> Volume:
    """A NIfTI image, or the only MR series of a DICOM folder. Raises an RtsegError if it cannot be read."""
    if is_nifti(path):
        return read_nifti(path)
    series = [one for one in scan_folder(path).series if one.modality == "MR"]
    if len(series) != 1:
        raise InputError(f"{path} holds {len(series)} MR series: name a folder with one, or a NIfTI file")
    return read_mr(series[0])


def _stem(path: Path) -> str:
    return path.name.split(".nii")[0]
