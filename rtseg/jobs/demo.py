"""The demo: a real patient is written out as a DICOM planning CT, contoured, exported, read back and compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from rtseg.core import Geometry, OutputError, StructureSet, Volume
from rtseg.data import Case, axial, read_case
from rtseg.dicom import Patient, write_ct_series
from rtseg.dicom.rtstruct_reader import read_rtstruct
from rtseg.jobs.contour import ContourOrder, ContourResult, Stopwatch, contour_series, write_page
from rtseg.metrics import dsc, hd95_mm
from rtseg.report import Agreement
from rtseg.systems import Bundle

MARK = "demo.json"
"""File that tells a demo's own folder, which the next demo may replace."""

PATIENT = Patient("RTSEG^DEMO", "RTSEG-DEMO")


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo made: the result of contouring, agreement with the manual contours, and whose they are."""

    result: ContourResult
    agreement: Mapping[str, Agreement]
    report: Path
    words: str


def demo(output: Path, model: Bundle, watch: Stopwatch) -> DemoResult:
    """Walk the whole road in ``output``: ct/ (DICOM), RS.dcm, report.html.

    Without the demo patient's folder a phantom takes its place; the model finds no organ in it, so its body is
    outlined. Raises OutputError if ``output`` holds something that no demo made.
    """
    _clear(output)
    folder = Path(str(files("rtseg"))) / "demo_data" / "head_neck"
    case = axial(read_case(folder)) if folder.is_dir() else phantom()
    real = bool(case.contoured)
    with watch.step("write CT as DICOM"):
        write_ct_series(case.ct, output / "ct", PATIENT, series_description="rtseg demo planning CT", seed="rtseg demo")
    order = ContourOrder(output / "ct", output / "RS.dcm", organs=None if real else (), body=not real)
    result = contour_series(order, model, watch)
    with watch.step("read back and compare"):
        agreement = compare(result, case)
    with watch.step("report"):
        manual = case.structures if real else None
        report = write_page(result, output, model, (manual, agreement))
    words = f"{case.name}: a real patient of the validation set" if real else "a phantom, because the demo patient's folder is gone"
    (output / MARK).write_text(json.dumps({"demo": case.name, "organs": list(result.volumes_ml)}) + "\n")
    return DemoResult(replace(result, report=report), agreement, report, words)


def compare(result: ContourResult, case: Case) -> dict[str, Agreement]:
    """DSC and HD95 of the structure set, read back from its file, against the manual contours of the case.

    An organ that the file does not hold was missed: DSC 0, no distance. One that nobody contoured has no figure.
    """
    assert result.ct.identity is not None
    read = read_rtstruct(result.output, result.ct.volume.geometry, result.ct.identity).structures
    agreement = {}
    for organ in result.volumes_ml:
        if organ in case.contoured:
            reference = case.structures.mask(organ)
            predicted = replace(reference, array=read.mask(organ).array if organ in read else np.zeros_like(reference.array))
            agreement[organ] = Agreement(dsc(reference, predicted), hd95_mm(reference, predicted))
    return agreement


def phantom() -> Case:
    """A water cylinder with two bones in air, on a planning CT's grid."""
    grid = Geometry.regular((40, 128, 128), (3.0, 2.5, 2.5), (-160.0, -160.0, -60.0))
    y, x = np.meshgrid(np.arange(128) * 2.5 - 160, np.arange(128) * 2.5 - 160, indexing="ij")
    plane = np.where((x / 90) ** 2 + (y / 110) ** 2 < 1, 0, -1000)
    plane[(x**2 + (y - 50) ** 2) < 15**2] = 700
    plane[((x - 40) ** 2 + (y + 60) ** 2) < 10**2] = 900
    return Case("phantom", Volume(np.repeat(plane[None], 40, axis=0).astype(np.int16), grid), StructureSet(grid), ())


def _clear(output: Path) -> None:
    if (output / MARK).is_file():
        shutil.rmtree(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output} holds something that is no demo; name another folder with --output")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output} cannot be made: {error.strerror or error}") from error
