"""Our structure sets beside those of others, in one run; writes docs/structure_sets.md and its picture.

    python benchmarks/rtstruct.py [--peers DIR] [--quick]

Twelve geometries and seven masks (tests/rtstruct_masks.py): errors of dciodvfy, masks that come back by even-odd filling at
pixel centres (written here, not ours), distance of contours from their planes at a gap, bias of spheres' surfaces; and one large
case, timed, each writer in a process of its own. rt-utils is a dependency; plastimatch and DicomRTTool are put by pip into
environments below DIR, and have no column where they cannot be. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from speed_page import processor, put

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "structure_sets.md"
PICTURE = PAGE.with_name("structure_sets.png")
PARTS = ROOT / "benchmarks" / "rtstruct_writers"
sys.path[:0] = [str(ROOT / "tests")]

BALL_MM = 22.4
TOOL = shutil.which("dciodvfy", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")


@dataclass
class Score:
    """What one writer reached."""

    errors: int = 0
    exact: int = 0
    masks: int = 0
    failed: list[str] = field(default_factory=list)
    off_plane_mm: float | None = None
    bias_mm: float | None = None
    rms_mm: float | None = None
    seconds: float | None = None
    extra_mb: float | None = None
    file_mb: float | None = None


def write_by(python: Path, writer: str, masks: Path, ct: Path, out: Path) -> dict[str, Any] | None:
    """Run a writer in its own process on masks (npz, slices ascending along their normal); its own figures, None if it fails."""
    words = [python, PARTS / f"{writer}.py", masks, ct, out]
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ.get('PATH', '')}"}
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, env=environment)
    if done.returncode or not out.is_file():
        print(f"{writer}: {(done.stderr or done.stdout)[-400:]}")
        return None
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def errors_of(file: Path) -> int:
    told = subprocess.run([str(TOOL), "-new", str(file)], capture_output=True, text=True, errors="replace", check=False)
    return sum(line.startswith("Error") for line in (told.stdout + told.stderr).splitlines())


def even_odd(loop: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = np.indices(shape)
    inside = np.zeros(shape, dtype=bool)
    for (r0, c0), (r1, c1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
        crosses = (r0 <= rows) != (r1 <= rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = c0 + (rows - r0) * (c1 - c0) / (r1 - r0)
        inside ^= crosses & (columns < at)
    return inside


def contours(file: Path) -> dict[str, list[np.ndarray]]:
    """ROI -> its contours' points (n, 3), mm, as pydicom reads them."""
    from pydicom import dcmread

    rs = dcmread(file, force=True)
    names = {item.ROINumber: str(item.ROIName) for item in rs.StructureSetROISequence}
    return {
        names[roi.ReferencedROINumber]: [
            np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3) for contour in roi.get("ContourSequence", [])
        ]
        for roi in rs.ROIContourSequence
    }


def judge(file: Path, where: Any, score: Score) -> float:
    """Count errors and exact masks of one file; returns the largest distance of a point from the nearest slice's plane, mm."""
    if TOOL is not None:
        score.errors += errors_of(file)
    grid, off = where.ct.geometry, 0.0
    found = contours(file)
    for organ in where.organs:
        score.masks += 1
        mask = np.zeros(grid.shape, dtype=bool)
        for points in next((found[name] for name in found if name.casefold() == organ.casefold()), []):
            index = grid.indices(points)
            along = (points - grid.origin) @ grid.direction[0]
            off = max(off, float(np.abs(along[:, None] - grid.positions).min(axis=1).max()))
            if len(points) >= 3:
                mask[int(np.clip(np.rint(np.median(index[:, 0])), 0, grid.shape[0] - 1))] ^= even_odd(
                    index[:, 1:], grid.shape[1:]
                )
        score.exact += bool(np.array_equal(mask, where.organs.mask(organ).array))
    return off


def save_masks(organs: Any, path: Path) -> Path:
    np.savez_compressed(path, **{name: organs.mask(name).array for name in organs})
    return path


def geometries(writers: dict[str, Path], quick: bool) -> dict[str, Score]:
    from rtstruct_masks import PLACES, place

    scores = {name: Score() for name in writers}
    for name in list(PLACES)[: 2 if quick else None]:
        with tempfile.TemporaryDirectory() as scratch:
            where = place(name, Path(scratch))
            masks = save_masks(where.organs, Path(scratch) / "masks.npz")
            for writer, python in writers.items():
                out = Path(scratch) / f"{writer}.dcm"
                if write_by(python, writer, masks, where.folder / "ct", out) is None:
                    scores[writer].failed.append(name)
                    scores[writer].masks += len(where.organs)
                    continue
                off = judge(out, where, scores[writer])
                if name == "slice gap":
                    scores[writer].off_plane_mm = off
        print(name, {writer: (score.errors, score.exact) for writer, score in scores.items()}, flush=True)
    return scores


def spheres(writers: dict[str, Path], scores: dict[str, Score]) -> float:
    """Bias and RMS distance of contours from eight balls on 0.977 mm pixels; returns the RMS of our contours within voxels."""
    from rtstruct_cases import MAKER

    from rtseg.core import Geometry, Structure, StructureSet, Volume
    from rtseg.dicom import Export, Patient, read_ct_grid, write_ct_series, write_rtstruct

    grid = Geometry.regular((41, 72, 72), (1.5, 0.977, 0.977), (-34.9, -35.2, -30.0))
    places = grid.points(np.moveaxis(np.indices(grid.shape), 0, -1))
    centres = {f"Ball_{n}": centre for n, centre in enumerate(np.random.default_rng(4).uniform(-3, 3, (8, 3)))}
    radii = {name: np.linalg.norm(places - centre, axis=-1) for name, centre in centres.items()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_ct_series(Volume(np.full(grid.shape, -1000, np.int16), grid), folder / "ct", Patient("A^B", "1"))
        ct = read_ct_grid(folder / "ct")
        balls = StructureSet(ct.geometry, {name: Structure.from_full(r < BALL_MM) for name, r in radii.items()})
        masks = save_masks(balls, folder / "masks.npz")
        for writer, python in writers.items():
            if write_by(python, writer, masks, folder / "ct", folder / f"{writer}.dcm") is not None:
                scores[writer].bias_mm, scores[writer].rms_mm = off_spheres(folder / f"{writer}.dcm", centres)
        soft = {name: np.clip(0.5 + (BALL_MM - r) / 4, 0, 1).astype(np.float32) for name, r in radii.items()}
        organs = StructureSet(ct.geometry, {name: Structure(p > 0.5, (0, 0, 0), p) for name, p in soft.items()})
        write_rtstruct(organs, ct, folder / "soft.dcm", Export(MAKER, subvoxel=True))
        return off_spheres(folder / "soft.dcm", centres)[1]


def off_spheres(file: Path, centres: dict[str, np.ndarray]) -> tuple[float, float]:
    """Mean distance in plane of contours from the circles that the balls have on their slices, by length; and the RMS, mm."""
    distances, weights = [], []
    for name, loops in contours(file).items():
        centre = next(centre for ball, centre in centres.items() if ball.casefold() == name.casefold())
        for points in loops:
            height = points[:, 2].mean() - centre[2]
            if abs(height) > 0.8 * BALL_MM:
                continue  # near the poles a pixel is no measure of the circle
            ends = np.roll(points, -1, axis=0)
            for share in np.linspace(0, 1, 9)[:-1]:  # along the edges, not at the vertices alone
                along = points + share * (ends - points)
                distances.append(np.hypot(*(along - centre)[:, :2].T) - np.sqrt(BALL_MM**2 - height**2))
                weights.append(np.linalg.norm(ends - points, axis=1))
    d, w = np.concatenate(distances), np.concatenate(weights)
    return float(np.average(d, weights=w)), float(np.sqrt(np.average(d**2, weights=w)))


def large(writers: dict[str, Path], scores: dict[str, Score]) -> float | None:
    """40 ROIs on 63 slices of 512 x 512; returns the seconds of our verification, which the others do not do."""
    from rtseg.core import Geometry, Volume
    from rtseg.dicom import Patient, write_ct_series

    grid = Geometry.regular((63, 512, 512), (3.0, 0.977, 0.977))
    random = np.random.default_rng(0)
    z, y, x = np.ogrid[:63, :512, :512]
    arrays = {}
    for number in range(40):
        middle, radius = random.uniform((24, 130, 130), (39, 380, 380)), random.uniform(15, 45)
        arrays[f"Organ_{number}"] = ((z - middle[0]) * radius / 31) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 < radius**2
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_ct_series(Volume(np.full(grid.shape, -1000, np.int16), grid), folder / "ct", Patient("A^B", "1"))
        np.savez_compressed(folder / "masks.npz", **arrays)
        verified = None
        for writer, python in writers.items():
            best: dict[str, Any] | None = None
            for _ in range(3 if writer in ("ours", "rt_utils") else 1):
                told = write_by(python, writer, folder / "masks.npz", folder / "ct", folder / f"{writer}.dcm")
                best = told if best is None or (told is not None and told["seconds"] < best["seconds"]) else best
            if best is not None:
                score = scores[writer]
                score.seconds, score.extra_mb = best["seconds"], best["extra_mb"]
                score.file_mb = (folder / f"{writer}.dcm").stat().st_size / 1e6
                verified = best.get("verify_seconds", verified)
                print(writer, best, flush=True)
        return verified


LABELS = {
    "ours": "**rtseg**",
    "rt_utils": "rt-utils 1.2.7",
    "plastimatch": "plastimatch 1.10.0",
    "dicomrttool": "DicomRTTool 6.2.0",
}


def shown(value: float | None, pattern: str) -> str:
    return "-" if value is None else format(value, pattern)


def section(scores: dict[str, Score], soft_rms: float, verified: float | None) -> str:
    ours = scores["ours"]
    lines = [
        f"Made by `python benchmarks/rtstruct.py` on {processor()}; Python {platform.python_version()}. Twelve geometries",
        "(axial HFS, HFP, FFS; 15 degrees oblique; sagittal; coronal; two slices missing; pixels 0.8 x 1.4 mm; image 50 x 72;",
        "slices of 0.5 and 5 mm; a name in UTF-8) x seven masks (sphere, one slice, one-voxel island, touching the border, ring,",
        "ring with island, two parts); read back by even-odd filling at pixel centres, which is not ours.",
        "",
        "| | " + " | ".join(LABELS[name] for name in scores) + " |",
        "|---|" + "---|" * len(scores),
    ]
    rows: list[tuple[str, Callable[[Score], str]]] = [
        ("dciodvfy errors, 12 files", lambda s: f"{s.errors:,}" + (f" ({len(s.failed)} not written)" if s.failed else "")),
        ("masks read back exactly", lambda s: f"{s.exact} of {s.masks}"),
        ("furthest from a plane at a slice gap, mm", lambda s: shown(s.off_plane_mm, ".3f")),
        ("surface bias of eight spheres on 0.977 mm pixels, mm", lambda s: shown(s.bias_mm, "+.3f")),
        ("RMS distance from these spheres, mm", lambda s: shown(s.rms_mm, ".3f")),
        ("40 ROIs x 63 slices of 512 x 512: writing, s", lambda s: shown(s.seconds, ".1f")),
        (
            "against rtseg in the same run",
            lambda s: shown(None if s.seconds is None or not ours.seconds else s.seconds / ours.seconds, ".1f"),
        ),
        ("memory over the masks, MB", lambda s: shown(s.extra_mb, ".0f")),
        ("file, MB", lambda s: shown(s.file_mb, ".1f")),
    ]
    lines += [f"| {what} | " + " | ".join(cell(score) for score in scores.values()) + " |" for what, cell in rows]
    lines += [
        "",
        f"From probabilities, within voxels (`--subvoxel`), the RMS distance from the spheres is {soft_rms:.4f} mm. Every file",
        f"of rtseg is verified before it takes its name: {shown(verified, '.1f')} s more for the large case, not counted above,",
        "not done by the others. Seconds: the best of three runs of rtseg and rt-utils, one of the others.",
        "",
        f"![Contours of a mask by rt-utils and by rtseg]({PICTURE.name})",
        "",
        "The same mask by rt-utils (left) and rtseg (right): dots are the mask's pixel centres, lines the contours in the files.",
    ]
    return "\n".join(lines)


def draw(writers: dict[str, Path], file: Path) -> None:
    """A ring with an island and a single voxel, on its pixels, with what two writers made of it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from rtseg.core import Geometry, Structure, StructureSet, Volume
    from rtseg.dicom import Patient, read_ct_grid, write_ct_series

    grid = Geometry.regular((3, 16, 16), (3.0, 1.0, 1.0))
    rows, columns = np.indices((16, 16))
    away = np.hypot(rows - 7, columns - 6)
    mask = np.zeros(grid.shape, dtype=bool)
    mask[1] = (away < 5.6) & ((away > 3.2) | (away < 1.3))
    mask[1, 13, 13] = True
    figure = Figure(figsize=(9, 4.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_ct_series(Volume(np.full(grid.shape, -1000, np.int16), grid), folder / "ct", Patient("A^B", "1"))
        ct = read_ct_grid(folder / "ct")
        masks = save_masks(StructureSet(ct.geometry, {"Ring": Structure.from_full(mask)}), folder / "masks.npz")
        for axes, writer in zip(figure.subplots(1, 2), ("rt_utils", "ours"), strict=True):
            write_by(writers[writer], writer, masks, folder / "ct", folder / f"{writer}.dcm")
            axes.scatter(*np.argwhere(mask[1]).T[::-1], s=14, color="#999999")
            for points in contours(folder / f"{writer}.dcm")["Ring"]:
                loop = ct.geometry.indices(points)[:, 1:]
                closed = np.vstack([loop, loop[:1]])
                axes.plot(closed[:, 1], closed[:, 0], marker="o", markersize=2.5, linewidth=1.2)
            axes.set(
                title=LABELS[writer].strip("*"),
                xlim=(-1, 16),
                ylim=(16, -1),
                aspect="equal",
                xticks=range(0, 16, 3),
                yticks=range(0, 16, 3),
            )
            axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="where environments of other writers are kept; a temporary place if not given")
    parser.add_argument("--quick", action="store_true", help="two geometries, no large case: does it run?")
    asked = parser.parse_args()
    if asked.peers is not None:
        os.environ["RTSEG_PEERS"] = str(asked.peers)
    from conformance.peer_readers import environment

    here = Path(sys.executable)
    writers = {"ours": here, "rt_utils": here}
    for peer in ("plastimatch", "dicomrttool"):
        if (programs := environment(peer)) is not None:
            writers[peer] = programs / "python"
    scores = geometries(writers, asked.quick)
    soft_rms = spheres(writers, scores)
    verified = None if asked.quick else large(writers, scores)
    if asked.quick:
        print(section(scores, soft_rms, verified))
        return
    draw(writers, PICTURE)
    print(put("Beside other writers", section(scores, soft_rms, verified), PAGE))


if __name__ == "__main__":
    main()
