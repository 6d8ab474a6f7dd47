"""Simulated men beside real ones: a sheet of slices, and figures that need no label.

    python pipelines/pelvis_realism.py REAL_CTS MEN OUTPUT

REAL_CTS holds NIfTI CTs of real pelves (*.nii.gz); MEN is what `rtseg simulate` wrote as cases. OUTPUT then holds realism.png,
realism.csv and realism.md. All images are brought onto the real one's pixels before they are compared: noise and steepness depend
on the grid.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from synthetic_figures import mean_and_spread, write_rows

from rtseg.core import Volume
from rtseg.data import read_nifti

FAT_HU, MUSCLE_HU = (-140, -60), (10, 90)
BIN_HU = 4
NAMES = {
    "fat_hu": "fat, HU",
    "muscle_hu": "muscle, HU",
    "fine_noise_hu": "fine noise in muscle, HU",
    "noise_share": "share of noise above 0.15/mm",
    "steepness": "steepness in soft tissue, HU/mm",
    "strands": "not fat within fat, %",
}
DIGITS = {"fat_hu": 0, "muscle_hu": 0, "fine_noise_hu": 1, "noise_share": 2, "steepness": 1, "strands": 1}
HEIGHTS = (0.15, 0.35, 0.5, 0.65, 0.85)
"""Of a scan, from its lower end, where slices are shown."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT and whether it is simulated."""

    name: str
    ct: Volume
    is_simulated: bool


def scans(real: Path, men: Path) -> list[Scan]:
    """Real ones first."""
    found = [
        Scan(file.name.split(".")[0], read_nifti(file), False)
        for file in sorted(real.glob("*.nii.gz"))
        if "label" not in file.name
    ]
    return found + [
        Scan(folder.name, read_nifti(folder / "ct.nii.gz"), True) for folder in sorted(men.iterdir()) if folder.is_dir()
    ]


def figures(scan: Scan) -> dict[str, object]:
    """What is read off a CT without labels: modes of fat and muscle after light smoothing, noise within muscle, edges, and how
    much of the inside of fat is none.
    """
    hu, pixel = scan.ct.array.astype(np.float32), scan.ct.geometry.pixel_spacing[0]
    smooth = ndimage.gaussian_filter(hu, (0, 1.0, 1.0))
    muscle = _inner((smooth > MUSCLE_HU[0]) & (smooth < MUSCLE_HU[1]), 2)
    fat = (smooth > FAT_HU[0]) & (smooth < FAT_HU[1])
    rough = ndimage.convolve(hu, np.array([[[1, -2, 1], [-2, 4, -2], [1, -2, 1]]], np.float32)) / 6
    noise = 1.4826 * float(np.median(np.abs(rough[muscle] - np.median(rough[muscle]))))
    steep = np.sqrt(sum(part**2 for part in np.gradient(smooth, pixel, axis=(1, 2))))
    around = ndimage.binary_closing(fat, np.ones((1, 5, 5), bool))
    return {
        "scan": scan.name,
        "simulated": scan.is_simulated,
        "fat_hu": _mode(smooth, FAT_HU),
        "muscle_hu": _mode(smooth, MUSCLE_HU),
        "fine_noise_hu": noise,
        "noise_share": _share(hu, muscle, pixel),
        "steepness": float(np.median(steep[muscle])),
        "strands": 100 * float((around & ~fat).sum() / around.sum()),
    }


def _inner(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    eroded: NDArray[np.bool_] = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 1)[None], iterations=by)
    return eroded


def _mode(hu: NDArray[np.float32], within: tuple[int, int]) -> float:
    counts, edges = np.histogram(hu, np.arange(within[0], within[1] + BIN_HU, BIN_HU))
    return float(edges[counts.argmax()] + BIN_HU / 2)


def _share(hu: NDArray[np.float32], muscle: NDArray[np.bool_], pixel: float, side: int = 12) -> float:
    """Of the noise power in squares of muscle, what is above 0.15 line pairs per mm."""
    power, frequency = 0.0, np.hypot(*np.meshgrid(np.fft.fftfreq(side, pixel), np.fft.fftfreq(side, pixel)))
    whole = ndimage.minimum_filter(muscle.astype(np.uint8), (1, side, side), origin=(0, -(side // 2), -(side // 2)))
    places = np.argwhere(whole)
    rng = np.random.default_rng(0)
    for z, y, x in places[rng.permutation(len(places))[:400]]:
        square = hu[z, y : y + side, x : x + side]
        if square.shape == (side, side):
            power = power + np.abs(np.fft.fft2(square - square.mean())) ** 2
    return float(power[frequency > 0.15].sum() / power.sum()) if np.ndim(power) else float("nan")


PATCH, PIXEL_MM, PATCHES = 40, 2.0, 60
"""Side of a square in pixels of so many mm, and squares of each scan."""

CLUES = ("mean", "spread", "skewness", "fine noise", "coarse noise", "edges", "fat", "muscle", "bone", "gas")


def clues(scan: Scan, rng: np.random.Generator) -> NDArray[np.float64]:
    """(squares, clues) of squares that lie within the body for the most part, on pixels of 2 mm."""
    pixel = scan.ct.geometry.pixel_spacing
    smoothed = ndimage.gaussian_filter(scan.ct.array.astype(np.float32), (0, *(max(PIXEL_MM / mm - 1, 0) / 2 for mm in pixel)))
    hu = ndimage.zoom(smoothed, (1, pixel[0] / PIXEL_MM, pixel[1] / PIXEL_MM), order=1)
    found: list[list[float]] = []
    for _ in range(50 * PATCHES):
        if len(found) == PATCHES or min(hu.shape[1:]) <= PATCH:
            break
        z, y, x = (int(rng.integers(n - size)) for n, size in zip(hu.shape, (0, PATCH, PATCH), strict=True))
        square = hu[z, y : y + PATCH, x : x + PATCH].clip(-1000, 600)
        if (square > -300).mean() < 0.9:
            continue
        rough, wide = (
            square - ndimage.uniform_filter(square, 3),
            ndimage.uniform_filter(square, 3) - ndimage.uniform_filter(square, 7),
        )
        flat = np.abs(wide) < np.median(np.abs(wide))
        steep = np.hypot(*np.gradient(square))
        shares = [((square >= low) & (square < high)).mean() for low, high in ((-140, -60), (10, 90), (200, 601), (-1000, -300))]
        centred = square - square.mean()
        skew = (centred**3).mean() / max(float(square.std()) ** 3, 1.0)
        found.append([square.mean(), square.std(), skew, rough[flat].std(), wide[flat].std(), np.median(steep), *shares])
    return np.array(found, np.float64).reshape(-1, len(CLUES))


def told_apart(found: Sequence[Scan]) -> str:
    """How well a linear discriminant tells real squares from simulated ones, each scan judged by those learnt from the others; in
    words, with the clues that it goes by.
    """
    rng = np.random.default_rng(0)
    sets = [(scan, clues(scan, rng)) for scan in found]
    sets = [(scan, own) for scan, own in sets if len(own)]
    every = np.concatenate([own for _, own in sets])
    middle, spread = every.mean(axis=0), every.std(axis=0)
    scores, truth, weights = [], [], []
    for left_out, own in sets:
        others = [(scan, (one - middle) / spread) for scan, one in sets if scan is not left_out]
        real, simulated = (np.concatenate([one for scan, one in others if scan.is_simulated is kind]) for kind in (False, True))
        within = (np.cov(real.T) + np.cov(simulated.T)) / 2 + 0.1 * np.eye(len(CLUES))
        weight = np.linalg.solve(within, simulated.mean(axis=0) - real.mean(axis=0))
        scores.append(((own - middle) / spread - (real.mean(axis=0) + simulated.mean(axis=0)) / 2) @ weight)
        truth.append(np.full(len(own), left_out.is_simulated))
        weights.append(weight)
    score, is_simulated = np.concatenate(scores), np.concatenate(truth)
    area = float((score[is_simulated][:, None] > score[~is_simulated][None]).mean())
    mean = np.mean(weights, axis=0)
    most = ", ".join(f"{CLUES[i]} ({mean[i]:+.1f})" for i in np.argsort(-np.abs(mean))[:4])
    return (
        f"A linear discriminant of {len(CLUES)} clues tells squares of {PATCH * PIXEL_MM:.0f} mm apart with an AUC of {area:.2f} "
        f"(each scan judged by the others; 0.5: not at all). It goes by: {most}; + speaks for a simulated man."
    )


def table_of(rows: Sequence[Mapping[str, object]]) -> str:
    """Each real scan, and the mean of all simulated ones."""
    lines = ["| scan | " + " | ".join(NAMES.values()) + " |", "|---" * (len(NAMES) + 1) + "|"]
    for row in rows:
        if not row["simulated"]:
            lines.append(f"| {row['scan']} | " + " | ".join(f"{row[name]:.{DIGITS[name]}f}" for name in NAMES) + " |")
    men = [row for row in rows if row["simulated"]]
    cells = [mean_and_spread([row[name] for row in men], DIGITS[name]) for name in NAMES]  # type: ignore[misc]
    lines.append(f"| {len(men)} simulated | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(shown: Sequence[Scan], file: Path) -> None:
    """Axial slices from below upwards, and the middle sagittal one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.6 * (len(HEIGHTS) + 1), 2.2 * len(shown)), layout="constrained")
    for axes, scan in zip(figure.subplots(len(shown), len(HEIGHTS) + 1, squeeze=False), shown, strict=True):
        array, geometry = scan.ct.array, scan.ct.geometry
        planes = [(array[round(height * (len(array) - 1))], 1.0) for height in HEIGHTS]
        planes.append((array[::-1, :, array.shape[2] // 2], geometry.slice_spacing / geometry.pixel_spacing[0]))
        for axis, (plane, aspect) in zip(axes, planes, strict=True):
            axis.imshow(plane, cmap="gray", vmin=-160, vmax=240, aspect=aspect)
            axis.set_axis_off()
        axes[0].set_title(f"{scan.name}{' (simulated)' if scan.is_simulated else ''}", fontsize=8, loc="left")
    figure.savefig(file, dpi=70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("men", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--shown", type=int, default=4, help="of the real and of the simulated ones")
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    found = scans(asked.real, asked.men)
    rows = [figures(scan) for scan in found]
    write_rows(rows, asked.output / "realism.csv")
    page = f"{table_of(rows)}\n\n{told_apart(found)}\n"
    (asked.output / "realism.md").write_text(page)
    print(page)
    whole = [scan for scan in found if not scan.is_simulated and "whole" in scan.name][: asked.shown]
    picture([*whole, *[scan for scan in found if scan.is_simulated][: asked.shown]], asked.output / "realism.png")


if __name__ == "__main__":
    main()
