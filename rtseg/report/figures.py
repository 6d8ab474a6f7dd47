"""Pictures of planes with outlines, as PNG files in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtseg.report.planes import Raster

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WINDOW_HU = (-160.0, 240.0)
"""Soft tissue: width 400, level 40."""

WIDTH_PX = 430
"""A third of the page at 1.3 times its size: sharp on paper and on good screens."""

DOTS_PER_INCH = 100
INK = "#f4f6f7"
SHADE = "#000000"


@dataclass(frozen=True, eq=False)
class Outline:
    """A mask (rows, columns) on a picture, to be drawn as a line; ``manual`` ones are dashed."""

    mask: NDArray[np.bool_]
    colour: tuple[float, float, float]
    manual: bool = False


def png(
    raster: Raster, image: NDArray[np.float64], outlines: Sequence[Outline], window: tuple[float, float] = WINDOW_HU
) -> bytes:
    """The picture of a plane, in the soft-tissue window if none is named, with outlines, letters of direction and a scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns = raster.shape
    inches = WIDTH_PX / DOTS_PER_INCH / columns
    figure = Figure(figsize=(columns * inches, rows * inches), dpi=DOTS_PER_INCH, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(image, cmap="gray", vmin=window[0], vmax=window[1], interpolation="antialiased", aspect="auto")
    for outline in outlines:
        _draw(axes, outline)
    _letters(axes, raster)
    _scale(axes, raster)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    pixels, size = canvas.print_to_buffer()  # type: ignore[no-untyped-call]
    return _compressed(pixels, size)


def _draw(axes: Axes, outline: Outline) -> None:
    from matplotlib.patheffects import withStroke

    if not outline.mask.any():
        return
    shown = np.pad(outline.mask, 1).astype(np.float64)
    rows, columns = (np.arange(-1, n + 1) for n in outline.mask.shape)
    style = {"linewidths": 1.3, "linestyles": [(0, (3.2, 2.2))]} if outline.manual else {"linewidths": 1.9}
    lines = axes.contour(columns, rows, shown, levels=[0.5], colors=[outline.colour], **style)
    lines.set_path_effects([withStroke(linewidth=3.2, foreground=SHADE, alpha=0.5)])


def _letters(axes: Axes, raster: Raster) -> None:
    from matplotlib.patheffects import withStroke

    places = (
        (0.018, 0.5, "left", "center"),
        (0.982, 0.5, "right", "center"),
        (0.5, 0.982, "center", "top"),
        (0.5, 0.018, "center", "bottom"),
    )
    for letter, (x, y, horizontal, vertical) in zip(raster.view.letters, places, strict=True):
        text = axes.text(
            x, y, letter, transform=axes.transAxes, ha=horizontal, va=vertical, color=INK, fontsize=10.5, weight="bold"
        )
        text.set_path_effects([withStroke(linewidth=2.2, foreground=SHADE)])


def _scale(axes: Axes, raster: Raster) -> None:
    """A bar of 20 or 50 mm at the bottom right, with its length."""
    from matplotlib.patheffects import withStroke

    rows, columns = raster.shape
    length_mm = 20 if max(raster.shape) * raster.pixel_mm < 250 else 50
    length = length_mm / raster.pixel_mm
    right, bottom = columns - 1 - 0.03 * max(rows, columns), rows - 1 - 0.035 * max(rows, columns)
    stroke = [withStroke(linewidth=3.6, foreground=SHADE)]
    axes.plot([right - length, right], [bottom, bottom], color=INK, linewidth=1.8, solid_capstyle="butt", path_effects=stroke)
    label = axes.text(
        right - length / 2,
        bottom - 0.012 * max(rows, columns),
        f"{length_mm} mm",
        ha="center",
        va="bottom",
        color=INK,
        fontsize=8.5,
    )
    label.set_path_effects([withStroke(linewidth=2.4, foreground=SHADE)])


def _compressed(rgba: bytes, size: tuple[int, int]) -> bytes:
    """PNG of 256 colours: a third of the size, and no difference to the eye."""
    from PIL import Image

    picture = Image.frombuffer("RGBA", size, rgba, "raw", "RGBA", 0, 1).convert("RGB")
    buffer = io.BytesIO()
    picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(buffer, "png")
    return buffer.getvalue()
