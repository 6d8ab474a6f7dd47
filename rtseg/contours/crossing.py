"""Whether a loop crosses itself; a channel passed forth and back does not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtseg.contours.trace import Loop

PAIRS = 2_000_000
"""So many pairs of edges are looked at together: 100 MB."""

Edges = NDArray[np.float64]


def crosses_itself(loop: Loop) -> bool:
    """Whether two edges of a closed loop (n, 2) meet in a point that is inside both of them, or run along each other in part.

    Touching in a vertex is no crossing, nor is an edge that is passed twice (a channel). Edges are sorted along one axis, and
    only those are compared that overlap in it: near n log n for contours, n^2 at worst.
    """
    starts, ends = loop, np.roll(loop, -1, axis=0)
    axis = int(np.ptp(loop, axis=0).argmax())
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    order = np.argsort(low[:, axis], kind="stable")
    starts, ends, low, high = starts[order], ends[order], low[order], high[order]
    upto = np.searchsorted(low[:, axis], high[:, axis], side="right")
    for one, other in _pairs(upto):
        beside = 1 - axis
        near = (low[one, beside] <= high[other, beside]) & (low[other, beside] <= high[one, beside])
        edge, crossed = one[near], other[near]
        if _cross(starts[edge], ends[edge], starts[crossed], ends[crossed]).any():
            return True
    return False


def _pairs(upto: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Each edge with those after it up to ``upto`` (not included), a limited number at a time."""
    counts = np.maximum(upto - np.arange(len(upto)) - 1, 0)
    first = 0
    while first < len(upto):
        total = np.cumsum(counts[first:])
        last = first + max(1, int(np.searchsorted(total, PAIRS, side="right")))
        some = counts[first:last]
        one = np.repeat(np.arange(first, last), some)
        within = np.arange(len(one)) - np.repeat(np.cumsum(some) - some, some)
        yield one, one + 1 + within
        first = last


def _cross(a: Edges, b: Edges, c: Edges, d: Edges) -> NDArray[np.bool_]:
    """Whether edge a-b and edge c-d, row by row, share a point that is not an end of one where they merely touch."""
    side_c, side_d = _side(a, b, c), _side(a, b, d)
    side_a, side_b = _side(c, d, a), _side(c, d, b)
    properly = (side_c * side_d < 0) & (side_a * side_b < 0)
    same = ((a == c).all(1) & (b == d).all(1)) | ((a == d).all(1) & (b == c).all(1))
    crossing: NDArray[np.bool_] = properly | ((side_c == 0) & (side_d == 0) & ~same & _overlap(a, b, c, d))
    return crossing


def _side(a: Edges, b: Edges, point: Edges) -> NDArray[np.float64]:
    """On which side of the line a-b a point lies: the sign; 0 on it."""
    along, to = b - a, point - a
    side: NDArray[np.float64] = np.sign(along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0])
    return side


def _overlap(a: Edges, b: Edges, c: Edges, d: Edges) -> NDArray[np.bool_]:
    """Whether two edges of one line share more than a point."""
    along = b - a
    length = (along**2).sum(1)
    t, u = ((c - a) * along).sum(1), ((d - a) * along).sum(1)
    shared = np.minimum(np.maximum(t, u), length) - np.maximum(np.minimum(t, u), 0)
    overlap: NDArray[np.bool_] = shared > 0
    return overlap
