"""The page itself: what the template shows, and writing it."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtseg.core import Finding, OutputError, StructureSet, Volume
from rtseg.core.anatomy import organ
from rtseg.metrics import Outcome
from rtseg.report.contour_report import ContourReport
from rtseg.report.figures import Outline, png
from rtseg.report.planes import VIEWS, Raster, View, image_at, located, mask_at, nearest_voxels, voxel_points

TEMPLATE = Path(__file__).with_name("contour.html")

OVERVIEW_PIXEL_MM = 1.0
ORGAN_PIXELS = 270
"""Samples along a side of an organ's pictures."""

MARGIN_MM = 35.0
"""What is shown around an organ."""

FIELD_MM = 120.0
"""Smallest side of an organ's pictures."""

BODY_HU = -400.0
"""The overview leaves out the air around what is denser than this."""

WITHOUT_DISTANCE = {
    Outcome.MISSED: "missed",
    Outcome.FALSE_ORGAN: "false organ",
    Outcome.TRUE_ABSENCE: "absent in both",
    Outcome.FOUND: "",
}

MR_WINDOW = (-1.0, 1.0)
"""All of a synthetic MR's values."""

MANUAL_COLOUR = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Picture:
    """A PNG as a data URI, with what it shows in words."""

    source: str
    caption: str
    words: str


@dataclass(frozen=True)
class OrganRow:
    """One organ as the page shows it; texts are ready to print, empty if there is nothing to tell."""

    name: str
    anchor: str
    colour: str
    volume: str
    predicted: str
    dsc: str
    hd95: str
    findings: Sequence[Finding]
    pictures: Sequence[Picture]


def write_report(report: ContourReport, path: Path) -> Path:
    """Write the report as one HTML file that needs nothing else, and return its path.

    Pictures lie on planes that are true to the patient's axes whatever the orientation of the CT, with the patient's right
    on the left side; images are sampled linearly, outlines go round the nearest voxels. Of the patient nothing is written
    but the images and the name of the case.
    Raises OutputError if the file cannot be written.
    """
    html = render(report)
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as problem:
        raise OutputError(f"the report cannot be written to {path}: {problem.strerror}") from problem
    return path


def render(report: ContourReport) -> str:
    """The page as text."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    organs = [_organ_row(report, name, number) for number, name in enumerate(report.structures)]
    return template.render(
        report=report,
        organs=organs,
        predicted=any(organ.predicted for organ in organs),
        overview=_overview(report),
        synthetic=_synthetic(report),
        colours={finding.organ: _hex(_colour(finding.organ)) for finding in report.findings if finding.organ},
        paragraphs=[text.strip() for text in report.limits.split("\n\n") if text.strip()],
        total=sum(report.timings.values()),
        longest=max(report.timings.values(), default=0) or 1,
    )


def _organ_row(report: ContourReport, name: str, number: int) -> OrganRow:
    agreement = report.agreement.get(name)
    return OrganRow(
        name=name,
        anchor=f"organ-{number}",
        colour=_hex(_colour(name)),
        volume="not found" if report.structures[name].is_empty else f"{report.structures.volume_ml(name):.1f}",
        predicted=_predicted_words(report, name),
        dsc="" if agreement is None or (dsc := agreement.figures["dsc"]) is None else f"{dsc:.3f}",
        hd95=_distance_words(report, name),
        findings=[finding for finding in report.findings if finding.organ == name],
        pictures=_organ_pictures(report, name),
    )


def _predicted_words(report: ContourReport, name: str) -> str:
    """The predicted DSC with its lower bound."""
    about = report.confidence.get(name)
    if about is None or about.predicted_dsc is None or about.at_least is None:
        return ""
    return f"{about.predicted_dsc:.2f} (\N{GREATER-THAN OR EQUAL TO} {about.at_least:.2f})"


def _distance_words(report: ContourReport, name: str) -> str:
    """HD95 in mm, or why there is none: missed, false organ, absent in both."""
    agreement = report.agreement.get(name)
    if agreement is None:
        return ""
    hd95_mm = agreement.figures["hd95_mm"]
    return WITHOUT_DISTANCE[agreement.outcome] if hd95_mm is None else f"{hd95_mm:.1f}"


def _overview(report: ContourReport) -> list[Picture]:
    """Three pictures of the whole CT."""
    return [_picture(report, whole_body(report.ct, report.structures, view), list(report.structures)) for view in VIEWS]


def _synthetic(report: ContourReport) -> list[Picture]:
    """The same planes of the synthetic MR."""
    if report.synthetic_mr is None:
        return []
    pictures = []
    for view in VIEWS:
        raster = whole_body(report.ct, report.structures, view)
        image = image_at(report.synthetic_mr, located(report.synthetic_mr.geometry, raster))
        drawn = outlines(report.structures, raster, list(report.structures), manual=False)
        pictures.append(_shown(raster, png(raster, image, drawn, MR_WINDOW), list(report.structures), "synthetic MR, "))
    return pictures


def whole_body(ct: Volume, structures: StructureSet, view: View) -> Raster:
    """The picture of all of the body through the mean of the organs' middles (of the CT's, if no organ was found)."""
    corners = ct.geometry.corners()
    middles = [points.mean(axis=0) for name in structures if len(points := voxel_points(structures, name))]
    at = np.mean(middles or corners, axis=0)
    return _body(ct, Raster.around(view, corners.min(axis=0), corners.max(axis=0), at, OVERVIEW_PIXEL_MM))


def _organ_pictures(report: ContourReport, name: str) -> list[Picture]:
    """Three pictures through an organ's middle; through the manual contour's if the organ is empty; none if both are."""
    points = voxel_points(report.structures, name)
    if not len(points) and report.manual is not None and name in report.manual.structures:
        points = voxel_points(report.manual, name)
    if not len(points):
        return []
    return [_picture(report, _around(points, view), [name]) for view in VIEWS]


def _around(points: NDArray[np.float64], view: View) -> Raster:
    """The square picture around an organ's voxels, on the voxel plane nearest to their centre of mass.

    So even a ring is cut by its picture.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    shown = [axis for axis in range(3) if axis != view.normal]
    side_mm = max(float((high - low)[shown].max()) + 2 * MARGIN_MM, FIELD_MM)
    along = points[:, view.normal]
    at = points[np.abs(along - along.mean()).argmin()]
    middle = (low + high) / 2
    return Raster.around(view, middle - side_mm / 2, middle + side_mm / 2, at, side_mm / ORGAN_PIXELS)


def _body(ct: Volume, raster: Raster) -> Raster:
    """The part of a picture that holds more than air, with a little around."""
    dense = image_at(ct, located(ct.geometry, raster)) > BODY_HU
    if not dense.any():
        return raster
    spans = []
    for axis in (1, 0):
        hit = np.flatnonzero(dense.any(axis=axis))
        spans.append((max(int(hit[0]) - 8, 0), min(int(hit[-1]) + 9, dense.shape[1 - axis])))
    (top, bottom), (left, right) = spans
    shift = (np.array(raster.view.down) * top + np.array(raster.view.across) * left) * raster.pixel_mm
    return Raster(raster.view, raster.corner + shift, (bottom - top, right - left), raster.pixel_mm)


def _picture(report: ContourReport, raster: Raster, names: Sequence[str]) -> Picture:
    drawn = outlines(report.structures, raster, names, manual=False)
    if report.manual is not None:
        drawn += outlines(report.manual, raster, [name for name in names if name in report.manual.structures], manual=True)
    image_hu = image_at(report.ct, located(report.ct.geometry, raster))
    return _shown(raster, png(raster, image_hu, drawn), names)


def _shown(raster: Raster, picture: bytes, names: Sequence[str], of: str = "") -> Picture:
    data = base64.b64encode(picture).decode("ascii")
    axis = raster.view.normal
    caption = f"{of}{raster.view.name}, {'xyz'[axis]} {raster.corner[axis]:.1f} mm".replace("-", "\N{MINUS SIGN}")
    words = f"{of}{raster.view.name} plane with outlines: {', '.join(names) or 'none'}"
    return Picture(f"data:image/png;base64,{data}", caption, words)


def outlines(structures: StructureSet, raster: Raster, names: Sequence[str], *, manual: bool) -> list[Outline]:
    """The organs of these names on a picture, manual ones dashed in white, others each in its colour."""
    voxels = nearest_voxels(located(structures.geometry, raster))
    return [Outline(mask_at(structures[name], voxels), MANUAL_COLOUR if manual else _colour(name), manual) for name in names]


def _colour(name: str) -> tuple[float, float, float]:
    """Colour of an organ, 0 to 1; of a name that is not TG-263's, a hue of its own."""
    known = organ(name)
    if known is None:
        return hsv_to_rgb(zlib.crc32(name.encode()) % 360 / 360, 0.45, 0.95)
    red, green, blue = known.colour
    return red / 255, green / 255, blue / 255


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in colour)
