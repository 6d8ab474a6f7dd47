"""Networks: tensors in, tensors out. No data, no loss, torch only."""

from rtseg.nets.daunet import AttentionUNet, DAUNet

__all__ = ["AttentionUNet", "DAUNet"]
