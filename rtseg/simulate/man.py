"""A man lying in a scan: which tissue each voxel holds, and the exact masks of his organs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtseg.core import Geometry, Structure, StructureSet
from rtseg.simulate.anatomy import CORTEX, Anatomy, Label
from rtseg.simulate.deformation import STEP_MM, Field, grown, still, swayed
from rtseg.simulate.population import Man

ORGANS: dict[str, tuple[Label, ...]] = {
    "Bladder": (Label.BLADDER,),
    "Prostate": (Label.PROSTATE,),
    "SeminalVes": (Label.SEMINAL_VESICLES,),
    "Rectum": (Label.RECTUM,),
    "PenileBulb": (Label.BULB,),
    "Femur_Head_L": (Label.FEMUR_HEAD_L,),
    "Femur_Head_R": (Label.FEMUR_HEAD_R,),
    "Femur_L": (Label.FEMUR_L, Label.FEMUR_HEAD_L),
    "Femur_R": (Label.FEMUR_R, Label.FEMUR_HEAD_R),
    "Bone_Pelvic": (Label.HIP_L, Label.HIP_R),
    "Sacrum": (Label.SACRUM, Label.COCCYX),
    "Bowel_Large": (Label.COLON,),
}
"""TG-263 names of what is told by the map's labels; External and Bowel_Small are added."""

PLAIN = {
    Label.MUSCLE: "muscle",
    Label.LEVATOR: "muscle",
    Label.ANAL_CANAL: "muscle",
    Label.VEIN: "blood",
    Label.ARTERY: "blood",
    Label.NERVE: "nerve",
    Label.CAVERNOSUM: "cavernosum",
    Label.SPONGIOSUM: "cavernosum",
    Label.BULB: "cavernosum",
    Label.TESTIS: "testis",
    Label.DUCT: "bladder_wall",
    Label.SEMINAL_VESICLES: "seminal_vesicles",
    Label.CARTILAGE: "cartilage",
}
"""Labels that are one tissue throughout; the others are told apart in ``_filled``."""

HEADS_AT_REST_MM = 167.0
"""Between the centres of the map's femoral heads, which lie at CENTRE +- half of it."""

CENTRE = np.array([0.0, 5.0, 860.0])

GROIN_Z, CLEFT_Y = 792.0, 62.0
"""Below this height thighs are apart; behind this row the buttocks are."""

BASE_DEPTH_MM = 225.0
"""Antero-posterior width of a man who is as deep as the map, with some fat."""

LEAST_FAT_MM = 6.0
STREAKS = 2.3
"""Of noise of two widths, standard deviation 1.3: one voxel in 26 of muscle is fat between its bundles, of loose fat a vessel."""

PENIS_FAT_MM = 5.0
ROUNDS = 2
"""Filling one organ moves its neighbours, so that each is brought to its volume twice."""


@dataclass(frozen=True, eq=False)
class Lying:
    """tissues: for each voxel of ``geometry`` the number of its tissue among ``names``; couch_mm: the couch's top (y)."""

    man: Man
    geometry: Geometry
    names: tuple[str, ...]
    tissues: NDArray[np.uint8]
    structures: StructureSet
    couch_mm: float


def deformed(man: Man, anatomy: Anatomy) -> Field:
    """The man's own deformation of the map: swayed, each organ brought to its volume."""
    numbers, rng = man.numbers, np.random.default_rng([man.seed, 1])
    field = swayed(anatomy, still(anatomy), numbers["sway_mm"], rng)
    for _ in range(ROUNDS):
        field = grown(anatomy, field, Label.BLADDER, _at_rest_ml(man, "bladder_ml"), rng, upward=0.6)
        field = grown(anatomy, field, Label.RECTUM, _at_rest_ml(man, "rectum_ml"), rng)
        field = grown(anatomy, field, Label.PROSTATE, _at_rest_ml(man, "prostate_ml"), rng, upward=0.2)
        field = grown(anatomy, field, Label.SEMINAL_VESICLES, _at_rest_ml(man, "vesicles_ml"), rng)
    return field


def _at_rest_ml(man: Man, what: str) -> float:
    """Before the whole man is scaled."""
    return float(man.numbers[what] / np.prod(_scale(man)))


def _scale(man: Man) -> NDArray[np.float64]:
    """Of x, y and z against the map: as wide as the hips are, as deep as the body is."""
    wide = man.numbers["heads_apart_mm"] / HEADS_AT_REST_MM
    deep = np.clip(man.numbers["antero_posterior_mm"] / BASE_DEPTH_MM, 0.95 * wide, 1.2 * wide)
    return np.array([wide, deep, man.numbers["height_scale"]])


def lie(man: Man, anatomy: Anatomy, geometry: Geometry, names: tuple[str, ...]) -> Lying:
    """The man on the couch, supine, head first, on an axial grid whose origin is between his femoral heads. names: of tissues."""
    rng = np.random.default_rng([man.seed, 2])
    places, depth, lean, penis = _where(man, anatomy, geometry, deformed(man, anatomy))
    index = _index(anatomy, places)
    labels = np.where(index < 0, np.uint8(0), anatomy.labels.ravel()[index])
    beside = anatomy.beside_muscle.ravel()[index]
    labels[(labels == Label.LOOSE) & (beside <= 4 * man.numbers["muscle_mm"])] = Label.MUSCLE
    heights, rows, columns = (anatomy.origin[2 - axis] + anatomy.step * places[axis] for axis in range(3))
    y = geometry.origin[1] + geometry.pixel_spacing[0] * np.arange(geometry.shape[1])
    couch = float(y[np.flatnonzero((lean < 0).any(axis=(0, 2))).max()] + LEAST_FAT_MM)
    gap = 0.5 + 3.0 * float(rng.uniform()) ** 2
    cleft = (np.abs(columns) < gap + 0.08 * np.maximum(rows - CLEFT_Y, 0)) & (rows > CLEFT_Y) & (heights < 880)
    apart = (np.abs(columns) < gap) & (heights < GROIN_Z) & (penis > PENIS_FAT_MM + 1)
    body = (depth > 0) & (y[:, None] < couch) & ~((cleft | apart) & (labels <= Label.LOOSE))
    tissues = np.full(geometry.shape, names.index("air"), np.uint8)
    tissues[body] = names.index("fat")
    tissues[body & (depth < 2.0)] = names.index("skin")
    inside = np.where(body, labels, 0)
    _filled(tissues, inside, man, names, geometry, rng)
    structures = {"External": body, **{name: np.isin(inside % CORTEX, of) for name, of in ORGANS.items()}}
    small = (inside == Label.CAVITY) & (tissues != names.index("fat"))
    structures["Bowel_Small"] = small
    found = {name: Structure.from_full(mask) for name, mask in structures.items() if mask.any()}
    return Lying(man, geometry, names, tissues, StructureSet(geometry, found), couch)


def _where(man: Man, anatomy: Anatomy, geometry: Geometry, field: Field) -> tuple[Field, Field, Field, Field]:
    """For each voxel its place in the map (slices, rows, columns); in mm its depth under the skin and its distances from the lean
    body and from the penis. Made on every second voxel.
    """
    size = [n // 2 + 1 for n in geometry.shape]
    step = (geometry.slice_spacing, *geometry.pixel_spacing)
    z, y, x = np.meshgrid(*(2 * step[a] * np.arange(size[a]) for a in range(3)), indexing="ij")
    points = np.stack([x, y, z], axis=-1) + geometry.origin - _offset(man)
    scale = _scale(man)
    at_rest = (points @ _turned(man)) / scale + CENTRE
    coarse = np.moveaxis((at_rest - anatomy.origin)[..., ::-1] / STEP_MM, -1, 0).astype(np.float32)
    moves = np.stack([ndimage.map_coordinates(axis, coarse, order=1, mode="nearest") for axis in field])
    there = coarse + moves / STEP_MM
    lean, penis = (ndimage.map_coordinates(image, there + PAD, order=1, mode="nearest") for image in _outsides(anatomy))
    lean, penis = (image * np.float32(scale[:2].mean()) for image in (lean, penis))
    heights, rows, columns = (anatomy.origin[2 - axis] + STEP_MM * there[axis] for axis in range(3))
    depth = np.maximum(_fat_mm(man, anatomy, rows, columns, heights) - lean, PENIS_FAT_MM - penis)
    whole = [*(there * np.float32(STEP_MM / anatomy.step)), depth, lean, penis]
    *places, depth, lean, penis = (_doubled(image.astype(np.float32), geometry.shape) for image in whole)
    return np.stack(places), depth, lean, penis


PAD = 24
"""Voxels of the deformations' grid around the map: fat is thicker than what is free there."""


@cache
def _outsides(anatomy: Anatomy) -> tuple[Field, Field]:
    """Signed distance, mm, of the lean body and of the penis and testes, with PAD voxels around."""
    every = round(STEP_MM / anatomy.step)
    labels = anatomy.labels[::every, ::every, ::every] % CORTEX
    outer = np.isin(labels, (Label.CAVERNOSUM, Label.SPONGIOSUM, Label.TESTIS))

    def distance(mask: NDArray[np.bool_]) -> Field:
        around = np.pad(np.pad(mask, ((0, 0), (PAD, PAD), (PAD, PAD))), ((PAD, PAD), (0, 0), (0, 0)), mode="edge")
        away = ndimage.distance_transform_edt(~around, sampling=STEP_MM) - ndimage.distance_transform_edt(
            around, sampling=STEP_MM
        )
        result: Field = ndimage.gaussian_filter(away.astype(np.float32), 1.5)
        return result

    return distance((labels > 0) & ~outer), distance(outer)


def _turned(man: Man) -> NDArray[np.float64]:
    """Columns: the map's axes in the scan; small turns about x, y and z."""
    rng = np.random.default_rng([man.seed, 3])
    angles = np.radians(man.numbers["tilt_deg"] * np.array([1.0, *rng.uniform(-0.5, 0.5, 2)]))
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[two, two] = np.cos(angle)
        step[two, one], step[one, two] = np.sin(angle), -np.sin(angle)
        turn = step @ turn
    return turn


def _offset(man: Man) -> NDArray[np.float64]:
    rng = np.random.default_rng([man.seed, 4])
    return np.array([man.numbers["off_centre_mm"], rng.uniform(-10, 10), rng.uniform(-10, 10)])


def _doubled(coarse: Field, shape: tuple[int, int, int]) -> Field:
    """From every second voxel to each, linear."""
    for axis, n in enumerate(shape):
        before = (slice(None),) * axis
        size = list(coarse.shape)
        size[axis] = 2 * size[axis] - 1
        fine = np.empty(size, np.float32)
        fine[*before, ::2] = coarse
        fine[*before, 1::2] = (coarse[*before, :-1] + coarse[*before, 1:]) / 2
        coarse = fine[*before, :n]
    return np.ascontiguousarray(coarse)


def _index(anatomy: Anatomy, places: Field) -> NDArray[np.int32]:
    """Of the map's voxel at each place, in the flat map; -1 beyond the map's sides, its last slices beyond its ends."""
    whole = np.rint(places).astype(np.int32)
    size = anatomy.labels.shape
    within = np.logical_and.reduce([(whole[a] >= 0) & (whole[a] < size[a]) for a in (1, 2)])
    z, y, x = (np.clip(whole[a], 0, size[a] - 1) for a in range(3))
    return np.where(within, (z * size[1] + y) * size[2] + x, -1).astype(np.int32)


@cache
def _lean_mm(anatomy: Anatomy) -> tuple[float, float]:
    """Lateral and antero-posterior width of the lean body at the femoral heads."""
    plane = anatomy.labels[round((CENTRE[2] - anatomy.origin[2]) / anatomy.step)] > 0
    rows, columns = (np.flatnonzero(plane.any(axis=axis)) for axis in (1, 0))
    return float(np.ptp(columns) * anatomy.step), float(np.ptp(rows) * anatomy.step)


def _fat_mm(man: Man, anatomy: Anatomy, rows: Field, columns: Field, heights: Field) -> Field:
    """How thick fat is towards where a voxel lies: at the sides, in front, behind; less at the thighs."""
    lateral, antero_posterior = _lean_mm(anatomy)
    scale = _scale(man)
    side = max((man.numbers["lateral_mm"] - lateral * scale[0]) / 2, LEAST_FAT_MM)
    both = max(man.numbers["antero_posterior_mm"] - antero_posterior * scale[1], 2 * LEAST_FAT_MM)
    x, y = columns - CENTRE[0], rows - CENTRE[1]
    sideways = x**2 / np.maximum(x**2 + y**2, 1.0)
    along = np.where(y < 0, 0.4 * both, 0.6 * both)
    thick = side * sideways + along * (1 - sideways)
    result: Field = (thick * np.clip(0.65 + (heights - 760) / 200, 0.65, 1.0)).astype(np.float32)
    return result


def noise(shape: tuple[int, int, int], width: float, rng: np.random.Generator) -> Field:
    """Smooth noise of standard deviation 1; width: its Gaussian's, in voxels. Wide ones are drawn on fewer voxels."""
    if width >= 3:
        half = tuple(n // 2 + 1 for n in shape)
        return _doubled(noise(half, width / 2, rng), shape)  # type: ignore[arg-type]
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), width, truncate=3)
    result: Field = smooth / max(float(smooth.std()), 1e-6)
    return result


def _filled(
    tissues: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    man: Man,
    names: tuple[str, ...],
    geometry: Geometry,
    rng: np.random.Generator,
) -> None:
    """Put each label's tissues in."""
    number = {name: names.index(name) for name in names}
    for label, name in PLAIN.items():
        tissues[labels == label] = number[name]
    bone = labels % CORTEX >= Label.VERTEBRA
    tissues[bone] = number["marrow"]
    tissues[bone & (labels >= CORTEX)] = number["cortex"]
    spacing = (geometry.slice_spacing, *geometry.pixel_spacing)
    loose = noise(geometry.shape, 1.2, rng)
    streaks = noise(geometry.shape, 0.7, rng) + 0.8 * loose
    tissues[(labels == Label.MUSCLE) & (streaks > STREAKS)] = number["fat"]
    tissues[(labels == Label.LOOSE) & (streaks < -STREAKS)] = number["blood"]
    loops, contents = noise(geometry.shape, 9.0 / spacing[1], rng), noise(geometry.shape, 14.0 / spacing[1], rng)
    cavity = labels == Label.CAVITY
    gas = contents > 2.5 - 2 * man.numbers["bowel_gas"]
    tissues[cavity & (np.abs(loops) > 0.45)] = number["bowel_wall"]
    inner = cavity & (np.abs(loops) > 0.75)
    tissues[inner] = number["bowel_fluid"]
    tissues[inner & gas] = number["gas"]
    for label in (Label.RECTUM, Label.COLON, Label.BLADDER, Label.PROSTATE):
        box = ndimage.find_objects((labels == label).astype(np.int8))
        if not box or box[0] is None:
            continue
        of = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box[0])
        mask = labels[of] == label
        depth = ndimage.distance_transform_edt(mask, sampling=spacing).astype(np.float32)
        within = tissues[of]
        if label is Label.BLADDER:
            full = np.clip(man.numbers["bladder_ml"] / 300, 0, 1)
            within[mask] = number["urine"]
            within[mask & (depth < 7.0 - 4.0 * full)] = number["bladder_wall"]
        elif label is Label.PROSTATE:
            _zones(within, mask, depth, man, number, rng)
        else:
            share = man.numbers["rectal_gas" if label is Label.RECTUM else "bowel_gas"]
            _stool(within, mask, depth > (3.5 if label is Label.RECTUM else 2.5), share, loose[of], contents[of], number)


def _stool(
    within: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    lumen: NDArray[np.bool_],
    share: float,
    fine: Field,
    wide: Field,
    number: dict[str, int],
) -> None:
    """A wall, in it stool with bubbles, and gas in front of it: a man lies on his back. share: of the lumen; below 0.2 none."""
    within[mask] = number["bowel_wall"]
    within[mask & lumen] = number["stool"]
    within[mask & lumen & (fine > 2.0)] = number["gas"]
    if share < 0.2 or not (mask & lumen).any():
        return
    front = -np.arange(mask.shape[1], dtype=np.float32)[:, None] + 3.0 * wide
    level = np.quantile(front[mask & lumen], 1 - share)
    within[mask & lumen & (front > level)] = number["gas"]


def _zones(
    within: NDArray[np.uint8], mask: NDArray[np.bool_], depth: Field, man: Man, number: dict[str, int], rng: np.random.Generator
) -> None:
    """Transition zone inside and in front, larger in larger glands; calcifications on its border."""
    share = float(np.clip(0.25 + 0.3 * np.log(man.numbers["prostate_ml"] / 20), 0.2, 0.75))
    front = depth - 0.3 * np.arange(mask.shape[1], dtype=np.float32)[:, None]
    level = np.quantile(front[mask], 1 - share)
    within[mask] = number["peripheral_zone"]
    within[mask & (front > level)] = number["transition_zone"]
    border = np.argwhere(mask & (np.abs(front - level) < 1.0))
    for _ in range(int(rng.poisson(1.5))):
        z, y, x = border[rng.integers(len(border))]
        within[z, y, x] = number["calcification"]
