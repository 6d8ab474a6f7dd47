"""What every training shares: device, run folder, sampling, augmentation, averaging."""

from rtseg.training.augment import Augmentation, Batch, cut
from rtseg.training.device import Compute, choose_compute
from rtseg.training.ema import follow
from rtseg.training.run import Checkpoint, Run, load_named, load_optimizer, named_weights, optimizer_tensors
from rtseg.training.sampling import Resident, Sampling, draw, resident, scaled
from rtseg.training.schedule import Schedule

__all__ = [
    "Augmentation",
    "Batch",
    "Checkpoint",
    "Compute",
    "Resident",
    "Run",
    "Sampling",
    "Schedule",
    "choose_compute",
    "cut",
    "draw",
    "follow",
    "load_named",
    "load_optimizer",
    "named_weights",
    "optimizer_tensors",
    "resident",
    "scaled",
]
