"""Smooth, invertible deformations of the anatomy: organs filled or emptied by growing them, neighbours pushed, bone at rest."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtseg.simulate.anatomy import BONES, CORTEX, Anatomy, Label

Field = NDArray[np.float32]
"""(3, slices, rows, columns) mm: where what lies at a point comes from, relative to it."""

STEP_MM = 4.0
"""Of the grid that deformations live on."""

FLOW_MM = 2.0
"""Farthest that a point moves in one step of a flow. Over the 10 mm in which it falls to nothing beside bone its gradient is 0.2:
each step is invertible, and so is the whole."""

HELD_MM = 10.0
"""From here to the bone's surface the flow falls to nothing."""

REACH_MM = 25.0
"""Over which a neighbour's push falls to 1/e."""

ROUGHNESS, ROUGH_MM = 0.3, 14.0
"""How much and over which distance growth varies from place to place."""

SWAY_MM, SWAY_EVERY = 30.0, 4
"""Width of a sway, and on every so manieth voxel it is drawn."""

MOST_STEPS = 40

NEAR = 0.02
"""A volume that is so near to what is asked for stays."""


@cache
def at_rest(anatomy: Anatomy, *labels: int) -> Field:
    """Signed distance of all that has one of these labels, on the grid of deformations."""
    every = round(STEP_MM / anatomy.step)
    return signed_distance(np.isin(anatomy.labels[::every, ::every, ::every] % CORTEX, labels))


def signed_distance(mask: NDArray[np.bool_]) -> Field:
    """Millimetres to the mask's surface, negative inside, on the grid of deformations."""
    out = ndimage.distance_transform_edt(~mask, sampling=STEP_MM)
    within = ndimage.distance_transform_edt(mask, sampling=STEP_MM)
    result: Field = (out - within - np.where(mask, -STEP_MM / 2, STEP_MM / 2)).astype(np.float32)
    return result


def still(anatomy: Anatomy) -> Field:
    """Nothing moves."""
    return np.zeros((3, *at_rest(anatomy, *BONES).shape), np.float32)


def moved(image: Field, field: Field) -> Field:
    """``image`` (slices, rows, columns) as it looks after the deformation."""
    places = np.indices(image.shape, dtype=np.float32) + field / STEP_MM
    result: Field = ndimage.map_coordinates(image, places, order=1, mode="nearest")
    return result


def after(field: Field, step: Field) -> Field:
    """The deformation that takes ``field`` first and then a small ``step``: a point comes from where its origin came from."""
    return step + np.stack([moved(axis, step) for axis in field])


def volume_ml(distance: Field) -> float:
    """Of what a signed distance bounds: voxels on the surface count in part."""
    return float(np.clip(0.5 - distance / STEP_MM, 0, 1).sum() * STEP_MM**3 / 1000)


def grown(
    anatomy: Anatomy, field: Field, label: Label, target_ml: float, rng: np.random.Generator, *, upward: float = 0.0
) -> Field:
    """``field`` followed by the growth or shrinking of one organ to a volume (ml). upward: how much more it grows to the head
    than to the feet, 0 to 1. Bone never moves; what lies around gives way. Raises ValueError if the volume cannot be reached.
    """
    organ, bone = at_rest(anatomy, label), at_rest(anatomy, *BONES)
    box = _box(moved(organ, field), target_ml)
    whole, field, bone = field, field[:, *box], bone[box]  # bone is at rest: its distances stay
    rough = _noise(field.shape[1:], rng)
    places = np.indices(field.shape[1:], dtype=np.float32) + np.array([s.start for s in box], np.float32)[:, None, None, None]

    def seen() -> Field:
        result: Field = ndimage.map_coordinates(organ, places + field / STEP_MM, order=1, mode="nearest")
        return result

    distance = seen()
    here = volume_ml(distance)
    if abs(here - target_ml) < NEAR * target_ml:
        return whole
    sign = np.sign(target_ml - here)
    for _ in range(MOST_STEPS):
        flow = sign * FLOW_MM * _outward(distance, bone, rough, upward)
        before, field = field, _after(field, -flow)
        distance, last = seen(), here
        here = volume_ml(distance)
        if sign * (here - target_ml) >= 0:
            part = (target_ml - last) / (here - last)
            field = _after(before, -flow * np.float32(part))
            result = whole.copy()
            result[:, *box] = field
            return result
        if sign * (here - last) <= 0:
            break
    raise ValueError(f"{label.name} cannot be brought to {target_ml:.0f} ml: {here:.0f} ml is as far as it goes")


def _after(field: Field, step: Field) -> Field:
    return after(field, step.astype(np.float32))


def _outward(distance: Field, bone: Field, rough: Field, upward: float) -> Field:
    """Unit flow away from an organ: whole at its surface, less within and beyond, none in bone."""
    smooth = ndimage.gaussian_filter(distance, 1.0)
    away = np.stack(np.gradient(smooth))
    away /= np.maximum(np.sqrt((away**2).sum(axis=0)), 1e-3)
    deepest = max(-float(distance.min()), STEP_MM)
    strength = np.where(distance > 0, np.exp(-np.maximum(distance, 0) / REACH_MM), np.clip(1 + distance / deepest, 0, 1))
    strength = strength * np.clip(bone / HELD_MM, 0, 1) * (1 + ROUGHNESS * rough) * (1 + upward * away[0]) / (1 + upward)
    edge = np.ones(distance.shape, np.float32)  # nothing moves where the box ends
    for axis, n in enumerate(distance.shape):
        ramp = np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) / 4.0, 0, 1)
        edge = edge * ramp.reshape([-1 if a == axis else 1 for a in range(3)]).astype(np.float32)
    flow: Field = (away * strength * edge / (1 + ROUGHNESS)).astype(np.float32)
    return flow


def _box(distance: Field, target_ml: float) -> tuple[slice, slice, slice]:
    """Where the organ may grow, with room for what it pushes."""
    room = round((2 * REACH_MM + 10 * target_ml ** (1 / 3) * 0.4) / STEP_MM)
    inside = ndimage.find_objects((distance < 0).astype(np.int8))[0]
    return tuple(slice(max(s.start - room, 0), min(s.stop + room, n)) for s, n in zip(inside, distance.shape, strict=True))  # type: ignore[return-value]


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """Smooth, from -1 to 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), ROUGH_MM / STEP_MM)
    result: Field = noise / max(float(np.abs(noise).max()), 1e-6)
    return result


def swayed(anatomy: Anatomy, field: Field, amplitude_mm: float, rng: np.random.Generator) -> Field:
    """``field`` followed by a random smooth sway of all soft tissue, several cm wide; bone is at rest."""
    shape, bone = field.shape[1:], at_rest(anatomy, *BONES)
    coarse = tuple(-(-n // SWAY_EVERY) + 1 for n in shape)
    places = np.indices(shape, dtype=np.float32) / SWAY_EVERY
    sway = np.stack(
        [
            ndimage.map_coordinates(
                ndimage.gaussian_filter(rng.standard_normal(coarse), SWAY_MM / STEP_MM / SWAY_EVERY), places, order=1
            )
            for _ in range(3)
        ]
    )
    steps = max(1, round(amplitude_mm / FLOW_MM))
    sway *= amplitude_mm / steps / max(float(np.abs(sway).max()), 1e-6)
    for _ in range(steps):
        field = _after(field, sway * np.clip(bone / HELD_MM, 0, 1))
    return field


def jacobian(field: Field) -> Field:
    """Determinant of the deformation's derivative: above 0 everywhere, or it folds."""
    gradient = np.stack([np.stack(np.gradient(axis, STEP_MM)) for axis in field])  # (component, axis, ...)
    gradient += np.eye(3, dtype=np.float32)[:, :, None, None, None]
    result: Field = np.linalg.det(np.moveaxis(gradient, (0, 1), (-2, -1))).astype(np.float32)
    return result
