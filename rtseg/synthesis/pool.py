"""Images made before, which a critic sees again: it must not forget what the generators have grown out of (Shrivastava 2017)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class ImagePool:
    """Up to ``size`` images; what is seen depends on the generator of chance that is handed in, and on what was put in before."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def seen(self, made: Tensor, random: np.random.Generator) -> Tensor:
        """For each image itself, or, half of the time once the pool is full, an older one that it takes the place of."""
        if self.size == 0:
            return made.detach()
        chosen = []
        for image in made.detach():
            if len(self.images) < self.size:
                self.images.append(image)
                chosen.append(image)
            elif random.random() < 0.5:
                place = int(random.integers(self.size))
                chosen.append(self.images[place])
                self.images[place] = image
            else:
                chosen.append(image)
        return torch.stack(chosen)

    def tensors(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return {str(number): image for number, image in enumerate(self.images)}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of ``tensors``."""
        self.images = [tensors[str(number)] for number in range(len(tensors))]
