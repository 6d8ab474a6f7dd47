"""Other readers of structure sets, each in an environment of its own that is made once with pip, outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, GeometryError, InputError
from rtseg.data import read_nifti
from rtseg.data.mask_folder import on_grid

HOME = Path(os.environ.get("RTSEG_PEERS", Path(tempfile.gettempdir()) / "rtseg-peers"))
"""Where the environments are kept; RTSEG_PEERS names another place."""

SCRIPTS = Path(__file__).parent / "peers"

NEEDS = {
    "plastimatch": ("plastimatch==1.10.0", "numpy"),
    "dcmrtstruct2nii": ("dcmrtstruct2nii==5", "pydicom<3"),
    "dicomrttool": ("DicomRTTool==6.2.0",),
}

Masks = dict[str, NDArray[np.bool_]]


def environment(name: str) -> Path | None:
    """The folder of programs of a reader's environment; None if it cannot be made here."""
    folder = HOME / name
    if not (folder / "complete").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        words = [folder / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check", *NEEDS[name]]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            return None
        (folder / "complete").touch()
    return folder / "bin"


def by_plastimatch(programs: Path, structure_set: Path, ct: Path, output: Path) -> None:
    words = [programs / "plastimatch", "convert", "--input", structure_set, "--referenced-ct", ct]
    run([*words, "--output-prefix", output, "--prefix-format", "nii.gz"])


def by_dcmrtstruct2nii(programs: Path, structure_set: Path, ct: Path, output: Path) -> None:
    run([programs / "python", SCRIPTS / "read_dcmrtstruct2nii.py", structure_set, ct, output])


def by_dicomrttool(programs: Path, structure_set: Path, ct: Path, output: Path) -> None:
    with tempfile.TemporaryDirectory() as both:
        for file in (structure_set, *ct.iterdir()):
            shutil.copy(file, both)
        run([programs / "python", SCRIPTS / "read_dicomrttool.py", both, output])


READERS: dict[str, Callable[[Path, Path, Path, Path], None]] = {
    "plastimatch": by_plastimatch,
    "dcmrtstruct2nii": by_dcmrtstruct2nii,
    "dicomrttool": by_dicomrttool,
}


def run(words: list[object]) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}:\n{done.stdout[-800:]}\n{done.stderr[-1500:]}")


def read_by(name: str, structure_set: Path, ct: Path, grid: Geometry) -> Masks:
    """The masks that a reader finds, on the CT's grid; one that it puts onto another grid has no mask."""
    programs = environment(name)
    assert programs is not None
    with tempfile.TemporaryDirectory() as place:
        READERS[name](programs, structure_set, ct, Path(place))
        found = {}
        for file in sorted(Path(place).rglob("*.nii.gz")):
            key = file.name.removesuffix(".nii.gz").removeprefix("mask_")
            try:
                found[key] = on_grid(read_nifti(file), grid, file.name) > 0
            except (GeometryError, InputError):
                found[key] = np.zeros((0, 0, 0), dtype=np.bool_)
        return found


if __name__ == "__main__":
    sys.exit(0 if all(environment(name) for name in READERS) else 1)
