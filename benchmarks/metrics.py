"""Our figures beside those of five other tools on the same masks, in one run: the values, and the time that they take.

    pip install surface-distance medpy seg-metrics
    python benchmarks/metrics.py CASES

CASES is a tree of cases whose split ``validation`` gives real organs (docs/cases.md). Writes docs/metrics.md, docs/metrics.png
and docs/metrics.csv. Needs some minutes; nothing else should run.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
import surface_distance
import torch
from medpy.metric import binary as medpy
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance, compute_surface_dice
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from seg_metrics import seg_metrics
from speed_page import processor

from rtseg.core import Geometry, Mask, bounding_box
from rtseg.data import find_cases
from rtseg.metrics import SurfaceModel, dsc, surface_distances

DOCS = Path(__file__).parents[1] / "docs"
SAME = 1e-6
"""Relative difference, or of less than 1 mm in mm, up to which two values are the same."""

TOLERANCE_MM = 2.0
RANDOM_PAIRS, PATIENTS = 50, 3
BIG = (120, 512, 512)
"""The image of the times, voxels of 3 x 1 x 1 mm."""

Values = Mapping[str, float]


@dataclass(frozen=True)
class Pair:
    """Two masks on one grid, of a kind (random, drawn, real)."""

    kind: str
    name: str
    reference: Mask
    predicted: Mask

    @property
    def spacing(self) -> tuple[float, float, float]:
        grid = self.reference.geometry
        return (grid.slice_spacing, *grid.pixel_spacing)


@dataclass(frozen=True)
class Peer:
    """Another tool. same: its name of a figure -> ours, where both mean the same; measure: all of its figures."""

    name: str
    package: str
    measure: Callable[[Pair], Values]
    same: Mapping[str, str]


# Ours


def ours(pair: Pair) -> Values:
    """Every figure that a peer has, by both surface models: ``surfel hd95_mm`` and so on."""
    found = {"dsc": dsc(pair.reference, pair.predicted) or 0.0}
    for model in SurfaceModel:
        distances = surface_distances(pair.reference, pair.predicted, model)
        assert distances is not None
        for name in ("hd_mm", "hd95_mm", "hd95_pooled_mm", "assd_mm", "msd_mm"):
            found[f"{model.value} {name}"] = getattr(distances, name)
        found[f"{model.value} nsd"] = distances.nsd(TOLERANCE_MM)
    return found


def ours_timed(pair: Pair) -> Values:
    """What the speed is promised for: DSC, HD, both HD95, ASSD and NSD."""
    distances = surface_distances(pair.reference, pair.predicted)
    assert distances is not None
    return {
        "dsc": dsc(pair.reference, pair.predicted) or 0.0,
        "hd": distances.hd_mm,
        "hd95": distances.hd95_mm,
        "hd95_pooled": distances.hd95_pooled_mm,
        "assd": distances.assd_mm,
        "nsd": distances.nsd(TOLERANCE_MM),
    }


# Theirs


def deepmind(pair: Pair) -> Values:
    a, b = pair.reference.array, pair.predicted.array
    distances = surface_distance.compute_surface_distances(a, b, pair.spacing)
    there, back = surface_distance.compute_average_surface_distance(distances)
    return {
        "dice": surface_distance.compute_dice_coefficient(a, b),
        "hd": surface_distance.compute_robust_hausdorff(distances, 100),
        "hd95": surface_distance.compute_robust_hausdorff(distances, 95),
        "average": (there + back) / 2,
        "surface dice": surface_distance.compute_surface_dice_at_tolerance(distances, TOLERANCE_MM),
    }


def monai(pair: Pair) -> Values:
    a, b = (torch.from_numpy(mask.array[None, None].astype(np.float32)) for mask in (pair.reference, pair.predicted))
    words: dict[str, Any] = {"include_background": True, "spacing": list(pair.spacing)}
    return {
        "dice": float(compute_dice(b, a, include_background=True)),
        "hd": float(compute_hausdorff_distance(b, a, **words)),
        "hd95": float(compute_hausdorff_distance(b, a, percentile=95, **words)),
        "average": float(compute_average_surface_distance(b, a, symmetric=True, **words)),
        "surface dice": float(compute_surface_dice(b, a, [TOLERANCE_MM], **words)),
    }


def monai_hd95(pair: Pair) -> Values:
    a, b = (torch.from_numpy(mask.array[None, None].astype(np.float32)) for mask in (pair.reference, pair.predicted))
    return {"hd95": float(compute_hausdorff_distance(b, a, True, percentile=95, spacing=list(pair.spacing)))}


def medpy_figures(pair: Pair) -> Values:
    a, b = pair.reference.array, pair.predicted.array
    return {
        "dice": medpy.dc(b, a),
        "hd": medpy.hd(b, a, pair.spacing),
        "hd95": medpy.hd95(b, a, pair.spacing),
        "assd": medpy.assd(b, a, pair.spacing),
    }


def itk(pair: Pair) -> Values:
    a, b = (_image(mask, pair.spacing) for mask in (pair.reference, pair.predicted))
    overlap, hausdorff = SimpleITK.LabelOverlapMeasuresImageFilter(), SimpleITK.HausdorffDistanceImageFilter()
    overlap.Execute(a, b)
    hausdorff.Execute(a, b)
    return {
        "dice": overlap.GetDiceCoefficient(),
        "hd": hausdorff.GetHausdorffDistance(),
        "average": hausdorff.GetAverageHausdorffDistance(),
    }


def segmetrics(pair: Pair) -> Values:
    images = [mask.array.astype(np.uint8) for mask in (pair.reference, pair.predicted)]
    wanted = ["dice", "hd", "hd95", "msd"]
    (found,) = seg_metrics.write_metrics(
        [1], gdth_img=images[0], pred_img=images[1], spacing=pair.spacing, metrics=wanted, fully_connected=False
    )
    return {name: float(found[name][0]) for name in wanted}


def _image(mask: Mask, spacing: tuple[float, float, float]) -> Any:
    image = SimpleITK.GetImageFromArray(mask.array.astype(np.uint8))
    image.SetSpacing(spacing[::-1])
    return image


PEERS = (
    Peer(
        "surface-distance",
        "surface-distance",
        deepmind,
        {
            "dice": "dsc",
            "hd": "surfel hd_mm",
            "hd95": "surfel hd95_mm",
            "average": "surfel msd_mm",
            "surface dice": "surfel nsd",
        },
    ),
    Peer(
        "MONAI",
        "monai",
        monai,
        {"dice": "dsc", "hd": "voxel hd_mm", "hd95": "voxel hd95_mm", "average": "voxel assd_mm", "surface dice": "voxel nsd"},
    ),
    Peer(
        "MedPy",
        "medpy",
        medpy_figures,
        {"dice": "dsc", "hd": "voxel hd_mm", "hd95": "voxel hd95_pooled_mm", "assd": "voxel assd_mm"},
    ),
    Peer("SimpleITK", "SimpleITK", itk, {"dice": "dsc", "hd": "voxel hd_mm"}),
    Peer(
        "seg-metrics",
        "seg-metrics",
        segmetrics,
        {"dice": "dsc", "hd": "voxel hd_mm", "hd95": "voxel hd95_pooled_mm", "msd": "voxel assd_mm"},
    ),
)


WHOLE_IMAGE = (medpy_figures, segmetrics)
"""These take minutes and the same for every organ: timed once."""


# Pairs


def random_pairs(count: int = RANDOM_PAIRS) -> Iterator[Pair]:
    """Smooth random shapes, many in pieces, every other cut by the edge of the image, on voxels of random size."""
    for seed in range(count):
        chance = np.random.default_rng(seed)
        shape = tuple(int(n) for n in chance.integers(12, 40, 3))
        spacing = tuple(float(mm) for mm in chance.uniform(0.7, 4.0, 3).round(2))
        grid = Geometry.regular((shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]))
        first = gaussian_filter(chance.normal(size=shape), 2.0)
        second = first + 0.5 * first.std() * gaussian_filter(chance.normal(size=shape), 1.0) / 0.15
        if seed % 2:
            inner = np.pad(np.ones([n - 4 for n in shape], dtype=np.bool_), 2)
            first, second = (np.where(inner, noise, noise.min()) for noise in (first, second))
        a, b = (Mask(noise > np.quantile(noise, 0.85), grid) for noise in (first, second))
        yield Pair("random", f"random {seed}", a, b)


def drawn_pairs() -> Iterator[Pair]:
    """Shapes whose distances a hand can tell."""
    grid = Geometry.regular((40, 40, 40), (1.0, 1.0, 1.0))
    flat = Geometry.regular((16, 40, 40), (4.0, 1.0, 2.0))
    yield Pair("drawn", "cube moved by 3 mm", box(grid, (10, 30), (10, 30), (8, 28)), box(grid, (10, 30), (10, 30), (11, 31)))
    yield Pair("drawn", "balls of 10 and 14 mm", ball(grid, 10), ball(grid, 14))
    yield Pair("drawn", "one voxel 5 mm away", box(grid, (20, 21), (20, 21), (20, 21)), box(grid, (20, 21), (20, 21), (25, 26)))
    yield Pair("drawn", "voxels of 4 x 1 x 2 mm", box(flat, (3, 9), (10, 30), (10, 30)), box(flat, (5, 11), (10, 30), (10, 30)))
    yield Pair("drawn", "at the image's edge", box(grid, (0, 20), (10, 30), (10, 30)), box(grid, (2, 22), (10, 30), (10, 30)))


def real_pairs(cases: Path) -> Iterator[Pair]:
    """Manual contours of validation patients against the same moved by whole voxels, and bent smoothly by some millimetres."""
    found = [case for case in find_cases(cases) if case.split == "validation"][:PATIENTS]
    for number, folder in enumerate(found):
        case = folder.read()
        for organ in case.contoured:
            mask = case.structures.mask(organ)
            yield Pair("real", f"{folder.name} {organ} moved", mask, Mask(np.roll(mask.array, (1, 2), (0, 2)), mask.geometry))
            yield Pair("real", f"{folder.name} {organ} bent", mask, bent(mask, number))


def bent(mask: Mask, seed: int) -> Mask:
    """The mask after a smooth displacement of some voxels; at least one voxel stays."""
    chance = np.random.default_rng(seed)
    shape = mask.array.shape
    way = [gaussian_filter(chance.normal(size=shape), 6.0) * 90 for _ in range(3)]
    places = np.indices(shape) + np.array(way)
    moved = map_coordinates(mask.array.astype(np.float32), places, order=1) > 0.5
    return Mask(moved if moved.any() else mask.array, mask.geometry)


def box(grid: Geometry, *sides: tuple[int, int]) -> Mask:
    array: NDArray[np.bool_] = np.zeros(grid.shape, dtype=np.bool_)
    array[tuple(slice(*side) for side in sides)] = True
    return Mask(array, grid)


def ball(grid: Geometry, radius_mm: float, shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mask:
    axes = [grid.axis_coordinates(axis) - grid.axis_coordinates(axis).mean() - shift_mm[axis] for axis in range(3)]
    return Mask(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2 <= radius_mm**2, grid)


# Comparison


@dataclass(frozen=True)
class Compared:
    """One figure of one peer on one pair; edge: a mask touches the edge of the image."""

    kind: str
    pair: str
    edge: bool
    peer: str
    figure: str
    ours_called: str
    theirs: float
    ours: float

    @property
    def difference(self) -> float:
        return abs(self.theirs - self.ours) / max(1.0, abs(self.ours))


def compare(pairs: Sequence[Pair]) -> list[Compared]:
    rows = []
    for pair in pairs:
        mine = ours(pair)
        edge = touches_edge(pair)
        for peer in PEERS:
            theirs = peer.measure(pair)
            rows += [
                Compared(pair.kind, pair.name, edge, peer.name, figure, called, float(theirs[figure]), mine[called])
                for figure, called in peer.same.items()
            ]
    return rows


def touches_edge(pair: Pair) -> bool:
    box_of = bounding_box(pair.reference.array | pair.predicted.array)
    assert box_of is not None
    return any(side.start == 0 or side.stop == n for side, n in zip(box_of, pair.reference.array.shape, strict=True))


def agreement_table(rows: Sequence[Compared]) -> str:
    """Per peer and figure: on how many pairs it is the same, and the largest difference, away from the edge and at it."""
    lines = [
        "| tool | its figure | ours | pairs | the same | largest difference | at the edge | the same | largest difference |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    keys = [(peer.name, figure, called) for peer in PEERS for figure, called in peer.same.items()]
    for key in keys:
        cells = []
        for edge in (False, True):
            of = [row for row in rows if (row.peer, row.figure, row.ours_called) == key and row.edge == edge]
            same = sum(row.difference <= SAME for row in of)
            largest = max((row.difference for row in of), default=0.0)
            cells += [str(len(of)), str(same), f"{largest:.1e}" if largest else "0"]
        lines.append(f"| {key[0]} | {key[1]} | {key[2]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def drawn_table(pairs: Sequence[Pair]) -> str:
    """HD95 of the drawn shapes by every tool."""
    names = ["surfel hd95_mm", "voxel hd95_mm", "voxel hd95_pooled_mm"]
    peers = [peer for peer in PEERS if "hd95" in peer.same]
    lines = ["| | " + " | ".join([*names, *(peer.name for peer in peers)]) + " |"]
    for pair in pairs:
        mine = ours(pair)
        cells = [f"{mine[name]:.2f}" for name in names] + [f"{peer.measure(pair)['hd95']:.2f}" for peer in peers]
        lines.append(f"| {pair.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def hd95_words(pairs: Sequence[Pair]) -> str:
    """How far the three definitions lie apart on real organs."""
    found = [ours(pair) for pair in pairs if pair.kind == "real"]
    words = []
    for what, one, other in (
        ("pooled is lower than the larger of both", "voxel hd95_mm", "voxel hd95_pooled_mm"),
        ("border voxels and surface pieces differ", "voxel hd95_mm", "surfel hd95_mm"),
    ):
        apart = np.abs([values[one] - values[other] for values in found])
        part = apart / np.maximum([values[one] for values in found], 1e-9)
        words.append(f"{what} by {apart.mean():.2f} mm in the mean, by {apart.max():.2f} mm ({100 * part.max():.0f} %) at most")
    return "; ".join(words) + "."


# Times


def seconds(measure: Callable[[Pair], Values], pair: Pair, repeats: int = 5) -> float:
    """Best of some runs after one to warm up; a single run where one takes more than 5 s."""
    start = time.perf_counter()
    measure(pair)
    first = time.perf_counter() - start
    if first > 5:
        return first
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        measure(pair)
        times.append(time.perf_counter() - start)
    return min(times)


def big_pair(radius_mm: float, shape: tuple[int, int, int] = BIG) -> Pair:
    grid = Geometry.regular(shape, (3.0, 1.0, 1.0))
    return Pair("time", f"ball of {radius_mm:g} mm", ball(grid, radius_mm), ball(grid, 1.05 * radius_mm, (3.0, 3.0, -2.0)))


def times_table() -> str:
    """Every tool on organs of three sizes in one large image."""
    measures: dict[str, Callable[[Pair], Values]] = {"rtseg: DSC, HD, both HD95, ASSD, NSD": ours_timed}
    measures["MONAI: HD95 alone"] = monai_hd95
    measures |= {f"{peer.name}: {', '.join(peer.measure(big_pair(10, (20, 40, 40))))}": peer.measure for peer in PEERS}
    sizes = [big_pair(radius) for radius in (15, 30, 50)]
    head = [f"{pair.reference.volume_ml:.0f} ml" for pair in sizes]
    lines = ["| what | " + " | ".join(head) + " |", "|---|" + "---|" * len(head)]
    mine = [seconds(ours_timed, pair) for pair in sizes]
    for name, measure in measures.items():
        whole = measure in WHOLE_IMAGE
        took = mine if measure is ours_timed else [seconds(measure, pair, 2) for pair in (sizes[:1] if whole else sizes)]
        cells = [f"{s:.3f} s" + ("" if s is m else f" ({s / m:.0f}x)") for s, m in zip(took, mine, strict=False)]
        lines.append(f"| {name} | " + " | ".join(cells + ["as long"] * (len(sizes) - len(cells))) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def curve(file: Path) -> None:
    """Time over the image's size for one organ, and over the organ's for one image."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    over_image, over_organ = figure.subplots(1, 2)
    sides = (128, 192, 256, 384, 512)
    organ = [big_pair(25, (120, side, side)) for side in sides]
    radii = (8, 12, 18, 27, 40, 60)
    image = [big_pair(radius) for radius in radii]
    for label, measure in (
        ("rtseg, six figures", ours_timed),
        ("MONAI, HD95 alone", monai_hd95),
        ("surface-distance, five", deepmind),
    ):
        over_image.plot([120 * side**2 / 1e6 for side in sides], [seconds(measure, pair, 2) for pair in organ], "o-", label=label)
        volumes = [pair.reference.volume_ml for pair in image]
        over_organ.plot(volumes, [seconds(measure, pair, 2) for pair in image], "o-", label=label)
    over_image.set(xlabel="voxels of the image, millions", ylabel="seconds", title="an organ of 65 ml", ylim=(0, None))
    over_organ.set(xlabel="volume of the organ, ml", title="an image of 512 x 512 x 120", xscale="log", yscale="log")
    over_image.legend(fontsize=8)
    for axes in (over_image, over_organ):
        axes.grid(color="#dde3e8")
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    cases = parser.parse_args().cases
    drawn = list(drawn_pairs())
    pairs = [*random_pairs(), *drawn, *real_pairs(cases)]
    rows = compare(pairs)
    with (DOCS / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "pair", "edge", "tool", "figure", "ours_called", "theirs", "ours"])
        writer.writerows(
            [r.kind, r.pair, r.edge, r.peer, r.figure, r.ours_called, f"{r.theirs:.7g}", f"{r.ours:.7g}"] for r in rows
        )
    counts = {kind: len(list(group)) for kind, group in groupby(pairs, key=lambda pair: pair.kind)}
    text = (
        (Path(__file__).with_name("metrics_page.md"))
        .read_text(encoding="utf-8")
        .format(
            counts=", ".join(f"{n} {kind}" for kind, n in counts.items()),
            versions=", ".join(f"{peer.name} {version(peer.package)}" for peer in PEERS),
            agreement=agreement_table(rows),
            drawn=drawn_table(drawn),
            hd95=hd95_words(pairs),
            times=times_table(),
            machine=processor(),
            tolerance=TOLERANCE_MM,
        )
    )
    curve(DOCS / "metrics.png")
    (DOCS / "metrics.md").write_text(text, encoding="utf-8")
    print(agreement_table(rows))


if __name__ == "__main__":
    main()
