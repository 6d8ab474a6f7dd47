"""Writing a synthetic MR: as a DICOM series beside its CT, or as NIfTI."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rtseg.core import ConfigError, Volume
from rtseg.data import write_nifti
from rtseg.dicom import Maker, PlanningCT, write_mr_series
from rtseg.dicom.atomic import folder_must_be_free, must_be_free, whole_file
from rtseg.imaging import resample
from rtseg.imaging.intensity import Scale
from rtseg.jobs.nifti_ct import is_nifti

OUTSIDE = -1.0


def output_must_be_free(output: Path, source: Path, *, overwrite: bool) -> None:
    """Say at once that a synthetic MR cannot be written there.

    Raises OutputError naming the remedy, ConfigError for a DICOM series of a CT without DICOM identity.
    """
    if is_nifti(output):
        must_be_free(output, overwrite=overwrite)
    elif is_nifti(source):
        raise ConfigError(f"{source} has no DICOM identity: give a file name that ends in .nii.gz for its synthetic MR")
    else:
        folder_must_be_free(output, overwrite=overwrite)


def write_synthetic_mr(smr: Volume, scale: Scale, ct: PlanningCT, output: Path, maker: Maker, *, overwrite: bool) -> None:
    """Write a synthetic MR in -1..1, on any grid of patient space, on the CT's own grid, in the values of ``scale``.

    A name that ends as NIfTI does is a file, another the folder of a DICOM series in the CT's frame of reference. Raises an
    RtsegError if it cannot be written; then nothing is there.
    """
    values = Volume(scale.back(smr.array), smr.geometry)
    mr = resample(values, ct.volume.geometry, float(scale.back(np.array(OUTSIDE))))
    if is_nifti(output):
        with TemporaryDirectory(prefix=".", dir=output.parent) as unfinished, whole_file(output, overwrite=overwrite) as file:
            write_nifti(mr, Path(unfinished) / output.name).replace(file)  # nibabel looks at how a name ends
    else:
        write_mr_series(mr, ct, output, maker, overwrite=overwrite)
