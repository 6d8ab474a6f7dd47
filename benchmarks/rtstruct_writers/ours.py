"""Writes masks (npz: slices, rows, columns) as a structure set with rtseg; prints seconds of writing, of verifying, memory."""

import json
import sys
import time
from pathlib import Path

import numpy as np

from rtseg.core import Structure, StructureSet
from rtseg.dicom import Export, Maker, read_ct_grid, rtstruct_writer
from rtseg.dicom.verify import verify


def kilobytes(what: str) -> int:
    return int(Path("/proc/self/status").read_text().partition(what)[2].split()[0])


masks = dict(np.load(sys.argv[1]))
spent = 0.0


def timed(*words):
    global spent
    start = time.perf_counter()
    found = verify(*words)
    spent += time.perf_counter() - start
    return found


rtstruct_writer.verify = timed  # to tell its time from that of writing
Path("/proc/self/clear_refs").write_text("5")  # the peak so far, of unpacking the masks, does not count
before = kilobytes("VmRSS:")
start = time.perf_counter()
ct = read_ct_grid(Path(sys.argv[2]))
organs = StructureSet(ct.geometry, {name: Structure.from_full(mask) for name, mask in masks.items()})
rtstruct_writer.write_rtstruct(organs, ct, Path(sys.argv[3]), Export(Maker("benchmark", "1", "0" * 64)))
seconds = time.perf_counter() - start - spent
extra = (kilobytes("VmHWM:") - before) / 1e3
print(json.dumps({"seconds": seconds, "verify_seconds": spent, "extra_mb": extra}))
