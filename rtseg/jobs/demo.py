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
from rtseg.data import Case, axial, read_case, squared
from rtseg.dicom import Conversion, Export, Patient, write_ct_series, write_rtstruct
from rtseg.jobs.contour import contour_series
from rtseg.jobs.contour_order import ContourOrder, ContourResult
from rtseg.jobs.contour_report import PAGE, Comparison, write_page
from rtseg.jobs.evaluate import NoBar, evaluate
from rtseg.jobs.evaluate_plan import EvaluateOrder
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.metrics.cohort import Score
from rtseg.systems import Bundle, shipped_tasks

DEMO_CASE = Path(str(files("rtseg"))) / "demo_data" / "head_neck"
"""The demo patient, a case folder."""

CT, STRUCTURE_SET, MANUAL, EVALUATION, MARK = "ct", "RS.dcm", "manual.dcm", "evaluation", "demo.json"
"""What a demo makes beside its report; the mark tells a demo's own folder, which the next demo may replace."""

PATIENT = Patient("RTSEG^DEMO", "RTSEG-DEMO")


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo made: the result of contouring, agreement with the manual contours, and whose they are.

    evaluation: folder with the page of the comparison; None for a phantom, which nobody contoured
    """

    result: ContourResult
    agreement: Mapping[str, Score]
    report: Path
    words: str
    evaluation: Path | None = None


def demo(output: Path, model: Bundle, watch: Stopwatch) -> DemoResult:
    """Walk the whole road in ``output``: ct/ (DICOM), RS.dcm, manual.dcm, evaluation/, report.html.

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
    agreement: dict[str, Score] = {}
    if is_patient:
        with watch.step("read back and compare"):
            agreement = compare(result, case, output)
    with watch.step("report"):
        report = write_page(result, output, model, Comparison(case.structures, agreement) if is_patient else None)
    words = f"{case.name}: a real patient of the validation set" if is_patient else "a phantom: the demo patient's folder is gone"
    return DemoResult(replace(result, report=report), agreement, report, words, output / EVALUATION if is_patient else None)


def compare(result: ContourResult, case: Case, output: Path) -> dict[str, Score]:
    """Evaluate the structure set, read back from its file, against the manual contours, which become one too."""
    write_rtstruct(
        case.structures.subset(list(case.contoured)), result.ct, output / MANUAL, Export(Conversion("manual contours"))
    )
    order = EvaluateOrder(
        predicted={result.model: output / STRUCTURE_SET},
        reference=output / MANUAL,
        output=output / EVALUATION,
        ct=output / CT,
        organs=tuple(result.volumes_ml),
        measured={organ: how for task in shipped_tasks().values() for organ, how in task.measured.items()},
        pictures=1,
        workers=1,
    )
    (scores,) = evaluate(order, NoBar()).scores.values()
    return {score.organ: score for score in scores}


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
    own = {CT, STRUCTURE_SET, MANUAL, EVALUATION, PAGE, MARK}
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
