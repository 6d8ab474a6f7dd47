"""What others published, to stand beside our own figures with its cautions."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtseg.core.anatomy import organ
from rtseg.systems.words import read_yaml, validated

FILE = "published.yaml"


class PublishedSource(BaseModel):
    """One paper's figures. organs: DSC, or DSC and SD, by TG-263 name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    what: str
    where: str
    organs: Mapping[str, float | tuple[float, float]] = Field(min_length=1)
    cautions: str = ""

    @model_validator(mode="after")
    def _organs_exist(self) -> Self:
        if unknown := [name for name in self.organs if organ(name) is None]:
            raise ValueError(f"not a TG-263 name: {', '.join(unknown)}")
        return self


class Published(BaseModel):
    """All sources, and what is to be said of every comparison with them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[PublishedSource, ...]
    cautions: tuple[str, ...]


def read_published() -> Published:
    """The table that ships."""
    file = Path(str(files("rtseg.configs"))) / FILE
    return validated(Published, read_yaml(file), str(file))
