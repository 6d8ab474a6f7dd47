"""The average of a network's weights."""

from __future__ import annotations

import torch
from torch import nn

from rtseg.training import follow


def filled(value: float, count: int = 0) -> nn.BatchNorm1d:
    norm = nn.BatchNorm1d(2)
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert tensor is not None
        nn.init.constant_(tensor, value)
    norm.num_batches_tracked = torch.tensor(count)
    return norm


def test_the_random_start_is_forgotten_early() -> None:
    average = filled(0.0)
    follow(average, filled(1.0), decay=0.995, step=0)

    # a tenth of the old is kept at first: (1 + 0) / (10 + 0)
    assert torch.allclose(average.weight, torch.tensor(0.9))


def test_later_the_memory_is_the_decay() -> None:
    average = filled(0.0)
    follow(average, filled(1.0), decay=0.75, step=1000)
    follow(average, filled(1.0), decay=0.75, step=1001)

    assert torch.allclose(average.weight, torch.tensor(1 - 0.75**2))


def test_buffers_follow_too_and_counters_are_copied() -> None:
    average = filled(0.0)
    follow(average, filled(1.0, count=17), decay=0.5, step=1000)

    assert average.running_mean is not None
    assert torch.allclose(average.running_mean, torch.tensor(0.5))
    assert average.num_batches_tracked == 17


def test_the_network_itself_stays() -> None:
    net = filled(1.0)
    follow(filled(0.0), net, decay=0.5, step=1000)

    assert torch.equal(net.weight, torch.ones(2))
