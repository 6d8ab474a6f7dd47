"""A clinic's own names for organs, read from YAML: what each ROI is called, its colour and its type, and which are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from rtseg.core import ConfigError
from rtseg.core.anatomy import organ, organ_names
from rtseg.dicom.export import WrittenRoi
from rtseg.systems.words import nearest, read_yaml, validated


class _Roi(BaseModel):
    """One organ of the table; what is not given is as rtseg has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = None
    colour: tuple[int, int, int] | None = None
    type: str | None = None


class _Names(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    organs: Mapping[str, _Roi | None]

    @model_validator(mode="after")
    def _organs_exist(self) -> Self:
        for name in self.organs:
            if organ(name) is None:
                raise ValueError(f"{name} is no TG-263 name known to rtseg; {nearest(name, organ_names())}")
        if not self.organs:
            raise ValueError("organs is empty: nothing would be written")
        return self


def read_clinic_names(file: Path) -> dict[str, WrittenRoi]:
    """What a clinic calls its organs, by TG-263 name; only these are written.

    Raises ConfigError naming the file, the organ and what is allowed, for a file that is not there or is no such table, an organ
    or key that nobody knows, a name, colour or type that cannot be written, and for names or colours that come twice.
    """
    table = validated(_Names, read_yaml(file), str(file))
    written: dict[str, WrittenRoi] = {}
    for key, roi in table.organs.items():
        asked = roi or _Roi()
        try:
            written[key] = WrittenRoi(asked.name or key, asked.colour, asked.type)
        except ConfigError as error:
            raise ConfigError(f"{file}: {key}: {error}") from error
    _must_differ(file, "name", {key: roi.name.casefold() for key, roi in written.items()})
    _must_differ(file, "colour", {key: roi.colour for key, roi in written.items() if roi.colour is not None})
    return written


def _must_differ(file: Path, what: str, values: Mapping[str, object]) -> None:
    seen: dict[object, str] = {}
    for key, value in values.items():
        if value in seen:
            raise ConfigError(f"{file}: {seen[value]} and {key} have the same {what}: give each its own")
        seen[value] = key
