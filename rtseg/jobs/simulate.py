"""Simulated patients: drawn, scanned twice, and written as cases or as DICOM."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rtseg import __version__
from rtseg.core import ConfigError, Geometry, OutputError, Volume
from rtseg.data import Case, write_case
from rtseg.dicom import Conversion, Export, Maker, Patient, read_planning_ct, write_ct_series, write_mr_series, write_rtstruct
from rtseg.dicom.atomic import whole_folder
from rtseg.dicom.ct_writer import SEEDED_DATE
from rtseg.dicom.stamp import Stamp
from rtseg.simulate.anatomy import SHA256, anatomy
from rtseg.simulate.man import Lying, lie
from rtseg.simulate.population import Man, Population, draw
from rtseg.simulate.scanners import ct, mr
from rtseg.systems.population import read_population

Format = Literal["cases", "dicom"]

SITES = ("male_pelvis",)

GRID = Geometry.regular((120, 256, 256), (2.0, 2.0, 2.0), (-255.0, -255.0, -110.0))
"""Of every scan: its origin lies between the femoral heads, before the man is put off centre."""

CT, MR, STRUCTURE_SET, ABOUT = "CT", "MR", "RS.dcm", "man.json"

REFILLED = ("bladder_ml", "rectum_ml", "rectal_gas", "bowel_gas", "tilt_deg", "off_centre_mm")
"""What is another way on the day of an MR that is not registered."""


@dataclass(frozen=True)
class SimulateOrder:
    """What a user asks of `rtseg simulate`.

    site        whom to simulate; output: folder, one folder per man in it
    first       number of the first man: n men more go beside those there
    seed        the same seed and number give the same man, whatever n and workers are
    registered  whether CT and MR show the same hour; else the MR has another bladder, rectum and pose
    wishes      numbers of the population that are not drawn, for the CT
    workers     processes
    """

    site: str
    output: Path
    n: int = 1
    first: int = 1
    seed: int = 0
    format: Format = "cases"
    registered: bool = True
    wishes: Mapping[str, float] = field(default_factory=dict)
    population: str = "male_pelvis"
    workers: int = 1
    overwrite: bool = False


def simulate(order: SimulateOrder, began: Callable[[int], None], made: Callable[[str], None]) -> list[Path]:
    """Write the men and return their folders. began: how many there will be; made: each, when it is there.

    Raises ConfigError for a site, wish or form that cannot be, OutputError for a folder that is there already: before anybody is
    made.
    """
    if order.site not in SITES:
        raise ConfigError(f"{order.site} cannot be simulated; there is {', '.join(SITES)}")
    if order.format == "dicom" and not order.registered:
        raise ConfigError("a DICOM MR is written in the CT's frame of reference: ask for registered ones, or for --format cases")
    population = read_population(order.population)
    draw(population, "", 0, order.wishes)
    anatomy()
    folders = [order.output / f"{order.site}_{order.seed}_{number:04d}" for number in range(order.first, order.first + order.n)]
    there = [folder for folder in folders if folder.exists()]
    if there and not order.overwrite:
        raise OutputError(f"{there[0]} exists already: name another folder, another --first, or ask for --overwrite")
    began(order.n)
    jobs = [(order, population, order.first + i, folder) for i, folder in enumerate(folders)]
    if order.workers == 1:
        for job in jobs:
            made(_one(job).name)
        return folders
    with ProcessPoolExecutor(order.workers) as pool:
        for folder in pool.map(_one, jobs):
            made(folder.name)
    return folders


def simulated_case(site: str, seed: int, number: int = 1) -> Case:
    """One man, with CT, MR and the exact masks of his organs: the one that `rtseg simulate` writes for this seed and number."""
    order = SimulateOrder(site, Path(), seed=seed)
    name = f"{site}_{seed}_{number:04d}"
    return _case(order, *_looked_at(order, read_population(order.population), number, name), name)


def _looked_at(order: SimulateOrder, population: Population, number: int, name: str) -> tuple[Lying, Volume, Volume]:
    """The man, his CT and his MR."""
    man = draw(population, name, order.seed * 100_000 + number, order.wishes)
    lying = lie(man, anatomy(), GRID, tuple(population.tissues))
    second = lying if order.registered else lie(_another_day(man, population), anatomy(), GRID, lying.names)
    return lying, ct(lying, population.tissues), mr(second, population.tissues)


def _one(job: tuple[SimulateOrder, Population, int, Path]) -> Path:
    order, population, number, folder = job
    lying, image, look = _looked_at(order, population, number, folder.name)
    with whole_folder(folder, overwrite=order.overwrite) as place:
        if order.format == "cases":
            write_case(_case(order, lying, image, look, folder.name), place, overwrite=True)
        else:
            _as_dicom(lying, image, look, place, folder.name)
        (place / ABOUT).write_text(json.dumps(_about(order, lying), indent=1) + "\n", encoding="utf-8")
    return folder


def _another_day(man: Man, population: Population) -> Man:
    other = draw(population, man.name, man.seed + 50_000)
    return replace(man, numbers={**man.numbers, **{name: other.numbers[name] for name in REFILLED}})


def _case(order: SimulateOrder, lying: Lying, image: Volume, look: Volume, name: str) -> Case:
    return Case(name, image, lying.structures, tuple(lying.structures), look, "registered" if order.registered else "none")


def _as_dicom(lying: Lying, image: Volume, look: Volume, place: Path, name: str) -> None:
    seed = f"rtseg simulate {__version__} {name}"
    patient = Patient("SIMULATED^" + name.upper(), "SIM-" + name.upper(), sex="M")
    write_ct_series(image, place / CT, patient, series_description="SIMULATED planning CT", seed=seed)
    planning = read_planning_ct(place / CT)
    maker = Maker("rtseg-simulate", __version__, SHA256)
    write_mr_series(look, planning, place / MR, maker, stamp=Stamp(SEEDED_DATE, f"{seed} MR"))
    export = Export(Conversion("SIMULATED: exact masks of a simulated man"), label="SIMULATED")
    write_rtstruct(lying.structures, planning, place / STRUCTURE_SET, export, Stamp(SEEDED_DATE, f"{seed} RS"))


def _centre(lying: Lying, name: str) -> list[float]:
    """x, y, z, LPS."""
    mask = lying.structures.mask(name).array
    counts = (mask.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1)))
    (middle,) = lying.geometry.points([[np.average(np.arange(len(n)), weights=n) for n in counts]])
    return [round(float(mm), 1) for mm in middle]


def _about(order: SimulateOrder, lying: Lying) -> dict[str, Any]:
    man = lying.man
    return {
        "simulated": True,
        "rtseg": __version__,
        "population": order.population,
        "anatomy_sha256": SHA256,
        "seed": order.seed,
        "registered": order.registered,
        "drawn": {name: round(value, 4) for name, value in man.numbers.items()},
        "hu": {name: round(value, 1) for name, value in man.hu.items()},
        "volumes_ml": {name: round(lying.structures.volume_ml(name), 2) for name in lying.structures},
        "centres_mm": {name: _centre(lying, name) for name in lying.structures},
    }
