"""Loops with fewer points, never further than a tolerance from what they were (Douglas and Peucker 1973)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtseg.contours.crossing import crosses_itself
from rtseg.contours.trace import Loop


def simplify(loop: Loop, stays: NDArray[np.bool_], tolerance: float) -> Loop:
    """The loop without the points that lie within ``tolerance`` of the line between those kept.

    loop       (n, 2) points in a unit in which both axes are alike, such as millimetres
    stays      (n,) points that are kept whatever they are: those of channels, whose way back must be the way there

    A loop that would have fewer than three points, or cross itself, comes back as it was.
    """
    anchors = np.flatnonzero(stays)
    if len(anchors) < 2:
        first = int(anchors[0]) if len(anchors) else 0
        furthest = int(np.linalg.norm(loop - loop[first], axis=1).argmax())
        anchors = np.unique([first, furthest])
    turned = np.roll(loop, -int(anchors[0]), axis=0)
    ends = [*(anchors - anchors[0]).tolist(), len(loop)]
    closed = np.concatenate([turned, turned[:1]])
    kept = np.zeros(len(closed), dtype=np.bool_)
    for first, last in pairwise(ends):
        _keep(closed, first, last, tolerance, kept)
    fewer = turned[kept[:-1]]
    return loop if len(fewer) < 3 or crosses_itself(fewer) else fewer


def _keep(points: Loop, first: int, last: int, tolerance: float, kept: NDArray[np.bool_]) -> None:
    """Mark the points between two kept ones that have to stay, and these two."""
    kept[[first, last]] = True
    ahead = [(first, last)]
    while ahead:
        start, end = ahead.pop()
        if end - start < 2:
            continue
        distances = _distances(points[start + 1 : end], points[start], points[end])
        furthest = int(distances.argmax())
        if distances[furthest] > tolerance:
            middle = start + 1 + furthest
            kept[middle] = True
            ahead += [(start, middle), (middle, end)]


def _distances(points: Loop, start: Loop, end: Loop) -> NDArray[np.float64]:
    """Distance of each point from the segment between two."""
    along = end - start
    length = float(along @ along)
    share = np.clip((points - start) @ along / length, 0, 1) if length else np.zeros(len(points))
    distances: NDArray[np.float64] = np.linalg.norm(points - (start + share[:, None] * along), axis=1)
    return distances
