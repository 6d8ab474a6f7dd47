"""The nouns of rtseg: grids, images, masks, structure sets, findings, errors. numpy only."""

from rtseg.core.contouring import Confidence, Contouring
from rtseg.core.errors import BundleError, ConfigError, GeometryError, InputError, OutputError, RtsegError
from rtseg.core.finding import Finding
from rtseg.core.geometry import AXIAL, Geometry
from rtseg.core.structures import EMPTY, Structure, StructureSet, bounding_box, with_rim
from rtseg.core.volume import Mask, Volume

__all__ = [
    "AXIAL",
    "EMPTY",
    "BundleError",
    "Confidence",
    "ConfigError",
    "Contouring",
    "Finding",
    "Geometry",
    "GeometryError",
    "InputError",
    "Mask",
    "OutputError",
    "RtsegError",
    "Structure",
    "StructureSet",
    "Volume",
    "bounding_box",
    "with_rim",
]
