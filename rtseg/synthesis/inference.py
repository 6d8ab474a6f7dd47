"""From a prepared CT to its synthetic MR, window by window: one way for every translator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from rtseg.core import Volume
from rtseg.imaging import Prepared
from rtseg.imaging.intensity import Scale
from rtseg.synthesis.patches import OUTSIDE
from rtseg.synthesis.scans import ct_image
from rtseg.training import Compute

WINDOWS_AT_ONCE = 2


@dataclass(frozen=True, eq=False)
class Translator:
    """A trained generator with what it needs to be used.

    window   the size (slices, rows, columns) it is used on: that of its training, unless it has no statistics of its window
    overlap  of neighbouring windows along slices, rows and columns, as a part of the window
    scale    from the MR's values to -1..1: its way back gives the synthetic MR values that a viewer shows well
    """

    net: nn.Module
    window: tuple[int, int, int]
    overlap: tuple[float, float, float]
    scale: Scale
    compute: Compute


def synthesize(ready: Prepared, translator: Translator) -> Volume:
    """The synthetic MR on the working grid of ``ready``, -1 to 1, OUTSIDE beyond the body; ``scale.back`` gives values of MRs."""
    ct = ct_image(ready.volume.array, ready.body.array)
    made = translated(ct[None].to(translator.compute.device), translator)[0, 0].cpu().numpy()
    return Volume(np.where(ready.body.array, made, np.float32(OUTSIDE)), ready.volume.geometry)


@torch.inference_mode()
def translated(image: Tensor, translator: Translator) -> Tensor:
    """(1, 1, d, h, w) in -1..1 of any size, through the generator: overlapping windows blended by a Gaussian, no seams."""
    from monai.inferers.utils import sliding_window_inference

    translator.net.eval()

    def made(window: Tensor) -> Tensor:
        found: Tensor = translator.net(window.contiguous(memory_format=torch.channels_last_3d))
        return found.float()  # windows are blended in full precision

    with translator.compute.autocast():
        whole = sliding_window_inference(
            image,
            translator.window,
            sw_batch_size=WINDOWS_AT_ONCE,
            predictor=made,
            overlap=translator.overlap,
            mode="gaussian",
            padding_mode="constant",
            cval=OUTSIDE,
        )
    return torch.as_tensor(whole).float()
