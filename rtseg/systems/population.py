"""Populations of simulated patients: the YAML files of configs/populations."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rtseg.simulate.population import Population, Scanner, Shape, Tissue
from rtseg.systems.catalogue import config_file
from rtseg.systems.words import read_yaml, validated


class PopulationFile(BaseModel):
    """What such a file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    population: str
    shape: Shape
    scanner: Scanner
    tissues: dict[str, Tissue]


def read_population(name: str) -> Population:
    """A population that ships, by name, or a YAML file of one's own. Raises ConfigError with the names that exist."""
    file = config_file("populations", name)
    read = validated(PopulationFile, read_yaml(file), str(file))
    return Population(read.population, read.shape, read.scanner, read.tissues)
