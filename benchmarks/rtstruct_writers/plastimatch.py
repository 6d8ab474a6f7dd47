"""Writes masks (npz: slices, rows, columns) as a structure set with plastimatch, through NRRD on the CT as ITK reads it."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]

HEADER = """NRRD0004
type: uchar
dimension: 3
space: left-posterior-superior
sizes: {2} {1} {0}
space directions: {3}
kinds: domain domain domain
endian: little
encoding: raw
space origin: {4}

"""


def vector(values):
    return "(" + ",".join(f"{value:.9g}" for value in values) + ")"


def grid(folder):
    """Origin and steps of the CT as ITK has them: even slices from the first to the last."""
    import struct  # pydicom is not in this environment: the two attributes are read as they stand in explicit VR

    def values(data, group, element):
        at = data.index(struct.pack("<HH", group, element) + b"DS") + 8
        length = struct.unpack("<H", data[at - 2 : at])[0]
        return [float(text) for text in data[at : at + length].decode().split("\\")]

    slices = []
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        position, orientation = values(data, 0x20, 0x32), values(data, 0x20, 0x37)
        slices.append((np.array(position), np.array(orientation).reshape(2, 3), values(data, 0x28, 0x30)))
    normal = np.cross(*slices[0][1])
    slices.sort(key=lambda each: float(each[0] @ normal))
    first, last = slices[0][0], slices[-1][0]
    row, column = slices[0][1]
    down, along = slices[0][2]
    return first, (row * along, column * down, (last - first) / (len(slices) - 1))


masks = dict(np.load(sys.argv[1]))
start = time.perf_counter()
with tempfile.TemporaryDirectory() as place:
    origin, steps = grid(Path(sys.argv[2]))
    for name, mask in masks.items():
        header = HEADER.format(*mask.shape, " ".join(vector(step) for step in steps), vector(origin))
        (Path(place) / f"{name}.nrrd").write_bytes(header.encode() + mask.astype(np.uint8).tobytes())
    out = Path(place) / "out"
    words = ["plastimatch", "convert", "--input-prefix", place, "--referenced-ct", sys.argv[2], "--output-dicom", str(out)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    (file,) = list(out.glob("*rtss*")) or list(out.glob("*RS*")) or [None]
    if file is None:
        sys.exit(done.stdout[-500:] + done.stderr[-500:])
    Path(sys.argv[3]).write_bytes(file.read_bytes())
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "extra_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3}))
