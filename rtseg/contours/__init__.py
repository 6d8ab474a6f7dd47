"""Masks and the loops around them, slice by slice, in pixel coordinates. No DICOM, no millimetres.

A loop is a closed polygon: float64 ``(n, 2)`` points as (row, column), pixel centres at whole numbers, the first
point not repeated.
"""

from rtseg.contours.rasterise import rasterise
from rtseg.contours.trace import LEVEL, Loop, trace

__all__ = ["LEVEL", "Loop", "rasterise", "trace"]
