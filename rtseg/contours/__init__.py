"""Masks and the loops around them, slice by slice, in pixel coordinates. No DICOM, no millimetres.

A loop is a closed polygon: float64 ``(n, 2)`` points as (row, column), pixel centres at whole numbers, the first
point not repeated.
"""

from rtseg.contours.crossing import crosses_itself
from rtseg.contours.rasterise import rasterise
from rtseg.contours.simplify import simplify
from rtseg.contours.trace import LEVEL, Loop, trace, trace_with_channels

__all__ = ["LEVEL", "Loop", "crosses_itself", "rasterise", "simplify", "trace", "trace_with_channels"]
