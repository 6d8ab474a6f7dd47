"""Who is simulated: distributions of sizes, fillings, pose and tissues, and draws from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from rtseg.core import ConfigError


@dataclass(frozen=True)
class Spread:
    """How a number varies between people: normal or log-normal around the median, or even, between two bounds.

    spread: standard deviation, of the natural logarithm for a log-normal; not used by an even law
    """

    low: float
    high: float
    median: float = 0.0
    spread: float = 0.0
    law: Literal["normal", "log_normal", "even"] = "normal"

    def draw(self, rng: np.random.Generator) -> float:
        """A number between the bounds: drawn again until it is."""
        if self.law == "even" or self.low == self.high:
            return float(rng.uniform(self.low, self.high))
        for _ in range(1000):
            by = float(rng.normal()) * self.spread
            value = self.median * float(np.exp(by)) if self.law == "log_normal" else self.median + by
            if self.low <= value <= self.high:
                return value
        raise ConfigError(f"no draw of 1000 lies between {self.low} and {self.high}: median {self.median}, spread {self.spread}")


@dataclass(frozen=True)
class Tissue:
    """What a tissue is to the scanners.

    hu        CT number at 120 kVp, and how it varies between people
    texture   standard deviation within the tissue, HU
    pd, t1_ms, t2_ms: proton density against water, relaxation times at 3 T; pd 0: no signal
    """

    hu: Spread
    texture: float
    pd: float
    t1_ms: float = 1000.0
    t2_ms: float = 50.0


@dataclass(frozen=True)
class Shape:
    """Sizes, fillings and pose of men: volumes in ml, lengths in mm, angles in degrees."""

    prostate_ml: Spread
    bladder_ml: Spread
    rectum_ml: Spread
    vesicles_ml: Spread
    heads_apart_mm: Spread
    lateral_mm: Spread
    antero_posterior_mm: Spread
    height_scale: Spread
    muscle_mm: Spread
    sway_mm: Spread
    tilt_deg: Spread
    off_centre_mm: Spread
    rectal_gas: Spread
    bowel_gas: Spread


@dataclass(frozen=True)
class Scanner:
    """Noise of the CT: standard deviation in HU in a thin man's middle, and the kernel's width in mm. Echo and repetition time of
    the MR in ms; bias and noise as a part of the signal.
    """

    ct_noise_hu: Spread
    ct_kernel_mm: Spread
    beam_hardening_hu: Spread
    mr_te_ms: Spread
    mr_tr_ms: Spread
    mr_bias: Spread
    mr_noise: Spread


@dataclass(frozen=True)
class Population:
    """Everything that is drawn."""

    population: str
    shape: Shape
    scanner: Scanner
    tissues: Mapping[str, Tissue]


@dataclass(frozen=True)
class Man:
    """One draw: a number for each distribution, by its name, and the HU of each tissue."""

    name: str
    seed: int
    numbers: Mapping[str, float]
    hu: Mapping[str, float]


def draw(population: Population, name: str, seed: int, wishes: Mapping[str, float] | None = None) -> Man:
    """A man of the population. wishes: numbers that are not drawn. The same seed gives the same man.

    Raises ConfigError for a wish that the population does not know, or outside of its range.
    """
    known = {field.name: getattr(part, field.name) for part in (population.shape, population.scanner) for field in fields(part)}
    wishes = wishes or {}
    for what, value in wishes.items():
        if what not in known:
            raise ConfigError(f"{what} is not drawn for {population.population}; there is {', '.join(known)}")
        low, high = known[what].low, known[what].high
        if not low <= value <= high:
            raise ConfigError(f"{what} {value:g} is outside of the range of {population.population}: {low:g} to {high:g}")
    rng = np.random.default_rng([seed, 0])
    drawn = {what: spread.draw(rng) for what, spread in known.items()}
    hu = {tissue: about.hu.draw(rng) for tissue, about in population.tissues.items()}
    return Man(name, seed, {**drawn, **wishes}, hu)
