"""How well two contours of one organ agree: each figure has one definition and a stated answer for empty masks."""

from rtseg.metrics.overlap import dsc
from rtseg.metrics.reference_range import dsc_in_reference_range, hd95_in_reference_range_mm
from rtseg.metrics.surface import hd95_mm

__all__ = ["dsc", "dsc_in_reference_range", "hd95_in_reference_range_mm", "hd95_mm"]
