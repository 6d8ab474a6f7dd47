"""Keyholes: the holes of a part joined to its outer loop by channels of width zero.

Most readers, planning systems among them, fill nested loops; a single polygon with channels survives all of them.
A channel leaves a hole at its topmost, among these its rightmost, vertex and runs horizontally to the right,
between two pixel rows, so it meets no pixel centre. While both rows are inside the part, it meets no loop either. In
the first cell where they are not, it ends at a vertex of that cell, with a bend at the last whole column before it, so
that it also stays inside the part for readers that round points to pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.int64]


@dataclass(frozen=True)
class _Channel:
    """The way out of one hole: from ``start``, a vertex of the hole, over ``bends`` to ``end``, a vertex of another ring."""

    start: tuple[int, int]
    bends: list[tuple[int, int]]
    end: tuple[int, int]


def join_holes(rings: list[Ring], mask: NDArray[np.bool_], grid: int) -> tuple[Ring, NDArray[np.bool_]]:
    """One ring from an outer ring and its holes.

    rings  outer ring first, then the holes: (row, column) in whole numbers of 1/``grid`` pixel of ``mask``
    mask   boolean (rows, columns) that the rings were traced on; the part does not touch its border

    Returns the ring, and for each of its vertices whether a channel passes it (then it is not to be dropped).
    """
    rings = [rings[0], *(_from_the_top(hole) for hole in rings[1:])]
    channels = [_way_out(hole, mask, grid) for hole in rings[1:]]
    joined = _walk(rings, channels)
    passed = np.array([point for c in channels for point in (c.start, *c.bends, c.end)])
    width = mask.shape[1] * grid
    return joined, np.isin(joined @ (width, 1), passed @ (width, 1))


def _from_the_top(hole: Ring) -> Ring:
    """The ring turned so that it begins at the topmost, among these the rightmost, vertex."""
    return np.roll(hole, -int(np.lexsort((-hole[:, 1], hole[:, 0]))[0]), axis=0)


def _way_out(hole: Ring, mask: NDArray[np.bool_], grid: int) -> _Channel:
    """The channel from the hole's first vertex; ``last`` is the last column up to which both rows are all part."""
    row, column = int(hole[0, 0]), int(hole[0, 1]) // grid
    above = row // grid
    last = column + int(np.argmin(mask[above, column + 1 :] & mask[above + 1, column + 1 :]))
    if mask[above, last + 1]:
        return _Channel((row, column * grid), [], (row, (last + 1) * grid))
    return _Channel((row, column * grid), [(row, last * grid)], (above * grid, last * grid + row - above * grid))


def _walk(rings: list[Ring], channels: list[_Channel]) -> Ring:
    """The closed walk around the outer ring that turns off into each hole and comes back the same way."""
    guests = _guests(rings, np.array([channel.end for channel in channels]))
    pieces: list[Ring] = []
    ahead: list[Ring | int] = [0]
    while ahead:
        step = ahead.pop()
        if isinstance(step, int):
            bends = channels[step - 1].bends if step else []
            ahead.extend(reversed(_round_trip(rings[step], bends, guests[step], is_hole=step > 0)))
        else:
            pieces.append(step)
    return np.concatenate(pieces)


def _guests(rings: list[Ring], ends: Ring) -> list[dict[int, int]]:
    """For each ring the hole whose channel ends at a vertex of it, by vertex.

    Every vertex of marching squares belongs to one ring only, and at most one channel ends there.
    """
    width = max(int(ring.max()) for ring in rings) + 1
    keys = np.concatenate([ring @ (width, 1) for ring in rings])
    order = np.argsort(keys)
    found = order[np.searchsorted(keys, ends @ (width, 1), sorter=order)]
    starts = np.cumsum([0] + [len(ring) for ring in rings])
    guests: list[dict[int, int]] = [{} for _ in rings]
    for hole, vertex in enumerate(found, start=1):
        ring = int(np.searchsorted(starts, vertex, side="right")) - 1
        guests[ring][int(vertex - starts[ring])] = hole
    return guests


def _round_trip(ring: Ring, bends: list[tuple[int, int]], guests: dict[int, int], *, is_hole: bool) -> list[Ring | int]:
    """The steps of the walk around one ring: points, and whole numbers for the holes to turn off into.

    A hole is entered by its channel and left the same way, so its first vertex is passed twice; a guest there is seen on
    the first pass (contourpy turns holes so that they are left to the lower left; thus the walk does not cross itself).
    """
    if is_hole:
        ring = np.concatenate([ring, ring[:1]])
    channel = np.array(bends, dtype=np.int64).reshape(-1, 2)
    steps: list[Ring | int] = [channel[::-1]]
    done = 0
    for vertex, hole in sorted(guests.items()):
        steps += [ring[done : vertex + 1], hole]
        done = vertex
    return [*steps, ring[done:], channel]
