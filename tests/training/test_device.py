"""Device and precision: measured, not assumed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rtseg.training import Compute, choose_compute, device

CPU = torch.device("cpu")


@pytest.fixture
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("_no_gpu")
def test_a_cpu_is_measured_and_computes() -> None:
    compute = choose_compute(threads=1)

    assert compute.device == CPU
    assert compute.precision in (torch.float32, torch.bfloat16)
    assert compute.words == f"CPU, 1 threads, {str(compute.precision).removeprefix('torch.')}"
    with compute.autocast():
        assert nn.Conv3d(1, 1, 1)(torch.zeros(1, 1, 2, 2, 2)).dtype == compute.precision


@pytest.mark.usefixtures("_no_gpu")
@pytest.mark.parametrize(("bfloat16_s", "chosen"), [(1.0, torch.bfloat16), (1.9, torch.float32), (8.0, torch.float32)])
def test_half_precision_only_where_it_is_clearly_quicker(
    monkeypatch: pytest.MonkeyPatch, bfloat16_s: float, chosen: torch.dtype
) -> None:
    # against 2 s in full precision: 1.9 s are not a tenth quicker
    took = {torch.float32: 2.0, torch.bfloat16: bfloat16_s}
    monkeypatch.setattr(device, "_is_imitated", lambda: False)
    monkeypatch.setattr(device, "seconds", lambda _, precision, *__: took[precision])

    assert choose_compute().precision == chosen


@pytest.mark.usefixtures("_no_gpu")
def test_half_precision_that_a_processor_only_imitates_is_not_measured_for_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(_: torch.device, precision: torch.dtype, *shape: object) -> float:
        assert shape, "the whole block was run"
        return 0.07 if precision is torch.bfloat16 else 0.002

    monkeypatch.setattr(device, "_is_imitated", lambda: False)
    monkeypatch.setattr(device, "seconds", seconds)
    assert choose_compute().precision == torch.float32


@pytest.mark.usefixtures("_no_gpu")
def test_half_precision_that_onednn_lacks_is_not_measured_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside another process the clock may say anything: an imitation once took minutes."""
    monkeypatch.setattr(device, "_is_imitated", lambda: True)
    monkeypatch.setattr(device, "seconds", lambda *_: pytest.fail("it was measured"))
    assert choose_compute().precision == torch.float32


@pytest.mark.usefixtures("_no_gpu")
def test_threads_are_left_alone_unless_asked_for() -> None:
    choose_compute()

    assert torch.get_num_threads() == 1


def test_weights_stay_in_full_precision() -> None:
    conv = nn.Conv3d(1, 1, 1)
    with Compute(CPU, torch.bfloat16).autocast():
        conv(torch.zeros(1, 1, 2, 2, 2)).sum().backward()

    assert conv.weight.dtype == torch.float32
    assert conv.weight.grad is not None
    assert conv.weight.grad.dtype == torch.float32


def test_full_precision_is_no_autocast() -> None:
    with Compute(CPU, torch.float32).autocast():
        assert nn.Conv3d(1, 1, 1)(torch.zeros(1, 1, 2, 2, 2)).dtype == torch.float32


def test_on_a_cpu_nothing_is_compiled() -> None:
    assert Compute(torch.device("cpu"), torch.float32).compiled(len) is len
