"""Images between grids: resampling, the body, and the way to a model's working grid and back."""

from rtseg.imaging.body import body_mask
from rtseg.imaging.continuity import Stretch, stretches
from rtseg.imaging.prepare import (
    AIR_HU,
    Preparation,
    Prepared,
    Probabilities,
    prepare,
    restore,
    restore_mask,
    to_working_grid,
)
from rtseg.imaging.resample import resample

__all__ = [
    "AIR_HU",
    "Preparation",
    "Prepared",
    "Probabilities",
    "Stretch",
    "body_mask",
    "prepare",
    "resample",
    "restore",
    "restore_mask",
    "stretches",
    "to_working_grid",
]
