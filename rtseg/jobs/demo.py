"""The demo: a real patient is written out as a DICOM planning CT, contoured, exported, read back and compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from rtseg.core import Geometry, Mask, OutputError, StructureSet, Volume
from rtseg.data import Case, axial, read_case, squared
from rtseg.dicom import Patient, read_rtstruct, write_ct_series
from rtseg.jobs.contour import contour_series
from rtseg.jobs.contour_order import ContourOrder, ContourResult
from rtseg.jobs.contour_report import PAGE, Comparison, write_page
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.metrics import dsc, hd95_mm
from rtseg.report import Agreement
from rtseg.systems import Bundle

DEMO_CASE = Path(str(files("rtseg"))) / "demo_data" / "head_neck"
"""The demo patient, a case folder."""

CT, STRUCTURE_SET, MARK = "ct", "RS.dcm", "demo.json"
"""What a demo makes beside its report; the mark tells a demo's own folder, which the next demo may replace."""

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

    Without the demo patient's folder a phantom takes its place; no organ is asked for in it, its body is outlined.
    Raises OutputError if ``output`` holds something that no demo made.
    """
    case = squared(axial(read_case(DEMO_CASE))) if DEMO_CASE.is_dir() else phantom()
    is_patient = bool(case.contoured)
    _begin(output, case)
    with watch.step("write CT as DICOM"):
        write_ct_series(case.ct, output / CT, PATIENT, series_description="rtseg demo planning CT", seed="rtseg demo")
    order = ContourOrder(output / CT, output / STRUCTURE_SET, organs=None if is_patient else (), body=not is_patient)
    result = contour_series(order, model, watch)
    with watch.step("read back and compare"):
        agreement = compare(result, case)
    with watch.step("report"):
        report = write_page(result, output, model, Comparison(case.structures, agreement) if is_patient else None)
    words = f"{case.name}: a real patient of the validation set" if is_patient else "a phantom: the demo patient's folder is gone"
    return DemoResult(replace(result, report=report), agreement, report, words)


def compare(result: ContourResult, case: Case) -> dict[str, Agreement]:
    """DSC and HD95 of the structure set, read back from its file, against the manual contours of the case."""
    pairs = read_back(result, case)
    return {organ: Agreement(dsc(manual, drawn), hd95_mm(manual, drawn)) for organ, manual, drawn in pairs}


def read_back(result: ContourResult, case: Case) -> Iterator[tuple[str, Mask, Mask]]:
    """Each organ asked for with its manual contour and that of the structure set, read back from its file.

    An organ that the file does not hold was missed: its mask is empty. One that nobody contoured is left out.
    """
    read = read_rtstruct(result.output, result.ct).structures
    for organ in result.volumes_ml:
        if organ in case.contoured:
            manual = case.structures.mask(organ)
            yield organ, manual, replace(manual, array=read.mask(organ).array if organ in read else np.zeros_like(manual.array))


def phantom() -> Case:
    """A water cylinder with two bones in air, on a planning CT's grid."""
    grid = Geometry.regular((40, 128, 128), (3.0, 2.5, 2.5), (-160.0, -160.0, -60.0))
    y, x = np.meshgrid(np.arange(128) * 2.5 - 160, np.arange(128) * 2.5 - 160, indexing="ij")
    plane = np.where((x / 90) ** 2 + (y / 110) ** 2 < 1, 0, -1000)
    plane[(x**2 + (y - 50) ** 2) < 15**2] = 700
    plane[((x - 40) ** 2 + (y + 60) ** 2) < 10**2] = 900
    return Case("phantom", Volume(np.repeat(plane[None], 40, axis=0).astype(np.int16), grid), StructureSet(grid), ())


def _begin(output: Path, case: Case) -> None:
    """A folder with nothing but the mark in it: new, or one that only a demo wrote into."""
    own = {CT, STRUCTURE_SET, PAGE, MARK}
    try:
        held = {path.name for path in output.iterdir()} if output.exists() else set()
        if held and (MARK not in held or held - own):
            stranger = min(held - own, default=CT)
            raise OutputError(f"{output} holds {stranger}, which no demo made; name another folder with --output")
        if held:
            shutil.rmtree(output)
        output.mkdir(parents=True, exist_ok=True)
        (output / MARK).write_text(json.dumps({"demo": case.name}) + "\n")
    except OSError as error:
        raise OutputError(f"{output} cannot be made: {error.strerror or error}") from error
