"""Which device a training or an inference runs on, and in which precision: measured, not assumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import nn

Function = TypeVar("Function", bound=Callable[..., Any])

WORTH = 1.1
"""bf16 is taken only if it is this much quicker: below, its rounding is not worth it."""

HOPELESS = 5.0
"""bf16 that is so many times slower on a small part is not tried on the whole: on a processor without instructions for it (AVX2
alone) the whole took 46 s in place of 0.1 s."""

Shape = tuple[int, int, int, int, int]

BLOCK: Shape = (2, 48, 24, 32, 32)


@dataclass(frozen=True)
class Compute:
    """Where and how to compute. precision is float32 or bfloat16 (autocast: weights and loss stay in float32)."""

    device: torch.device
    precision: torch.dtype

    def autocast(self) -> torch.autocast:
        """The context in which networks run."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision is torch.bfloat16)

    def compiled(self, function: Function) -> Function:
        """The function as one kernel after the other on a GPU, where launching single operations takes longer than they do."""
        return cast(Function, torch.compile(function)) if self.device.type == "cuda" else function

    @property
    def words(self) -> str:
        """For logs and cards: device, threads, precision."""
        where = (
            torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
        )
        return f"{where}, {str(self.precision).removeprefix('torch.')}"


def choose_compute(threads: int | None = None) -> Compute:
    """The first CUDA device if there is one, else the CPU with ``threads``; bf16 where it pays here.

    On CUDA it pays where the hardware has it (one small convolution could not tell); on a CPU it is measured.

    Sets the number of threads of this process when asked: call it once, at the start of a command.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    device = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # a training's patches are all of one size
        quick = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        quick = _bf16_pays(device)
    return Compute(device, torch.bfloat16 if quick else torch.float32)


def _bf16_pays(device: torch.device) -> bool:
    """Measured on the whole block, unless oneDNN has no bf16 for this processor and would imitate it.

    A small part goes first, in case the whole would take minutes all the same.
    """
    if _is_imitated():
        return False
    small = (1, 48, 4, 8, 8)
    if seconds(device, torch.bfloat16, small) > HOPELESS * seconds(device, torch.float32, small):
        return False
    return seconds(device, torch.float32) > WORTH * seconds(device, torch.bfloat16)


def _is_imitated() -> bool:
    """Whether oneDNN, which computes convolutions on most processors, says that it has no bf16 here."""
    has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(has_onednn) and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def seconds(device: torch.device, precision: torch.dtype, shape: Shape = BLOCK, repeats: int = 2) -> float:
    """Seconds of one block of a U-Net, of the size that most of its work has, forward, the best of some runs.

    Whole and laid out as in the networks: a convolution alone, or a small one, told the opposite of the truth on a CPU
    that emulates bfloat16.
    """
    layout = torch.channels_last_3d
    block = nn.Sequential(nn.Conv3d(48, 48, 3, padding=1), nn.GroupNorm(8, 48), nn.SiLU(), nn.Conv3d(48, 48, 3, padding=1))
    block = block.to(device, memory_format=layout)  # type: ignore[call-overload]  # torch's overloads lack it
    image = torch.zeros(*shape, device=device).contiguous(memory_format=layout)
    best = float("inf")
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision is torch.bfloat16):
        block(image)
        for _ in range(repeats):
            start = time.perf_counter()
            block(image)
            best = min(best, time.perf_counter() - start)
    return best
