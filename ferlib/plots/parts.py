"""Parts that figures share: units, error bars, the human lines, rows of points, and heat maps."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes

from ferlib.format import percent

HUMAN_COLOUR = "#444444"
"""Colour of what one tagger reaches."""

_COLOURS = {
    "custom_cnn": "#33598A", "convnext": "#D55E00", "efficientnet_lite2_soup": "#009E73",
    "mobilenetv3_large_100": "#CC79A7", "efficientnet_b2": "#E69F00", "efficientnet_lite2": "#7F4FA3",
    "convnext_alone": "#56B4E9", "convnext_taught": "#7A7A7A", "convnext_born_again": "#8C510A",
    "efficientnet_lite2_taught": "#B2A4D4", "efficientnet_b2_64": "#B5B000",
}  # fmt: skip
_OTHERS = ("#1B9E77", "#A6761D", "#E7298A", "#666666", "#66A61E", "#7570B3")

PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
"""Box behind a number, so that no line crosses it out."""


def model_colours(names: Iterable[str]) -> dict[str, str]:
    """Colour of each model: a published one has its own in every figure, others get some in their order.

    Args:
        names: names of the models.
    """
    left = cycle(_OTHERS)
    return {name: _COLOURS.get(name) or next(left) for name in dict.fromkeys(names)}


def in_percent(share: float) -> float:
    """Convert a share to percent.

    Args:
        share: between 0 and 1.
    """
    return 100 * share


def error_lengths(values: Sequence[float], intervals: Sequence[Sequence[float]]) -> np.ndarray:
    """Lengths of error bars in percent.

    Args:
        values: N shares.
        intervals: N pairs of their low and high bound.

    Returns:
        (2, N), below and above each value.
    """
    low, high = np.array(intervals, float).reshape(-1, 2).T
    return 100 * np.stack([np.asarray(values) - low, high - np.asarray(values)]).clip(0)


def draw_human_lines(axis: Axes, human: Mapping[str, float | None], *, upright: bool = True, gap: str = " ") -> None:
    """Draw two dotted lines: one tagger against the majority, and against the other nine.

    Args:
        axis: the plot.
        human: shares of `taggers.human_line`; a line whose share is None is left out.
        upright: draw upright lines, else level ones.
        gap: text before the number in the legend.
    """
    draw = axis.axvline if upright else axis.axhline
    for key, style, name in (
        ("against_majority", (0, (1, 1)), "one tagger, against the majority"),
        ("against_others", (0, (4, 2)), "one tagger, against the other nine"),
    ):
        share = human.get(key)
        if share is not None:
            label = f"{name}{gap}({percent(share)} %)"
            draw(in_percent(share), color=HUMAN_COLOUR, linestyle=style, linewidth=1.1, label=label, zorder=1)


def draw_points(
    axis: Axes, rows: Sequence[tuple[float, Mapping]], key: str, colour: str, label: str | None = None,
    texts: Sequence[str] = (), marker: str = "o",
) -> None:  # fmt: skip
    """Draw level rows of points with error bars, in percent.

    Args:
        axis: the plot.
        rows: (place on the upright axis, ``{key: share, "interval": (low, high)}``).
        key: key of the share.
        colour: colour of points and bars.
        label: name in the legend.
        texts: text to the right of each row.
        marker: matplotlib's sign of the marker.
    """
    places = [place for place, _ in rows]
    values, intervals = [row[key] for _, row in rows], [row["interval"] for _, row in rows]
    axis.errorbar(
        np.multiply(values, 100), places, xerr=error_lengths(values, intervals), fmt=marker, color=colour,
        capsize=2.5, markersize=5, linewidth=1.4, label=label,
    )  # fmt: skip
    for place, interval, text in zip(places, intervals, texts, strict=False):
        axis.annotate(
            text, (in_percent(interval[1]), place), xytext=(5, 0), textcoords="offset points", va="center",
            fontsize=7.5, bbox=PAPER,
        )  # fmt: skip


def draw_heat_map(
    axis: Axes, values: np.ndarray, texts: Sequence[Sequence[str]], columns: Sequence[str], rows: Sequence[str],
    *, highest: float, line_width: float = 1.0, font_size: float = 8.0, square: bool = False,
) -> None:  # fmt: skip
    """Draw a matrix in shades of blue with a text in each cell, the first row on top.

    Args:
        axis: the plot.
        values: (R, C), from 0.
        texts: R x C texts.
        columns: C names.
        rows: R names.
        highest: value of the darkest blue.
        line_width: width of the white lines between the cells, points.
        font_size: size of the texts, points.
        square: make the cells square.
    """
    axis.spines[:].set_visible(False)
    mesh = axis.pcolormesh(values, cmap="Blues", vmin=0, vmax=highest, linewidths=line_width, edgecolor="white")
    if square:
        axis.set_aspect("equal")
    height, width = np.shape(values)
    axis.set(xlim=(0, width), ylim=(height, 0))
    axis.set_xticks(np.arange(width) + 0.5, columns)
    axis.set_yticks(np.arange(height) + 0.5, rows, va="center")
    mesh.update_scalarmappable()
    for (row, column), colour in zip(np.ndindex(height, width), np.asarray(mesh.get_facecolor()), strict=True):
        ink = ".15" if _luminance(colour) > 0.408 else "w"
        axis.text(column + 0.5, row + 0.5, texts[row][column], color=ink, ha="center", va="center", size=font_size)


def _luminance(colour: np.ndarray) -> float:
    """Relative luminance of an sRGB colour in 0..1, after WCAG 2."""
    linear = np.where(colour[:3] <= 0.03928, colour[:3] / 12.92, ((colour[:3] + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
