"""From a prepared CT to each organ's probability, window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rtseg.imaging import Prepared, Probabilities
from rtseg.segmentation.inputs import AIR, Window, through_windows
from rtseg.training import Compute


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A trained network with what it needs to be used.

    organs: its outputs in order; windows_hu: its input channels; patch: the size (slices, rows, columns) it was
    trained on, and is used on, because normalisation statistics depend on it; overlap: of neighbouring windows.
    """

    net: nn.Module
    organs: tuple[str, ...]
    windows_hu: tuple[Window, ...]
    patch: tuple[int, int, int]
    overlap: float
    compute: Compute


WINDOWS_AT_ONCE = 2
"""Windows in one pass: oneDNN is slow on a single small window, memory grows with more."""


def segment(ready: Prepared, segmenter: Segmenter) -> Probabilities:
    """Each organ's probability on the working grid of ``ready``, which is no larger than the body's box."""
    hu = torch.from_numpy(ready.volume.array)[None, None].float()
    logits = segment_logits(hu.to(segmenter.compute.device), segmenter)
    return Probabilities(segmenter.organs, torch.sigmoid(logits)[0].cpu().numpy(), ready.volume.geometry)


@torch.inference_mode()
def segment_logits(hu: Tensor, segmenter: Segmenter) -> Tensor:
    """(1, 1, d, h, w) HU of any size -> (1, organs, d, h, w) logits, overlapping windows blended by a Gaussian."""
    from monai.inferers.utils import sliding_window_inference

    segmenter.net.eval()
    with segmenter.compute.autocast():
        logits = sliding_window_inference(
            through_windows(hu, segmenter.windows_hu),
            segmenter.patch,
            sw_batch_size=WINDOWS_AT_ONCE,
            predictor=_plain(segmenter.net),
            overlap=segmenter.overlap,
            mode="gaussian",
            padding_mode="constant",
            cval=AIR,
        )
    return torch.as_tensor(logits).float()


def _plain(net: nn.Module) -> Callable[[Tensor], Tensor]:
    """The network as a function of a window laid out as its convolutions like it."""

    def run(window: Tensor) -> Tensor:
        logits: Tensor = net(window.contiguous(memory_format=torch.channels_last_3d))
        return logits.float()  # windows are blended in full precision

    return run


def dice_on_grid(logits: Tensor, organs: Tensor, contoured: Sequence[bool], known: Sequence[Sequence[int]]) -> list[float | None]:
    """DSC per organ on the working grid, for choosing checkpoints only; None where not contoured.

    logits and organs (organs, d, h, w); organs are shares 0..1, a voxel counts from one half on; known: first and
    last+1 slice of each organ that count, because beyond them its absence is not known.
    """
    seen, truth = logits > 0, organs >= 0.5
    figures: list[float | None] = []
    for organ, asked in enumerate(contoured):
        first, end = known[organ]
        ours, theirs = seen[organ, first:end], truth[organ, first:end]
        size = int(ours.sum()) + int(theirs.sum())
        figures.append(2 * int((ours & theirs).sum()) / size if asked and size else None)
    return figures
