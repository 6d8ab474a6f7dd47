"""How long each step of a command takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Seconds of each step, in order; ``heard`` is told when one begins."""

    heard: Callable[[str], None] = lambda _: None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.heard(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
