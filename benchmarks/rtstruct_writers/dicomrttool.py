"""Writes masks (npz: slices, rows, columns; slices ascending along their normal) as a structure set with DicomRTTool."""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]
from DicomRTTool.ReaderWriter import DicomReaderWriter  # noqa: E402


def kilobytes(what: str) -> int:
    return int(Path("/proc/self/status").read_text().partition(what)[2].split()[0])


masks = dict(np.load(sys.argv[1]))
Path("/proc/self/clear_refs").write_text("5")  # the peak so far, of unpacking the masks, does not count
before = kilobytes("VmRSS:")
start = time.perf_counter()
reader = DicomReaderWriter(description="benchmark", verbose=False)
reader.walk_through_folders(sys.argv[2])
reader.get_images()
stacked = np.stack([np.zeros_like(next(iter(masks.values()))), *masks.values()], axis=-1).astype(np.int8)
with tempfile.TemporaryDirectory() as place:
    reader.prediction_array_to_RT(prediction_array=stacked, output_dir=place, ROI_Names=list(masks))
    (file,) = Path(place).glob("*.dcm")
    shutil.copy(file, sys.argv[3])
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "extra_mb": (kilobytes("VmHWM:") - before) / 1e3}))
