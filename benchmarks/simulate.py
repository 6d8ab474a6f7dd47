"""`rtseg simulate`: seconds and memory of a man on one core.

    python benchmarks/simulate.py [--n 5]

Writes its section of docs/speed.md. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from contour import timed
from speed_page import processor, put

HEADING = "Simulated men"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=5)
    asked = parser.parse_args()
    rows = []
    for form in ("cases", "dicom"):
        with tempfile.TemporaryDirectory() as place:
            command = [str(Path(sys.executable).with_name("rtseg")), "simulate", "male_pelvis", "--format", form]
            command += ["--output", place, "--overwrite", "--n"]
            one, many = (timed(form, "", [*command, str(n)], 1) for n in (1, 1 + asked.n))
        rows.append(f"| {form} | {(many.seconds - one.seconds) / asked.n:.1f} | {one.seconds:.1f} | {many.peak_gb:.2f} | 10 s |")
    lines = [
        f"{processor()}, one process. Made by `python benchmarks/simulate.py`; nothing else ran.",
        "CT and MR of 256 x 256 x 120 voxels of 2 mm",
        "with the masks of 14 structures, compressed and written.",
        "",
        "| written as | seconds a man | the first man, with the start of the command | peak memory, GB | bar |",
        "|---|---|---|---|---|",
        *rows,
    ]
    put(HEADING, "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
