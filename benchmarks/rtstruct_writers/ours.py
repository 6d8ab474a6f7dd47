"""Writes masks (npz: slices, rows, columns) as a structure set with rtseg; prints seconds of writing, of verifying, memory."""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from rtseg.core import Structure, StructureSet
from rtseg.dicom import Export, Maker, read_ct_grid, rtstruct_writer
from rtseg.dicom.verify import verify

masks = dict(np.load(sys.argv[1]))
spent = 0.0


def timed(*words):
    global spent
    start = time.perf_counter()
    found = verify(*words)
    spent += time.perf_counter() - start
    peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return found


rtstruct_writer.verify = timed  # to tell its time from that of writing
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
peak = []
start = time.perf_counter()
ct = read_ct_grid(Path(sys.argv[2]))
organs = StructureSet(ct.geometry, {name: Structure.from_full(mask) for name, mask in masks.items()})
rtstruct_writer.write_rtstruct(organs, ct, Path(sys.argv[3]), Export(Maker("benchmark", "1", "0" * 64)))
seconds = time.perf_counter() - start - spent
extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
print(json.dumps({"seconds": seconds, "verify_seconds": spent, "extra_mb": extra}))
