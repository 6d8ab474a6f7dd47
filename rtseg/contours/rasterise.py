"""From loops to the mask of a slice: even-odd at pixel centres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def rasterise(loops: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centre lies inside an odd number of loops: boolean (rows, columns) of ``shape``.

    loops  closed polygons, float64 (n, 2) points (row, column) in pixels; centres at whole numbers; all on one plane

    So nested loops leave holes and a channel passed forth and back leaves nothing. Half open: a centre on an edge belongs
    to the side of greater row or column, so two polygons that share an edge never share a pixel, nor leave one out.
    What lies outside ``shape`` is cut off; no loop gives an empty mask. The work is linear in the contours' length and
    in the box around them.
    """
    mask = np.zeros(shape, dtype=np.bool_)
    if not loops:
        return mask
    rows, columns = _crossings(np.concatenate(loops), np.concatenate([np.roll(loop, -1, axis=0) for loop in loops]), shape)
    if rows.size == 0:
        return mask
    top, left = int(rows.min()), int(columns.min())
    height, width = int(rows.max()) + 1 - top, int(columns.max()) + 1 - left
    count = np.bincount((rows - top) * width + columns - left, minlength=height * width).reshape(height, width)
    inside = np.logical_xor.accumulate((count & 1).astype(np.bool_), axis=1)
    mask[top : top + height, left : left + width] = inside[:, : shape[1] - left]
    return mask


def _crossings(
    starts: NDArray[np.float64], ends: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, columns) where an edge crosses a row of centres: the first column whose centre is not left of the crossing.

    An edge crosses the rows from its upper end up to, not including, its lower end. It is always taken downwards, so
    that an edge passed forth and back gives the same crossing to the last bit. Crossings right of the image stand in
    column ``shape[1]``.
    """
    down = (starts[:, 0] <= ends[:, 0])[:, None]
    upper, lower = np.where(down, starts, ends), np.where(down, ends, starts)
    first = np.clip(np.ceil(upper[:, 0]), 0, shape[0]).astype(np.int64)
    after = np.clip(np.ceil(lower[:, 0]), 0, shape[0]).astype(np.int64)
    counts = after - first
    edge = np.repeat(np.arange(len(first)), counts)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    upper, lower = upper[edge], lower[edge]
    slope = (lower[:, 1] - upper[:, 1]) / (lower[:, 0] - upper[:, 0])
    crossing = upper[:, 1] + (rows - upper[:, 0]) * slope
    return rows, np.clip(np.ceil(crossing), 0, shape[1]).astype(np.int64)
