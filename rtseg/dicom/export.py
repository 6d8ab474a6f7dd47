"""How a structure set is written: who made it, what a clinic calls its organs, and how fine the contours are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rtseg.core import ConfigError

LABEL_CHARACTERS = 16
"""Longest Structure Set Label (VR SH, PS3.5 6.2)."""

NAME_CHARACTERS = 64
"""Longest ROI name (VR LO, PS3.5 6.2)."""

INTERPRETED_TYPES = ("ORGAN", "EXTERNAL", "SUPPORT", "MARKER", "CAVITY", "AVOIDANCE")
"""RT ROI Interpreted Types that are written (PS3.3 C.8.8.8.1): a target is for a physician to name, and older planning systems do
not know OAR."""


def is_lawful(name: str) -> bool:
    """Whether text can stand in a DICOM name (VR LO or SH) and come back as it was."""
    return bool(name) and name == name.strip() and "\\" not in name and name.isprintable()


@dataclass(frozen=True)
class Maker:
    """The model that contoured: its id and version, and the SHA-256 of its bundle (64 hexadecimal digits).

    Raises ConfigError for what Algorithm Name and Version (VR LO) cannot hold.
    """

    model: str
    version: str
    sha256: str

    def __post_init__(self) -> None:
        for what, text in (("model", self.model), ("version", self.version)):
            if not (text == text.strip() and 1 <= len(text) <= 64 and text.isascii() and text.isprintable()) or "\\" in text:
                raise ConfigError(
                    f"a maker's {what} has 1 to 64 ASCII characters, no backslash, no blank at its ends; got {text!r}"
                )
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ConfigError(f"a maker's sha256 is 64 hexadecimal digits in small letters, got {self.sha256!r}")

    @property
    def words(self) -> str:
        """At most 64 characters for ROI Generation Description: ``model version sha256:first eight``."""
        tail = f" {self.version[:16]} sha256:{self.sha256[:8]}"
        return self.model[: 64 - len(tail)] + tail


@dataclass(frozen=True)
class Conversion:
    """Where contours come from that nobody knows the maker of: masks of another form, named in each ROI.

    Raises ConfigError for what ROI Generation Description (VR LO) cannot hold.
    """

    words: str = "converted from masks, maker unknown"

    def __post_init__(self) -> None:
        if not is_lawful(self.words) or len(self.words) > 64:
            raise ConfigError(f"a conversion is told in 1 to 64 printable characters, no backslash; got {self.words!r}")


@dataclass(frozen=True)
class WrittenRoi:
    """What a clinic calls an organ: the ROI's name, its colour (red, green, blue, 0-255) and RT ROI Interpreted Type.

    None: as the organ's table has it. Raises ConfigError for a name, colour or type that cannot be written.
    """

    name: str
    colour: tuple[int, int, int] | None = None
    interpreted_type: str | None = None

    def __post_init__(self) -> None:
        if not is_lawful(self.name) or len(self.name) > NAME_CHARACTERS:
            raise ConfigError(f"{self.name!r} cannot name an ROI: {NAME_RULE}")
        if self.colour is not None and not all(0 <= part <= 255 for part in self.colour):
            raise ConfigError(f"the colour of {self.name} is three whole numbers from 0 to 255, got {list(self.colour)}")
        if self.interpreted_type is not None and self.interpreted_type not in INTERPRETED_TYPES:
            raise ConfigError(f"the type of {self.name} is one of {', '.join(INTERPRETED_TYPES)}, got {self.interpreted_type!r}")


NAME_RULE = f"1 to {NAME_CHARACTERS} printable characters, no backslash, no blank at its ends"


UNKNOWN = Conversion()


@dataclass(frozen=True)
class Export:
    """How a structure set is written.

    maker           the model that contoured, named in each ROI; or a conversion, where that is not known
    label           Structure Set Label, 1-16 characters; None gives ``RTSEG`` and month, day, hour, minute
    overwrite       whether a file that is there already is replaced
    subvoxel        contours where an organ's probability is one half, in place of halfway between its voxels
    simplify_mm     points are left out that lie so near to the line between others; 0: none but those on a straight line
    min_area_mm2    parts of a slice that are smaller are left out; 0: none
    names           what a clinic calls its organs, by their TG-263 names: others are not written. None: all, as they are
    allow_approved  whether organs may be appended to a structure set that somebody approved

    Raises ConfigError for a label that a planning system would refuse, or a measure below 0.
    """

    maker: Maker | Conversion = UNKNOWN
    label: str | None = None
    overwrite: bool = False
    subvoxel: bool = False
    simplify_mm: float = 0.0
    min_area_mm2: float = 0.0
    names: Mapping[str, WrittenRoi] | None = None
    allow_approved: bool = False

    def __post_init__(self) -> None:
        if self.label is not None and not (is_lawful(self.label) and len(self.label) <= LABEL_CHARACTERS):
            raise ConfigError(
                f"a structure set label has 1 to {LABEL_CHARACTERS} characters, no backslash, no blank at its ends;"
                f" got {self.label!r}"
            )
        for what, value in (("simplify_mm", self.simplify_mm), ("min_area_mm2", self.min_area_mm2)):
            if not 0 <= value < float("inf"):
                raise ConfigError(f"{what} is 0 or more, got {value}")


PLAINLY = Export()
"""Contours round voxels under the names that they have, of a maker that is not known."""
