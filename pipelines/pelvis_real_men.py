"""The model of the male pelvis on real planning CTs: through DICOM, verified, with a sheet of pictures for the eye.

    python pipelines/pelvis_real_men.py REAL_CTS WORK --model male_pelvis [--only m_pelvicref002_whole m_tsexample_whole]

REAL_CTS holds NIfTI CTs (*.nii.gz) without contours. Each becomes a planning CT as DICOM, is contoured as `rtseg contour
--write-smr --report` does, and its structure set is verified. WORK then holds a folder for each with ct/, RS.dcm, smr/ and
report.html, and real_men.png and real_men.md: volumes and findings. Nobody drew contours in them: what is right is for the eye to
say.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtseg.core import StructureSet, Volume
from rtseg.data import Case, axial, read_nifti, squared
from rtseg.dicom import Patient, read_planning_ct, read_rtstruct, write_ct_series
from rtseg.jobs.contour import contour_series
from rtseg.jobs.contour_order import ContourOrder, ContourResult
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.jobs.verify import verify_structure_set
from rtseg.systems import Bundle, bundle_folder, load_bundle
from rtseg.training import choose_compute

WINDOW_HU = (-160, 240)
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the height of what was found, from its lower end, where axial slices are shown."""

COLOURS = ("tab:cyan", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:pink", "yellow")


@dataclass(frozen=True, eq=False)
class Tried:
    """A man, what was found in him, and the CT that it was found in."""

    name: str
    result: ContourResult
    ct: Volume
    found: StructureSet
    defects: int


def tried(file: Path, model: Bundle, work: Path) -> Tried:
    """Contour one CT through DICOM."""
    name = file.name.split(".")[0]
    place = work / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    volume = read_nifti(file)
    ct = squared(axial(Case(name, volume, StructureSet(volume.geometry), ()))).ct
    write_ct_series(ct, place / "ct", Patient("RTSEG^REAL", name), seed=name)
    smr = place / "smr" if model.translator else None
    order = ContourOrder(place / "ct", place / "RS.dcm", write_smr=smr, report=place)
    result = contour_series(order, model, Stopwatch())
    planning = read_planning_ct(place / "ct")
    verdict = verify_structure_set(place / "RS.dcm", place / "ct")
    return Tried(name, result, planning.volume, read_rtstruct(place / "RS.dcm", planning).structures, len(verdict.defects))


def table_of(men: Sequence[Tried], organs: Sequence[str]) -> str:
    """Volumes in ml, findings and what verify says, as Markdown."""
    lines = ["| CT | " + " | ".join(organs) + " | findings | defects |", "|---" * (len(organs) + 3) + "|"]
    for man in men:
        ml = [f"{man.result.volumes_ml[organ]:.1f}" if organ in man.result.volumes_ml else "-" for organ in organs]
        said = ", ".join(f"{finding.kind} {finding.organ or ''}".strip() for finding in man.result.findings)
        lines.append(f"| {man.name} | " + " | ".join(ml) + f" | {said} | {man.defects} |")
    return "\n".join(lines)


def picture(men: Sequence[Tried], organs: Sequence[str], file: Path) -> None:
    """Five axial slices and a sagittal one of each man, contours on the CT."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.0 * (len(LEVELS) + 1), 3.4 * len(men)), layout="constrained")
    grid = figure.subplots(len(men), len(LEVELS) + 1, squeeze=False)
    for axes, man in zip(grid, men, strict=True):
        masks = {organ: man.found.mask(organ).array for organ in organs if organ in man.found}
        pelvic = [masks[organ] for organ in ("Bladder", "Prostate", "Rectum") if organ in masks]
        held = np.flatnonzero(np.logical_or.reduce(pelvic).any(axis=(1, 2))) if pelvic else np.arange(man.ct.array.shape[0])
        slices = [int(held[0] + level * (held[-1] - held[0])) for level in LEVELS]
        column = _middle(masks.get("Prostate"), man.ct.array.shape[2])
        spacing = man.ct.geometry
        for axis, k in zip(axes, slices, strict=False):
            _shown(axis, man.ct.array[k], {organ: mask[k] for organ, mask in masks.items()}, organs, 1.0)
            axis.set_title(f"{man.name.removesuffix('_whole')}: slice {k}", fontsize=9)
        sagittal = {organ: mask[::-1, :, column] for organ, mask in masks.items()}
        aspect = spacing.slice_spacing / spacing.pixel_spacing[0]
        _shown(axes[-1], man.ct.array[::-1, :, column], sagittal, organs, aspect)
    figure.savefig(file, dpi=60)


def _middle(mask: NDArray[np.bool_] | None, columns: int) -> int:
    return columns // 2 if mask is None or not mask.any() else int(np.median(np.nonzero(mask)[2]))


def _shown(
    axis: object, plane: NDArray[np.generic], masks: dict[str, NDArray[np.bool_]], organs: Sequence[str], aspect: float
) -> None:
    axis.imshow(plane, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], aspect=aspect)  # type: ignore[attr-defined]
    for organ, colour in zip(organs, COLOURS, strict=False):
        if organ in masks and masks[organ].any():
            axis.contour(masks[organ], [0.5], colors=[colour], linewidths=0.9)  # type: ignore[attr-defined]
    axis.set_axis_off()  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cts", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", required=True, help="name of a model that ships, or a bundle's folder")
    parser.add_argument("--only", nargs="+", help="names of CTs; all if not given")
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    model = load_bundle(bundle_folder(asked.model), choose_compute(asked.threads))
    files = [file for file in sorted(asked.cts.glob("*.nii.gz")) if "label" not in file.name]
    if asked.only:
        files = [file for file in files if file.name.split(".")[0] in asked.only]
    men = [tried(file, model, asked.work) for file in files]
    table = table_of(men, model.task.organs)
    (asked.work / "real_men.md").write_text(table + "\n", encoding="utf-8")
    picture(men, model.task.organs, asked.work / "real_men.png")
    print(table)


if __name__ == "__main__":
    main()
