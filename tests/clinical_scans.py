"""Clinical scans made of a blanked one: finer pixels, couch, head-rest and immobilisation mask, slices of other regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtseg.core import AXIAL, Geometry, Volume
from rtseg.imaging import resample

AIR_HU = -1000

Plane = NDArray[np.bool_]


def finer(ct: Volume, times: int) -> Volume:
    """The same axial box with so many times more rows and columns, interpolated."""
    old = ct.geometry
    pixel = np.array(old.pixel_spacing) / times
    origin = old.origin - (pixel * (times - 1) / 2) @ old.direction[1:]
    shape = (old.shape[0], old.shape[1] * times, old.shape[2] * times)
    grid = Geometry(shape, (float(pixel[0]), float(pixel[1])), old.positions, origin, old.direction)
    return _rounded(resample(ct, grid, AIR_HU).array, grid)


def with_room(ct: Volume, width_mm: float = 520.0, below_mm: float = 110.0, above_mm: float = 30.0) -> Volume:
    """The same axial pixels with air around them, room for a couch of half a metre below."""
    old = ct.geometry
    above, below = (int(room / old.pixel_spacing[0]) for room in (above_mm, below_mm))
    side = max(0, int((width_mm / old.pixel_spacing[1] - old.shape[2]) / 2))
    array = np.pad(ct.array, ((0, 0), (above, below), (side, side)), constant_values=AIR_HU)
    origin = old.origin - np.array([above, side]) * old.pixel_spacing @ old.direction[1:]
    a, b, c = array.shape
    return Volume(array, Geometry((a, b, c), old.pixel_spacing, old.positions, origin, old.direction))


def on_couch(ct: Volume, head_rest: bool) -> Volume:
    """A couch of 50 mm, foam between 2 mm of carbon fibre, 1 mm into the lowest skin; a head-rest of foam in a soft skin of 2 mm
    that fills the room between couch and patient.
    """
    body, y, x = _skin(ct), *_places(ct)
    array, noise = ct.array.astype(np.float64), np.random.default_rng(0)
    top, middle = y[body.any(axis=(0, 2))].max() - 1.0, x[:, body.any(axis=(0, 1))].mean()
    couch = _plate(y, x - middle, top, 50.0, 460.0)
    foam = _plate(y, x - middle, top + 2, 46.0, 456.0)
    for plane, inside in zip(array, body, strict=True):
        _paste(plane, couch & ~inside, np.where(foam, noise.normal(-930, 12, plane.shape), noise.normal(80, 20, plane.shape)))
        if head_rest and inside.any():
            away = _away(inside, ct.geometry)
            rest = (np.abs(x - middle) < 95) & (y < top) & (y > _down(inside, y, 0.7)) & (away < 60) & (away > 0)
            rest &= (np.cumsum(inside, axis=0) > 0) | (y > _down(inside, y, 0.85))
            core = rest & (away > 2) & (_away(~rest & ~inside, ct.geometry) > 2)
            _paste(plane, rest, np.where(core, noise.normal(-940, 10, plane.shape), noise.normal(-100, 30, plane.shape)))
    return _rounded(array, ct.geometry)


def in_mask(ct: Volume, widest_gap_mm: float) -> Volume:
    """A thermoplastic shell of 2.5 mm over the front of each slice, on the skin here and up to a gap from it there, with flanges
    of 40 mm at the sides.
    """
    body, y, x = _skin(ct), *_places(ct)
    array, noise = ct.array.astype(np.float64), np.random.default_rng(1)
    for plane, inside, z in zip(array, body, ct.geometry.positions, strict=True):
        if not inside.any():
            continue
        level, middle = _down(inside, y, 0.62), x[:, inside.any(axis=0)].mean()
        turn = np.arctan2(y - _down(inside, y, 0.5), x - middle)
        gap = widest_gap_mm * (0.5 + 0.5 * np.sin(3 * turn + z / 25) * np.cos(2 * turn - z / 36))
        away = _away(inside, ct.geometry)
        shell = (away > gap) & (away <= gap + 2.5) & (y < level)
        across = x[:, inside[int(np.abs(y - level).argmin())]]
        if across.size:
            beside = ((x < across.min()) & (x > across.min() - 40)) | ((x > across.max()) & (x < across.max() + 40))
            shell |= beside & (np.abs(y - level) < 1.5)
        _paste(plane, shell & ~inside, noise.normal(60, 20, plane.shape))
    return _rounded(array, ct.geometry)


def with_slices(ct: Volume, added: NDArray[np.int16], below: bool) -> Volume:
    """An axial scan with slices appended at its lower or its upper end."""
    grid = ct.geometry
    array = np.concatenate([added, ct.array] if below else [ct.array, added])
    first = grid.points([[-len(added) if below else 0, 0, 0]])[0]
    a, b, c = array.shape
    return Volume(array, Geometry.regular((a, b, c), (grid.slice_spacing, *grid.pixel_spacing), first, grid.direction))


def region(other: Volume, ct: Volume, length_mm: float) -> NDArray[np.int16]:
    """Slices of another scan on the pixels of an axial one, body amidst body, repeated back and forth to a length."""
    grid, mm = ct.geometry, ct.geometry.slice_spacing
    corners = other.geometry.corners()
    here, there = (v.geometry.points(np.argwhere(v.array > -300).mean(axis=0)[None])[0] for v in (ct, other))
    origin = np.array([*(grid.origin - here + there)[:2], corners[:, 2].min() + mm / 2])
    slices = int(np.ptp(corners[:, 2]) / mm)
    onto = Geometry.regular((slices, *grid.shape[1:]), (mm, *grid.pixel_spacing), origin, AXIAL)
    array = np.rint(resample(other, onto, AIR_HU).array).astype(np.int16)
    wanted = round(length_mm / mm)
    return np.pad(array, ((0, max(0, wanted - slices)), (0, 0), (0, 0)), mode="reflect")[:wanted]


def _skin(ct: Volume) -> NDArray[np.bool_]:
    """The largest piece of tissue, filled slice by slice."""
    labels, _ = ndimage.label(ct.array > -300)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in labels == 1 + np.bincount(labels.ravel())[1:].argmax()])


def _places(ct: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(rows, 1) and (1, columns) mm from the first row and column."""
    return ct.geometry.axis_coordinates(1)[:, None], ct.geometry.axis_coordinates(2)[None]


def _down(inside: Plane, y: NDArray[np.float64], share: float) -> float:
    """The place at this share of the way from a slice's front to its back."""
    rows = y[inside.any(axis=1)]
    return float(rows.min() + share * (rows.max() - rows.min()))


def _away(inside: Plane, grid: Geometry) -> NDArray[np.float64]:
    """mm to the nearest set pixel."""
    return np.asarray(ndimage.distance_transform_edt(~inside, sampling=grid.pixel_spacing))


def _plate(y: NDArray[np.float64], x: NDArray[np.float64], top: float, thick: float, wide: float) -> Plane:
    return (y >= top) & (y < top + thick) & (np.abs(x) < wide / 2)


def _paste(plane: NDArray[np.float64], where: Plane, hu: NDArray[np.float64]) -> None:
    """Two things in one place show the denser."""
    plane[where] = np.maximum(plane[where], hu[where])


def _rounded(array: NDArray[np.floating], grid: Geometry) -> Volume:
    return Volume(np.clip(np.rint(array), AIR_HU, 3000).astype(np.int16), grid)
