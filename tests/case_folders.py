"""Case folders of the three balls, as a clinic would lay out its own cases for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from contour_cases import balls
from phantoms import turned_geometry

from rtseg.core import Geometry
from rtseg.data import Case, write_case

SHAPE, SPACING_MM = (24, 52, 60), (3.0, 2.0, 2.0)


def grid(shift_mm: float = 0.0) -> Geometry:
    """Axial, head first supine; shifted to the left."""
    there = turned_geometry((1, 0, 0), (0, 1, 0), SHAPE, SPACING_MM)
    return Geometry.regular(SHAPE, SPACING_MM, there.points([[0, 0, 0]])[0] + np.array([shift_mm, 0, 0]), there.direction)


def ball_case(name: str, shift_mm: float = 0.0) -> Case:
    phantom = balls(grid(shift_mm))
    return Case(name, phantom.ct, phantom.organs, tuple(phantom.organs))


def write_ball_cases(root: Path) -> Path:
    """Two patients to learn from, one to judge by."""
    for number, split in enumerate(("train", "train", "validation"), start=1):
        write_case(ball_case(f"p{number}", 1.5 * number), root / split / f"p{number}")
    return root
