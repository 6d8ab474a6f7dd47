"""How long and how fast: learning rate and averaging over the steps of a training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Steps and rates of a training.

    steps           in all; the rate is constant after ``warmup`` steps and falls linearly to zero over the last
                    ``decay`` share, so that a run can be judged at any time by its average and ended when it pays no more
    ema             memory of the moving average of the weights
    log_every, validate_every   steps between log lines and between validations
    """

    steps: int
    rate: float
    warmup: int = 100
    decay: float = 0.2
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.998
    log_every: int = 10
    validate_every: int = 500

    def rate_at(self, step: int) -> float:
        """Learning rate of a step (0-based)."""
        rising = min(1.0, (step + 1) / max(1, self.warmup))
        falling = min(1.0, (self.steps - step) / max(1.0, self.decay * self.steps))
        return self.rate * min(rising, falling)
