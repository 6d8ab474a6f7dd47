"""From a prepared CT to each organ's probability, window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtseg.core import Geometry, Volume
from rtseg.imaging import AIR_HU, Prepared, Probabilities
from rtseg.segmentation.inputs import AIR, Window, channels
from rtseg.training import Compute


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A trained network with what it needs to be used.

    organs: its outputs in order; windows_hu: its input channels, after which comes the synthetic MR if it sees_mr; patch: the
    size (slices, rows, columns) it was trained on, and is used on, because normalisation statistics depend on it; overlap: of
    neighbouring windows.
    """

    net: nn.Module
    organs: tuple[str, ...]
    windows_hu: tuple[Window, ...]
    patch: tuple[int, int, int]
    overlap: float
    compute: Compute
    sees_mr: bool = False


WINDOWS_AT_ONCE = 2
"""Windows in one pass: oneDNN is slow on a single small window, memory grows with more."""


WINDOW_STEP = 2
"""In the slices a window around the whole body begins on every so manieth voxel of the grid that is fixed in patient space:
what is left of a mask or a couch makes the body's box wider by a voxel, and should not move the window. No coarser: in training
the body lies in the window's middle, and four voxels beside it cost the brainstem 0.05 DSC."""


def segment(ready: Prepared, segmenter: Segmenter, smr: Volume | None = None) -> Probabilities:
    """Each organ's probability on the working grid of ``ready``, which is no larger than the body's box.

    smr: the synthetic MR in -1..1 on that grid, for a segmenter that sees it.
    """
    hu = torch.from_numpy(ready.volume.array)[None, None].float()
    rows, columns = (_room(ready.volume.geometry, axis, segmenter.patch[axis]) for axis in (1, 2))
    device = segmenter.compute.device
    hu = functional.pad(hu, (*columns, *rows), value=AIR_HU).to(device)
    mr = None
    if segmenter.sees_mr and smr is not None:
        mr = functional.pad(torch.from_numpy(smr.array)[None, None].float(), (*columns, *rows), value=AIR).to(device)
    logits = segment_logits(hu, segmenter, mr)
    logits = functional.pad(logits, tuple(-n for n in (*columns, *rows)))
    return Probabilities(segmenter.organs, torch.sigmoid(logits)[0].cpu().numpy(), ready.volume.geometry)


def _room(grid: Geometry, axis: int, window: int) -> tuple[int, int]:
    """How many voxels of air a window has before and behind a grid along an axis; none if one window cannot hold the grid."""
    free = window - grid.shape[axis]
    if free <= 0:
        return 0, 0
    first = round(float(grid.origin @ grid.direction[axis]) / grid.pixel_spacing[axis - 1])
    start = WINDOW_STEP * round((first - free / 2) / WINDOW_STEP)
    before = min(max(first - start, 0), free)
    return before, free - before


def recognised(seen: Probabilities) -> float:
    """How much of a model's organs was seen and how surely: the sum over organs of the soft Dice of probability and mask."""
    masks = seen.array > 0.5
    return sum(float(2 * p[m].sum() / (p.sum() + m.sum())) for p, m in zip(seen.array, masks, strict=True) if m.any())


@torch.inference_mode()
def segment_logits(hu: Tensor, segmenter: Segmenter, smr: Tensor | None = None) -> Tensor:
    """(1, 1, d, h, w) HU of any size -> (1, organs, d, h, w) logits, overlapping windows blended by a Gaussian.

    smr: (1, 1, d, h, w) synthetic MR in -1..1. Raises ValueError if the segmenter sees one and there is none.
    """
    from monai.inferers.utils import sliding_window_inference

    if segmenter.sees_mr != (smr is not None):
        raise ValueError("a segmenter that sees a synthetic MR needs one, another has no use for it")

    segmenter.net.eval()
    with segmenter.compute.autocast():
        logits = sliding_window_inference(
            channels(hu, segmenter.windows_hu, smr),
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
