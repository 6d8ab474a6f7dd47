"""How well two contours of one organ agree: each figure has one definition and a stated answer for empty masks."""

from rtseg.metrics.overlap import dsc
from rtseg.metrics.surface import hd95_mm

__all__ = ["dsc", "hd95_mm"]
