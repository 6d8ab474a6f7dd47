"""Writes masks (npz: slices, rows, columns; slices ascending) as a structure set with rt-utils, as its readme does."""

import json
import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]  # else this file is rt_utils
from rt_utils import RTStructBuilder  # noqa: E402

warnings.simplefilter("ignore")
logging.disable()


def kilobytes(what: str) -> int:
    return int(Path("/proc/self/status").read_text().partition(what)[2].split()[0])


masks = dict(np.load(sys.argv[1]))
Path("/proc/self/clear_refs").write_text("5")  # the peak so far, of unpacking the masks, does not count
before = kilobytes("VmRSS:")
start = time.perf_counter()
builder = RTStructBuilder.create_new(dicom_series_path=sys.argv[2])
normal = np.cross(*np.array(builder.series_data[0].ImageOrientationPatient, dtype=float).reshape(2, 3))
order = np.argsort(
    np.argsort([float(normal @ np.array(image.ImagePositionPatient, dtype=float)) for image in builder.series_data])
)
for name, mask in masks.items():
    builder.add_roi(mask=np.moveaxis(mask, 0, 2)[:, :, order], name=name)
builder.save(sys.argv[3])
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "extra_mb": (kilobytes("VmHWM:") - before) / 1e3}))
