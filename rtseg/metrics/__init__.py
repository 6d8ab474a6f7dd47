"""How well two contours of one organ agree: each figure has one definition and a stated answer for empty masks."""

from rtseg.metrics.boundary_shift import BoundaryShift, boundary_shift
from rtseg.metrics.contour_length import added_path_length_mm
from rtseg.metrics.figures import HowMeasured, Outcome, figures
from rtseg.metrics.images import image_figures
from rtseg.metrics.overlap import centroid_shift_mm, dsc, jaccard, precision, recall
from rtseg.metrics.reference_range import dsc_in_reference_range, hd95_in_reference_range_mm
from rtseg.metrics.surface import SurfaceDistances, SurfaceModel, hd95_mm, surface_distances

__all__ = [
    "BoundaryShift",
    "HowMeasured",
    "Outcome",
    "SurfaceDistances",
    "SurfaceModel",
    "added_path_length_mm",
    "boundary_shift",
    "centroid_shift_mm",
    "dsc",
    "dsc_in_reference_range",
    "figures",
    "hd95_in_reference_range_mm",
    "hd95_mm",
    "image_figures",
    "jaccard",
    "precision",
    "recall",
    "surface_distances",
]
