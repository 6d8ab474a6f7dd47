"""The demo: a real patient is written out as a DICOM planning CT, contoured by each model, exported, read back and compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from rtseg.core import ConfigError, Geometry, OutputError, StructureSet, Volume
from rtseg.data import Case, axial, read_case, squared
from rtseg.dicom import Conversion, Export, Patient, write_ct_series, write_rtstruct
from rtseg.jobs.contour import contour_series
from rtseg.jobs.contour_order import ContourOrder, ContourResult
from rtseg.jobs.contour_report import PAGE, Comparison, write_page
from rtseg.jobs.evaluate import NoBar, evaluate
from rtseg.jobs.evaluate_plan import EvaluateOrder
from rtseg.jobs.simulate import simulated_case
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.metrics.cohort import Score
from rtseg.systems import Bundle, shipped_tasks

DEMO_CASE = Path(str(files("rtseg"))) / "demo_data" / "head_neck"
"""The demo patient, a case folder."""

CT, STRUCTURE_SET, SMR, MANUAL, EVALUATION, MARK = "ct", "RS.dcm", "smr", "manual.dcm", "evaluation", "demo.json"
"""What a demo makes beside its report; the mark tells a demo's own folder, which the next demo may replace."""

SITES: Mapping[str, tuple[str, ...]] = {"head_neck": ("head_neck", "head_neck_smr"), "male_pelvis": ("male_pelvis",)}
"""Parts of the body that a demo can show, and the models that it shows them with."""

SEED = 1
"""Of the simulated man."""

OWN = {CT, STRUCTURE_SET, SMR, MANUAL, EVALUATION, PAGE, MARK}

PATIENT = Patient("RTSEG^DEMO", "RTSEG-DEMO")


@dataclass(frozen=True, eq=False)
class Road:
    """What one model made of the CT, and how its organs agree with the manual contours. smr: folder of the synthetic MR."""

    result: ContourResult
    smr: Path | None
    agreement: Mapping[str, Score] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class DemoResult:
    """The road of each model, and whose contours they are.

    evaluation: folder with the page of the comparison; None for a phantom, which nobody contoured
    """

    roads: tuple[Road, ...]
    words: str
    evaluation: Path | None = None


@dataclass(frozen=True, eq=False)
class Shown:
    """Whom a demo shows. words: who that is; manual: whose contours the others are held against."""

    case: Case
    words: str
    manual: str = "manual contours"
    patient: Patient = PATIENT


def shown(site: str) -> Shown:
    """The demo patient, or a phantom if his folder is gone; for the male pelvis a simulated man, made here and now."""
    if site == "male_pelvis":
        case = simulated_case(site, SEED)
        words = f"{case.name}: a simulated man, whose exact contours are known"
        return Shown(case, words, "exact contours of a simulated man", Patient("SIMULATED^DEMO", "SIMULATED-DEMO", sex="M"))
    if not DEMO_CASE.is_dir():
        return Shown(phantom(), "a phantom: the demo patient's folder is gone")
    case = squared(axial(read_case(DEMO_CASE)))
    return Shown(case, f"{case.name}: a real patient of the validation set, who helped to choose the models' weights")


def demo(output: Path, models: Sequence[Bundle], watch: Stopwatch, site: str = "head_neck") -> DemoResult:
    """Walk the whole road in ``output``: ct/ (DICOM), RS.dcm, manual.dcm, evaluation/, report.html.

    A model that makes a synthetic MR adds smr/; what a second model makes is in a folder of its name. No organ is asked for in a
    phantom, its body is outlined, by the first model.
    Raises OutputError if ``output`` holds something that no demo made, ConfigError if two models have one name.
    """
    with watch.step("patient"):
        whom = shown(site)
    case = whom.case
    is_patient = bool(case.contoured)
    walking = models if is_patient else models[:1]
    places = _places(output, [model.about.name for model in walking])
    _begin(output, case, tuple(places))
    with watch.step("write CT as DICOM"):
        write_ct_series(case.ct, output / CT, whom.patient, series_description="rtseg demo planning CT", seed="rtseg demo")
    roads = [_walk(output / CT, place, model, is_patient, watch) for place, model in zip(places.values(), walking, strict=True)]
    if is_patient:
        with watch.step("read back and compare"):
            roads = compare(roads, whom, output)
    with watch.step("report"):
        manual = case.structures if is_patient else None
        roads = [
            replace(
                road,
                result=replace(road.result, report=write_page(road.result, place, model, Comparison(manual, road.agreement))),
            )
            for road, place, model in zip(roads, places.values(), walking, strict=True)
        ]
    return DemoResult(tuple(roads), whom.words, output / EVALUATION if is_patient else None)


def _places(output: Path, names: Sequence[str]) -> dict[str, Path]:
    """Where each model's files go: the first's into ``output`` itself."""
    if len(set(names)) < len(names) or OWN & set(names[1:]):
        raise ConfigError(f"models {', '.join(names)}: each needs a name of its own, for its folder in {output}")
    return {name: output / name if number else output for number, name in enumerate(names)}


def _walk(ct: Path, place: Path, model: Bundle, is_patient: bool, watch: Stopwatch) -> Road:
    place.mkdir(exist_ok=True)
    smr = place / SMR if is_patient and model.translator else None
    order = ContourOrder(ct, place / STRUCTURE_SET, organs=None if is_patient else (), body=not is_patient, write_smr=smr)
    return Road(contour_series(order, model, Stopwatch(watch.heard)), smr)


def compare(roads: Sequence[Road], whom: Shown, output: Path) -> list[Road]:
    """Evaluate the structure sets, read back from their files, against the manual or exact contours, which become one too."""
    organs = whom.case.structures.subset(list(whom.case.contoured))
    write_rtstruct(organs, roads[0].result.ct, output / MANUAL, Export(Conversion(whom.manual)))
    order = EvaluateOrder(
        predicted={road.result.model: road.result.output for road in roads},
        reference=output / MANUAL,
        output=output / EVALUATION,
        ct=output / CT,
        organs=tuple(dict.fromkeys(organ for road in roads for organ in road.result.volumes_ml)),
        measured={organ: how for task in shipped_tasks().values() for organ, how in task.measured.items()},
        pictures=1,
        workers=1,
    )
    scores = evaluate(order, NoBar()).scores
    return [replace(road, agreement={score.organ: score for score in scores[road.result.model]}) for road in roads]


def phantom() -> Case:
    """A water cylinder with two bones in air, on a planning CT's grid."""
    grid = Geometry.regular((40, 128, 128), (3.0, 2.5, 2.5), (-160.0, -160.0, -60.0))
    y, x = np.meshgrid(np.arange(128) * 2.5 - 160, np.arange(128) * 2.5 - 160, indexing="ij")
    plane = np.where((x / 90) ** 2 + (y / 110) ** 2 < 1, 0, -1000)
    plane[(x**2 + (y - 50) ** 2) < 15**2] = 700
    plane[((x - 40) ** 2 + (y + 60) ** 2) < 10**2] = 900
    return Case("phantom", Volume(np.repeat(plane[None], 40, axis=0).astype(np.int16), grid), StructureSet(grid), ())


def _begin(output: Path, case: Case, models: tuple[str, ...]) -> None:
    """A folder with nothing but the mark in it: new, or one that only a demo wrote into."""
    try:
        held = {path.name for path in output.iterdir()} if output.exists() else set()
        strangers = held - OWN - _models_of(output / MARK)
        if held and (MARK not in held or strangers):
            raise OutputError(
                f"{output} holds {min(strangers, default=CT)}, which no demo made; name another folder with --output"
            )
        if held:
            shutil.rmtree(output)
        output.mkdir(parents=True, exist_ok=True)
        (output / MARK).write_text(json.dumps({"demo": case.name, "models": models}) + "\n")
    except OSError as error:
        raise OutputError(f"{output} cannot be made: {error.strerror or error}") from error


def _models_of(mark: Path) -> set[str]:
    """Models whose folders the demo before made."""
    try:
        return set(json.loads(mark.read_text()).get("models", ()))
    except (OSError, ValueError):
        return set()
