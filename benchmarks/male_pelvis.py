"""`rtseg contour --model male_pelvis` on a CT of clinical size: time, memory, and what the synthetic MR costs of it.

    python benchmarks/male_pelvis.py [--repeats 3]

A simulated man is interpolated to 512 x 512 x 150 and written as DICOM. Nothing else should run meanwhile. Writes its section of
docs/speed.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from contour import timed
from speed_page import processor, put

from rtseg.core import Geometry, Volume
from rtseg.data import read_case
from rtseg.dicom import Patient, write_ct_series
from rtseg.imaging import prepare, resample
from rtseg.jobs.simulate import SimulateOrder, simulate
from rtseg.segmentation.inference import segment
from rtseg.synthesis.inference import synthesize
from rtseg.systems import bundle_folder, load_bundle
from rtseg.training import choose_compute

HEADING = "The male pelvis"
MODEL = "male_pelvis"
SHAPE = (150, 512, 512)


def clinical_man(place: Path) -> Volume:
    """A simulated man's CT on a clinical planning CT's grid."""
    simulate(SimulateOrder(MODEL, place, 1, 1, 1), lambda *_: None, lambda *_: None)
    (folder,) = (found.parent for found in place.rglob("ct.nii.gz"))
    ct = read_case(folder).ct
    size = np.array(ct.geometry.shape) * (ct.geometry.slice_spacing, *ct.geometry.pixel_spacing)
    z, y, x = (float(mm) for mm in size / SHAPE)
    corner = (
        ct.geometry.origin - np.array([ct.geometry.pixel_spacing[1], ct.geometry.pixel_spacing[0], ct.geometry.slice_spacing]) / 2
    )
    fine = resample(ct, Geometry.regular(SHAPE, (z, y, x), corner + np.array([x, y, z]) / 2), outside=-1000.0)
    return Volume(np.rint(fine.array).astype(np.int16), fine.geometry)


def seconds_of(what: Callable[[], object], repeats: int) -> float:
    """Median."""
    walls = []
    for _ in range(repeats):
        start = time.perf_counter()
        what()
        walls.append(time.perf_counter() - start)
    return statistics.median(walls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        ct = clinical_man(place / "man")
        write_ct_series(ct, place / "ct", Patient("SIMULATED", "SIMULATED"))
        rtseg = [str(Path(sys.executable).with_name("rtseg")), "contour", str(place / "ct"), "--model", MODEL, "--overwrite"]
        contour = [*rtseg, "--output", str(place / "RS.dcm")]
        rows = [
            timed("`rtseg contour`, 512 x 512 x 150", "30 s, 4 GB", contour, asked.repeats),
            timed("the same with --write-smr", "30 s, 4 GB", [*contour, "--write-smr", str(place / "mr")], asked.repeats),
        ]
    model = load_bundle(bundle_folder(MODEL), choose_compute())
    translator = model.translator
    assert translator is not None
    ready = prepare(ct, model.preparation)
    smr = synthesize(ready, translator)
    made = seconds_of(lambda: synthesize(ready, translator), asked.repeats)
    segmented = seconds_of(lambda: segment(ready, model.segmenter, smr), asked.repeats)
    whole = rows[0].seconds
    lines = [
        f"Made by `python benchmarks/male_pelvis.py` on {processor()}, no GPU; torch {torch.__version__}, "
        f"{model.segmenter.compute.words}. The CT: a simulated man.",
        "",
        "| command | seconds | peak memory, GB | bar |",
        "|---|---|---|---|",
        *(f"| {row.what} | {row.seconds:.1f} | {row.peak_gb:.2f} | {row.bar} |" for row in rows),
        "",
        f"Of the first, the synthetic MR takes {made:.1f} s and the segmenter {segmented:.1f} s: with the synthetic MR it takes "
        f"{whole / (whole - made):.2f} times as long as without.",
    ]
    print(put(HEADING, "\n".join(lines)))


if __name__ == "__main__":
    main()
