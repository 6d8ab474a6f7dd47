"""The surface of a mask as small pieces (surfels), one in every 2x2x2 neighbourhood that the surface crosses.

The model of Nikolov et al. (2021, J Med Internet Res 23:e26151): a surfel sits at the corner where eight voxels meet; its
area is that of the marching-cubes surface between the eight voxel centres. The areas are derived here from the geometry of
the cube, for any voxel size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, Mask, bounding_box

Point = tuple[int, int, int]
Triangle = tuple[Point, Point, Point]

CORNERS: tuple[Point, ...] = tuple((a, b, c) for a, b, c in product((0, 1), repeat=3))
"""The eight voxels of a neighbourhood as (slice, row, column); voxel ``k`` sets bit ``k`` of its code."""

RING = ((0, 0), (1, 0), (1, 1), (0, 1))
"""A face's corners in order, on the two axes that follow the face's own."""


@dataclass(frozen=True, eq=False)
class Surfels:
    """A surface in pieces.

    places_mm   (n, 3) where each lies along the grid's own axes, mm: distances are those of patient space
    areas_mm2   (n,) area of each, mm2
    """

    places_mm: NDArray[np.float64]
    areas_mm2: NDArray[np.float64]


def surfels(mask: Mask) -> Surfels:
    """The surface of a mask; none for an empty one. Beyond the edge of the grid there is nothing, so the surface closes there.

    Between unevenly spaced slices a surfel lies half-way between its two slices and has the area that their gap gives;
    beyond the outermost slice the neighbouring gap goes on; a single slice is 1 mm thick.
    """
    box = bounding_box(mask.array)
    if box is None:
        return Surfels(np.zeros((0, 3)), np.zeros(0))
    codes = _codes(mask.array[box])
    i, j, k = np.nonzero((codes != 0) & (codes != 255))
    corner = np.stack([i + box[0].start, j + box[1].start, k + box[2].start], axis=-1) - 0.5  # voxel indices
    gaps, which = np.unique(_gaps_mm(mask.geometry)[i + box[0].start], return_inverse=True)
    rows_mm, columns_mm = mask.geometry.pixel_spacing
    areas = np.stack([surfel_areas_mm2((float(gap), rows_mm, columns_mm)) for gap in gaps])
    return Surfels(_places_mm(mask.geometry, corner), areas[which, codes[i, j, k]])


def border_voxels(mask: Mask) -> Surfels:
    """The voxels of a mask that have a face to the outside (the mask less its 6-connected erosion), each with the weight 1.

    Beyond the edge of the grid there is nothing. None for an empty mask.
    """
    from scipy.ndimage import binary_erosion

    box = bounding_box(mask.array)
    if box is None:
        return Surfels(np.zeros((0, 3)), np.zeros(0))
    crop = mask.array[box]
    border = np.argwhere(crop & ~binary_erosion(crop, border_value=0)) + [side.start for side in box]
    return Surfels(_places_mm(mask.geometry, border.astype(np.float64)), np.ones(len(border)))


def surfel_areas_mm2(spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """(256,) area of the surface in a neighbourhood by its code, mm2, for voxels of this size (slices, rows, columns)."""
    a, b, c = spacing_mm
    areas: NDArray[np.float64] = np.linalg.norm(_normals() * (b * c, a * c, a * b), axis=-1).sum(axis=-1)
    return areas


def _codes(array: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Code of each neighbourhood of a mask with one voxel of nothing around it: (a, b, c) -> (a + 1, b + 1, c + 1)."""
    padded = np.pad(array, 1).view(np.uint8)
    a, b, c = (n + 1 for n in array.shape)
    codes = np.zeros((a, b, c), dtype=np.uint8)
    for bit, (i, j, k) in enumerate(CORNERS):
        codes |= padded[i : i + a, j : j + b, k : k + c] << bit
    return codes


def _gaps_mm(geometry: Geometry) -> NDArray[np.float64]:
    """(slices + 1,) distance between the slices on both sides of each border, mm; rounded to drop the noise of subtraction."""
    gaps = np.diff(geometry.positions) if geometry.shape[0] > 1 else np.ones(1)
    return np.concatenate([gaps[:1], gaps, gaps[-1:]])[: geometry.shape[0] + 1].round(9)


def _places_mm(geometry: Geometry, index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fractional indices (n, 3) as mm along the grid's axes (turned, not scaled, from patient space)."""
    return (geometry.points(index) - geometry.origin) @ geometry.direction.T


@cache
def _normals() -> NDArray[np.float64]:
    """(256, triangles, 3) area vectors of the triangles in a unit cube by code, filled up with zeros."""
    lists = [
        [_area_vector(triangle) for polygon in _polygons(code) for triangle in _triangulated(polygon)] for code in range(256)
    ]
    table = np.zeros((256, max(map(len, lists)), 3))
    for code, vectors in enumerate(lists):
        table[code, : len(vectors)] = np.reshape(vectors, (-1, 3))
    table.setflags(write=False)
    return table


def _polygons(code: int) -> Iterator[list[Point]]:
    """Closed polygons that part the voxels set from the others, as twice the coordinates of their points.

    The points are the middles of the cube's edges that join the two sides. The smaller side's voxels are kept apart where
    a face could join either pair; so a code and its complement have the same surface.
    """
    if code.bit_count() > 4:
        code = 255 - code
    inside = {corner for bit, corner in enumerate(CORNERS) if code >> bit & 1}
    following: dict[Point, Point] = {}
    for face in _faces():
        for first in (n for n in range(4) if face[n] in inside and face[n - 1] not in inside):
            last = next(n for n in range(first, first + 4) if face[(n + 1) % 4] not in inside)
            following[_sum(face[first - 1], face[first])] = _sum(face[last % 4], face[(last + 1) % 4])
    while following:
        start, point = following.popitem()
        polygon = [start]
        while point != start:
            polygon.append(point)
            point = following.pop(point)
        yield polygon


def _faces() -> Iterator[list[Point]]:
    """The cube's six faces, each as four corners that turn the same way seen from outside."""
    for axis, side in product(range(3), (0, 1)):
        ring = RING if side else RING[::-1]
        for_axes = [{axis: side, (axis + 1) % 3: b, (axis + 2) % 3: c} for b, c in ring]
        yield [(at[0], at[1], at[2]) for at in for_axes]


def _triangulated(polygon: list[Point]) -> list[Triangle]:
    """The polygon in triangles: of all ways the one with the largest area in a unit cube, of equals with the largest triangle."""

    def rank(triangles: list[Triangle]) -> tuple[float, float]:
        areas = [float(np.hypot(np.hypot(x, y), z)) for x, y, z in map(_area_vector, triangles)]
        return round(sum(areas), 9), round(max(areas), 9)

    return max(_triangulations(polygon), key=rank)


def _triangulations(polygon: list[Point]) -> Iterator[list[Triangle]]:
    """Every way to cut a polygon into triangles between its own points."""
    if len(polygon) < 3:
        yield []
    for n in range(1, len(polygon) - 1):
        for left, right in product(_triangulations(polygon[: n + 1]), _triangulations(polygon[n:])):
            yield [(polygon[0], polygon[n], polygon[-1]), *left, *right]


def _area_vector(triangle: Triangle) -> tuple[float, float, float]:
    """Normal of a triangle given in half units, as long as its area."""
    p, q, r = triangle
    u0, u1, u2 = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    v0, v1, v2 = r[0] - p[0], r[1] - p[1], r[2] - p[2]
    return (u1 * v2 - u2 * v1) / 8, (u2 * v0 - u0 * v2) / 8, (u0 * v1 - u1 * v0) / 8


def _sum(p: Point, q: Point) -> Point:
    return p[0] + q[0], p[1] + q[1], p[2] + q[2]
