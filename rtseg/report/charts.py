"""Charts of figures over patients, as SVG data URIs that a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rtseg.report.overlay import colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AGREEMENT_SD = 1.96
"""Limits of agreement are the mean and so many standard deviations (Bland and Altman 1986): 95 % of normal differences."""

COLUMNS = 4
"""Small charts side by side."""

INK, SOFT = "#17212b", "#8a96a0"

Values = Mapping[str, Mapping[str, Sequence[float]]]
"""Prediction -> organ -> a value for each patient."""


@dataclass(frozen=True)
class Chart:
    """An SVG as a data URI, with what it shows in words."""

    source: str
    words: str


@dataclass(frozen=True)
class Volumes:
    """Volumes of one organ by one prediction, ml, and its DSC; a value for each patient in whom the organ is there."""

    reference_ml: Sequence[float]
    predicted_ml: Sequence[float]
    dsc: Sequence[float]


def box_plots(values: Values, axis: str, top: float | None = None) -> Chart:
    """A box for each organ and prediction: quartiles, median, whiskers to 1.5 of the box, every patient as a dot."""
    organs = list(dict.fromkeys(organ for of in values.values() for organ in of))
    figure = _figure(max(6.0, 1.5 + 0.95 * len(organs)), 3.5)
    axes = figure.subplots()
    width = 0.7 / len(values)
    for number, (_, of) in enumerate(values.items()):
        shift = (number - (len(values) - 1) / 2) * width
        for place, organ in enumerate(organs):
            data = np.asarray(of.get(organ, ()), dtype=np.float64)
            if not data.size:
                continue
            line = {"color": INK, "linewidth": 0.9}
            axes.boxplot(
                [data],
                positions=[place + shift],
                widths=width * 0.85,
                showfliers=False,
                patch_artist=True,
                boxprops={"facecolor": colour(number), "edgecolor": INK, "linewidth": 0.9},
                medianprops={"color": INK, "linewidth": 1.6},
                whiskerprops=line,
                capprops=line,
                manage_ticks=False,
            )
            spread = (np.arange(data.size) * 0.618 % 1 - 0.5) * width * 0.5  # apart, and the same each time
            axes.plot(place + shift + spread, data, ".", color=INK, markersize=3, alpha=0.55)
    axes.set_xticks(range(len(organs)), organs, rotation=20, ha="right")
    axes.set_xlim(-0.6, len(organs) - 0.4)
    axes.set_ylim(0, top)
    axes.set_ylabel(axis)
    axes.grid(axis="y", color="#dde3e8", linewidth=0.7)
    axes.set_axisbelow(True)
    return _chart(figure, f"box plots of {axis} for each organ")


def bland_altman(volumes: Mapping[str, Mapping[str, Volumes]]) -> Chart:
    """Difference of the volumes, predicted minus reference, over their mean; lines at mean and limits of agreement."""
    figure, panels = _panels(volumes)
    for organ, axes in panels.items():
        axes.axhline(0, color=SOFT, linewidth=0.7)
        for number, of in enumerate(volumes.values()):
            if organ not in of:
                continue
            reference, predicted = (np.asarray(ml, dtype=np.float64) for ml in (of[organ].reference_ml, of[organ].predicted_ml))
            difference = predicted - reference
            axes.plot((predicted + reference) / 2, difference, ".", color=colour(number), markersize=8, markeredgewidth=0)
            spread = AGREEMENT_SD * difference.std(ddof=1) if difference.size > 1 else 0.0
            for level, style in ((0.0, "-"), (-spread, "--"), (spread, "--")):
                axes.axhline(difference.mean() + level, color=colour(number), linestyle=style, linewidth=1.1)
    figure.supxlabel("mean of both volumes, ml", fontsize=9)
    figure.supylabel("predicted minus reference, ml", fontsize=9)
    return _chart(figure, "Bland-Altman plot of the volumes of each organ")


def dsc_over_volume(volumes: Mapping[str, Mapping[str, Volumes]]) -> Chart:
    """DSC over the reference's volume, a dot for each patient; small organs have a lower DSC for the same distance."""
    figure, panels = _panels(volumes)
    for organ, axes in panels.items():
        for number, of in enumerate(volumes.values()):
            if organ in of:
                axes.plot(of[organ].reference_ml, of[organ].dsc, ".", color=colour(number), markersize=8, markeredgewidth=0)
        axes.set_ylim(0, 1.02)
    figure.supxlabel("volume of the reference, ml", fontsize=9)
    figure.supylabel("DSC", fontsize=9)
    return _chart(figure, "DSC over volume for each organ")


def _panels(volumes: Mapping[str, Mapping[str, Volumes]]) -> tuple[Figure, dict[str, Any]]:
    """A small chart for each organ."""
    organs = list(dict.fromkeys(organ for of in volumes.values() for organ in of))
    columns = min(COLUMNS, len(organs))
    rows = -(-len(organs) // columns)
    figure = _figure(2.7 * columns + 0.3, 2.1 * rows + 0.3)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(organs) :]:
        axes.set_axis_off()
    panels = dict(zip(organs, grid, strict=False))
    for organ, axes in panels.items():
        axes.set_title(organ, fontsize=9, color=INK)
    return figure, panels


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def _chart(figure: Figure, words: str) -> Chart:
    import matplotlib as mpl

    for axes in figure.axes:
        axes.tick_params(labelsize=8, colors=INK)
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": words, "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return Chart("data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"), words)
