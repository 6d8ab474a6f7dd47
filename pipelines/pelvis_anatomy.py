"""How the anatomy of simulated men is made: the meshes of one man become one map of labels.

    python pipelines/pelvis_anatomy.py MESHES [--output rtseg/simulate/male_pelvis]

MESHES holds Z-Anatomy as closed triangle meshes (zanatomy/, derived/), in LPS millimetres. The map is a derivative of
Z-Anatomy and so CC BY-SA 4.0; its licence and credits are written beside it. Same meshes, same bytes.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtseg.simulate.anatomy import ANATOMY, CORTEX, Label

ORIGIN = np.array([-210.0, -170.0, 640.0])
"""x, y, z of the first voxel's centre in the meshes' frame; z is the height above the soles."""

STEP, SHAPE = 2.0, (245, 171, 211)
"""Millimetres; slices, rows, columns: mid-thigh to the third lumbar vertebra."""

CORTEX_MM = 2.2
HEAD_MM = 25.5
"""Radius around a femoral head's centre within which the femur is its head: bone and cartilage."""

HEADS = {Label.FEMUR_HEAD_L: (83.5, 5.0, 860.0), Label.FEMUR_HEAD_R: (-83.5, 5.0, 860.0)}

Points = NDArray[np.float64]
Bits = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Corners (n, 3) in mm LPS and triangles (m, 3) of them."""

    file: str
    name: str
    corners: Points
    triangles: NDArray[np.int32]

    @property
    def key(self) -> str:
        """What it is without its side."""
        return self.name.removesuffix("_left").removesuffix("_right")


def meshes(folder: Path) -> Iterator[Mesh]:
    """All of Z-Anatomy and what was filled of it."""
    for file in (*sorted((folder / "zanatomy").glob("*.npz")), folder / "derived" / "zanatomy_filled.npz"):
        z = np.load(file)
        for i, name in enumerate(z["name"]):
            corners = z["v"][z["vptr"][i] : z["vptr"][i + 1]] * z["step"] + z["origin"]
            yield Mesh(file.stem, str(name), corners, z["f"][z["fptr"][i] : z["fptr"][i + 1]])


def voxelised(mesh: Mesh) -> Bits:
    """Voxels whose centre lies inside, (slices, rows, columns): along each vertical line the surface is crossed in and out."""
    slices, rows, columns = SHAPE
    # beside the voxels' centres by an irrational part of a voxel: no line meets an edge of two triangles
    corners = (mesh.corners - ORIGIN) / STEP + np.array([1e-4 * np.pi, 1e-4 * np.e, 0])
    t = corners[mesh.triangles]  # (triangle, corner, axis)
    low = np.maximum(np.ceil(t[:, :, :2].min(axis=1)).astype(int), 0)
    high = np.minimum(np.floor(t[:, :, :2].max(axis=1)).astype(int), [columns - 1, rows - 1])
    size = high - low + 1
    kept = (size > 0).all(axis=1)
    t, low, size = t[kept], low[kept], size[kept]
    count = size.prod(axis=1)
    of = np.repeat(np.arange(len(t)), count)
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    x, y = low[of, 0] + number // size[of, 1], low[of, 1] + number % size[of, 1]
    a, b, c = t[of, 0], t[of, 1], t[of, 2]
    with np.errstate(divide="ignore", invalid="ignore"):  # upright triangles are crossed by no line
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
        u = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (y - a[:, 1])) / area
        v = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (x - a[:, 0]) * (b[:, 1] - a[:, 1])) / area
        crossed = (u >= 0) & (v >= 0) & (u + v <= 1)
        height = a[:, 2] + u * (b[:, 2] - a[:, 2]) + v * (c[:, 2] - a[:, 2])
    crossings = np.zeros((slices + 1, rows, columns), np.int32)
    np.add.at(crossings, (np.ceil(height[crossed]).astype(int).clip(0, slices), y[crossed], x[crossed]), 1)
    inside: Bits = np.cumsum(crossings, axis=0)[:slices] % 2 == 1
    return inside


def _named(*parts: str) -> Callable[[Mesh], bool]:
    return lambda mesh: any(part in mesh.name for part in parts)


def _of(file: str, *parts: str) -> Callable[[Mesh], bool]:
    return lambda mesh: mesh.file == file and (not parts or any(part in mesh.name for part in parts))


FLOOR = ("iliococcygeus", "pubococcygeus", "puborectalis", "pubo_analis", "coccygeus")

ORDER: tuple[tuple[Label, Callable[[Mesh], bool]], ...] = (
    (Label.MUSCLE, _of("muscle")),
    (
        Label.MUSCLE,
        _of("pelvic_floor", "obturator_internus", "piriformis", "gemellus", "psoas_minor", "ischiocavernosus", "transverse"),
    ),
    (Label.LEVATOR, lambda mesh: mesh.file in ("muscle", "pelvic_floor") and any(part in mesh.name for part in FLOOR)),
    (Label.VEIN, lambda mesh: mesh.file == "vessel" and ("vein" in mesh.name or "cava" in mesh.name or "plexus" in mesh.name)),
    (Label.ARTERY, lambda mesh: mesh.file == "vessel" and ("artery" in mesh.name or "aorta" in mesh.name)),
    (Label.NERVE, _of("nerve", "sciatic", "femoral")),
    (Label.COLON, _of("zanatomy_filled", "colon")),
    (Label.CAVERNOSUM, _of("organ", "cavernosum")),
    (Label.SPONGIOSUM, _of("organ", "spongiosum", "glans")),
    (Label.TESTIS, _of("organ", "testis", "epididymis")),
    (Label.DUCT, _of("organ", "ductus_deferens", "ureter")),
    (Label.ANAL_CANAL, _named("anal_sphincter")),
    (Label.RECTUM, _of("zanatomy_filled", "rectum")),
    (Label.BLADDER, _of("zanatomy_filled", "urinary_bladder")),
    (Label.SEMINAL_VESICLES, _of("organ", "seminal_vesicle")),
    (Label.PROSTATE, _of("organ", "prostate")),
    (Label.CARTILAGE, lambda mesh: mesh.file in ("disc", "pelvic_floor") and ("disc" in mesh.name or "cartilage" in mesh.name)),
    (Label.CARTILAGE, _named("labrum")),
    (Label.VERTEBRA, _of("bone", "vertebra")),
    (Label.SACRUM, _of("bone", "sacrum")),
    (Label.COCCYX, _of("bone", "coccyx")),
    (Label.HIP_L, _of("bone", "hip_bone_left")),
    (Label.HIP_R, _of("bone", "hip_bone_right")),
    (Label.FEMUR_L, _of("bone", "femur_left")),
    (Label.FEMUR_R, _of("bone", "femur_right")),
)
"""What overwrites what: later over earlier. Bone is last: nothing lies in it."""

BONES = (Label.VERTEBRA, Label.SACRUM, Label.COCCYX, Label.HIP_L, Label.HIP_R, Label.FEMUR_L, Label.FEMUR_R)

WALL = (Label.MUSCLE, *BONES, Label.CARTILAGE)


def labelled(folder: Path) -> NDArray[np.uint8]:
    """The map of labels, (slices, rows, columns); where nothing was, LOOSE inside of muscles and bones, else OUTSIDE."""
    masks = [(mesh, voxelised(mesh)) for mesh in meshes(folder)]
    labels = np.zeros(SHAPE, np.uint8)
    for label, belongs in ORDER:
        chosen = [mask for mesh, mask in masks if belongs(mesh)]
        if not chosen:
            raise SystemExit(f"no mesh for {label.name}")
        labels[np.logical_or.reduce(chosen)] = label
    rows = ORIGIN[1] + STEP * np.arange(SHAPE[1])
    heights = ORIGIN[2] + STEP * np.arange(SHAPE[0])
    _heads(labels)
    _bulb(labels, rows)
    cavity = _cavity(labels, heights)
    labels[cavity & (labels == 0)] = Label.CAVITY
    hull = ndimage.binary_closing(np.pad(labels > 0, 8), ndimage.generate_binary_structure(3, 1), iterations=7)[8:-8, 8:-8, 8:-8]
    labels[hull & (labels == 0)] = Label.LOOSE
    bone = np.isin(labels, [*BONES, *HEADS])
    depth = ndimage.distance_transform_edt(bone, sampling=STEP)
    labels[bone & (depth < CORTEX_MM)] |= CORTEX
    return labels


def _heads(labels: NDArray[np.uint8]) -> None:
    z, y, x = np.meshgrid(*(STEP * np.arange(n) for n in SHAPE), indexing="ij", sparse=True)
    for label, (cx, cy, cz) in HEADS.items():
        place = np.sqrt((x + ORIGIN[0] - cx) ** 2 + (y + ORIGIN[1] - cy) ** 2 + (z + ORIGIN[2] - cz) ** 2)
        femur = Label.FEMUR_L if label is Label.FEMUR_HEAD_L else Label.FEMUR_R
        labels[(labels == femur) & (place < HEAD_MM)] = label


def _bulb(labels: NDArray[np.uint8], rows: Points) -> None:
    """The penile bulb: the corpus spongiosum's thick end, behind."""
    corpus = labels == Label.SPONGIOSUM
    behind = rows[np.nonzero(corpus)[1]].max()
    labels[corpus & (rows[:, None] > behind - 30.0)] = Label.BULB


def _cavity(labels: NDArray[np.uint8], heights: Points) -> Bits:
    """The abdomen's inside on every slice above the symphysis: what the wall's muscles and bones enclose."""
    wall = np.isin(labels, WALL)
    inside = np.zeros(SHAPE, bool)
    disk = np.hypot(*np.mgrid[-12:13, -12:13]) <= 12
    for k in np.flatnonzero(heights > 890):
        closed = ndimage.binary_closing(np.pad(wall[k], 16), disk)[16:-16, 16:-16]
        inside[k] = ndimage.binary_fill_holes(closed) & ~closed
    inside = ndimage.binary_opening(inside, iterations=3)
    pieces, _ = ndimage.label(inside)
    largest: Bits = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    return largest


def beside_muscle(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How far what is loose lies from the next muscle, in quarters of a mm; 0 for all else. The base man's muscles are thin."""
    away = ndimage.distance_transform_edt(labels != Label.MUSCLE, sampling=STEP)
    return np.where(labels == Label.LOOSE, np.minimum(np.rint(4 * away), 255), 0).astype(np.uint8)


def packed(labels: NDArray[np.uint8]) -> bytes:
    """An .npz whose bytes depend on the arrays alone."""
    arrays = {"labels": labels, "beside_muscle": beside_muscle(labels), "origin": ORIGIN, "step": np.float64(STEP)}
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            data = BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (2000, 1, 1, 0, 0, 0)), data.getvalue(), zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path)
    parser.add_argument("--output", type=Path, default=ANATOMY.parent)
    asked = parser.parse_args()
    labels = labelled(asked.meshes)
    data = packed(labels)
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / ANATOMY.name).write_bytes(data)
    for label in Label:
        if label:
            print(f"{label.name:18} {(labels % CORTEX == label).sum() * STEP**3 / 1000:8.1f} ml")
    print(f"{len(data) / 1e6:.2f} MB, sha256 {sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
