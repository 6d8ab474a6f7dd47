"""Networks: tensors in, tensors out. No data, no loss, torch only."""

from rtseg.nets.daunet import AttentionUNet, DAUNet
from rtseg.nets.segmenters import DualPyramid, ResidualUNet, SegmenterNet

__all__ = ["AttentionUNet", "DAUNet", "DualPyramid", "ResidualUNet", "SegmenterNet"]
