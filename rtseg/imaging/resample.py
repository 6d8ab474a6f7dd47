"""Images from one grid onto another: finer grids are interpolated, coarser ones averaged, never picked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Geometry, Volume

ALIGNED = 1e-4
"""Two grids count as parallel if no direction cosine differs more from 0 or 1 (as for ImageOrientationPatient)."""

EDGE_MM = 1e-6
"""A sample this close beyond the outer face still counts as inside: rounding, not anatomy."""

SLAB_BYTES = 32 * 2**20
"""How much of the image is float32 at a time, bytes: a whole-body CT of 1,500 slices would be 1.6 GB."""

Array = NDArray[np.float32]
Weights = NDArray[np.float64]


def resample(image: Volume, onto: Geometry, outside: float, within: tuple[float, float] | None = None) -> Volume:
    """``image`` (any unit) on the grid ``onto``, float32; ``outside`` where ``onto`` leaves the image.

    within  lowest and highest value: what lies beyond is cut before it is averaged, so that it does not reach its neighbours

    Along each axis the image is taken as linear between its samples and averaged over the width that a target
    voxel has beyond a source voxel, sqrt(target^2 - source^2): nothing is lost between samples on a coarser
    grid, a finer grid is interpolated, the same grid gives the same values. Oblique grids are first averaged
    along their own axes, then interpolated.
    """
    axes = _parallel_axes(image.geometry, onto)
    if axes is None:
        coarse = resample(image, _coarsened(image.geometry, onto), outside, within)
        return Volume(_interpolate(coarse, onto, outside), onto)
    array = image.array.transpose(axes)
    inside = []
    for axis in _cheapest_first(array.shape, onto.shape):
        samples, places = _along(image.geometry, axes[axis], onto, axis)
        weights, hit = _weights(samples, _widths(image.geometry, axes[axis]), places, _widths(onto, axis))
        array, within = _apply(weights.astype(np.float32), array, axis, within), None
        inside.append((axis, hit))
    for axis, hit in inside:
        if not hit.all():
            array[tuple(~hit if a == axis else slice(None) for a in range(3))] = outside
    return Volume(np.ascontiguousarray(array), onto)


def reach(source: Geometry, target: Geometry) -> Weights:
    """(3,) how many source voxels further than a target voxel itself, at most, lie the samples its value is made of.

    Interpolation looks one voxel further. On oblique grids it looks as far as the samples of the averaged image, and
    each of these half as far again.
    """
    if _parallel_axes(source, target) is not None:
        return np.ones(3)
    own, widest = (np.array([_widths(grid, axis).max() for axis in range(3)]) for grid in (source, target))
    voxels: Weights = 1 + 2 * np.maximum(1, np.abs(source.direction @ target.direction.T) @ widest / own)
    return voxels


def _parallel_axes(source: Geometry, target: Geometry) -> tuple[int, int, int] | None:
    """For each axis of the target the source axis parallel to it; None if the grids are oblique to each other."""
    cosines = np.abs(target.direction @ source.direction.T)
    axes = cosines.argmax(axis=1)
    if np.abs(cosines - np.eye(3)[axes]).max() > ALIGNED or len(set(axes)) != 3:
        return None
    return int(axes[0]), int(axes[1]), int(axes[2])


def _along(source: Geometry, source_axis: int, target: Geometry, axis: int) -> tuple[Weights, Weights]:
    """Increasing places of the source samples and places of the target voxels, mm along the source axis."""
    unit = source.direction[source_axis]
    start = float((target.origin - source.origin) @ unit)
    sign = float(np.sign(target.direction[axis] @ unit))
    return source.axis_coordinates(source_axis), start + sign * target.axis_coordinates(axis)


def _widths(grid: Geometry, axis: int) -> Weights:
    """(n,) width of each voxel along an axis, mm; a slice beside a gap is no thicker than its nearer neighbour is far."""
    if axis > 0:
        return np.full(grid.shape[axis], grid.pixel_spacing[axis - 1])
    faces = grid.slice_faces
    return 2 * np.minimum(grid.positions - faces[:-1], faces[1:] - grid.positions)


def _weights(samples: Weights, sizes: Weights, places: Weights, widths: Weights) -> tuple[Weights, NDArray[np.bool_]]:
    """(targets, samples) weights of the averaged linear interpolant, rows summing to 1, and which targets are inside.

    samples, sizes: places and voxel widths of the source; places, widths: of the targets; mm.
    """
    own = np.interp(places, samples, sizes)
    window = np.sqrt(np.maximum(widths**2 - own**2, 0))
    window[window < 1e-3 * own] = 0
    averaged = _integral(places + window / 2, samples) - _integral(places - window / 2, samples)
    weights: Weights = np.where(window[:, None] > 0, averaged / np.where(window > 0, window, 1)[:, None], _at(places, samples))
    low, high = samples[0] - sizes[0] / 2, samples[-1] + sizes[-1] / 2
    return weights, (places >= low - EDGE_MM) & (places <= high + EDGE_MM)


def _at(places: Weights, samples: Weights) -> Weights:
    """(places, samples) weights of linear interpolation, constant beyond the ends."""
    index = np.interp(places, samples, np.arange(len(samples), dtype=np.float64))
    weights: Weights = np.maximum(0, 1 - np.abs(index[:, None] - np.arange(len(samples))))
    return weights


def _integral(upto: Weights, samples: Weights) -> Weights:
    """(upto, samples) integrals of each sample's hat function from the first sample to ``upto``."""
    total = np.zeros((len(upto), len(samples)))
    gaps = np.diff(samples)
    part = np.clip((upto[:, None] - samples[:-1]) / gaps, 0, 1)
    total[:, :-1] += gaps * (part - part**2 / 2)
    total[:, 1:] += gaps * part**2 / 2
    total[:, 0] += np.minimum(upto - samples[0], 0)
    total[:, -1] += np.maximum(upto - samples[-1], 0)
    return total


def _apply(weights: Array, array: NDArray[Any], axis: int, within: tuple[float, float] | None) -> Array:
    """Replace an axis of ``array`` by the targets of ``weights`` (targets, samples), slab by slab of another axis."""
    across = 1 if axis == 0 else 0
    slab = max(1, SLAB_BYTES * array.shape[across] // (4 * array.size))
    result: Array = np.empty([len(weights) if a == axis else n for a, n in enumerate(array.shape)], dtype=np.float32)
    for first in range(0, array.shape[across], slab):
        part = (*[slice(None)] * across, slice(first, first + slab))
        result[part] = _times(weights, _floats(array[part], within), axis)
    return result


def _floats(array: NDArray[Any], within: tuple[float, float] | None) -> Array:
    values = array.astype(np.float32)
    return values if within is None else np.clip(values, *within, out=values)


def _times(weights: Array, array: Array, axis: int) -> Array:
    """``weights`` (targets, samples) times ``array`` along an axis."""
    result: Array
    if axis == 2:
        result = array @ weights.T
    elif axis == 1:
        result = np.matmul(weights, array)
    else:
        result = (weights @ array.reshape(array.shape[0], -1)).reshape(weights.shape[0], *array.shape[1:])
    return result


def _cheapest_first(source: tuple[int, ...], target: tuple[int, int, int]) -> list[int]:
    """Axes in the order that shrinks the array soonest."""
    return sorted(range(3), key=lambda axis: target[axis] / source[axis])


def _coarsened(source: Geometry, target: Geometry) -> Geometry:
    """The source's box with the target's resolution along the source's own axes, nowhere finer than the source.

    A target voxel is as wide along an oblique axis as a box of the same second moment: a cube is as wide all round.
    """
    resolution = np.array([float(np.median(_widths(target, axis))) for axis in range(3)])
    wanted = np.sqrt((source.direction @ target.direction.T) ** 2 @ resolution**2)
    faces = [source.slice_faces[[0, -1]]]
    faces += [np.array([-0.5, source.shape[axis] - 0.5]) * source.pixel_spacing[axis - 1] for axis in (1, 2)]
    shape, spacing, first = [], [], []
    for axis in range(3):
        length = float(faces[axis][1] - faces[axis][0])
        step = max(float(wanted[axis]), float(np.median(_widths(source, axis))))
        count = max(1, round(length / step))
        shape.append(count)
        spacing.append(length / count)
        first.append(float(faces[axis][0]) + length / count / 2)
    origin = source.origin + np.array(first) @ source.direction
    return Geometry.regular((shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]), origin, source.direction)


def _interpolate(image: Volume, onto: Geometry, outside: float) -> Array:
    """Linear interpolation at the voxel centres of any grid, slice by slice of the target."""
    from scipy.ndimage import map_coordinates

    rows, columns = np.meshgrid(np.arange(onto.shape[1]), np.arange(onto.shape[2]), indexing="ij")
    result = np.empty(onto.shape, dtype=np.float32)
    last = np.array(image.geometry.shape) - 1
    for k in range(onto.shape[0]):
        centres = np.stack([np.full(rows.shape, k), rows, columns], axis=-1).reshape(-1, 3)
        index = image.geometry.indices(onto.points(centres))
        inside = ((index >= -0.5) & (index <= last + 0.5)).all(axis=1)
        values = map_coordinates(image.array, np.clip(index, 0, last).T, order=1, prefilter=False)
        result[k] = np.where(inside, values, outside).reshape(rows.shape)
    return result
