"""Figure of frame times: detection, crops and classification on each path."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ferlib.plots.style import INK, WIDTH, add_caption

_STEPS = {"detect": "#33598A", "crop": "#E69F00", "classify": "#009E73"}


def plot_latency(rows: Sequence[Mapping], note: str) -> Figure:
    """Plot the milliseconds a frame of each path, a row of panels a picture size, a column a number of faces.

    Bars are the medians of the steps one after another, the line ends at the 95th percentile of the whole frame. Each
    panel has a scale of its own, from 0, since the paths are compared within it.

    Args:
        rows: ``{"width", "height", "faces", "path", "detect", "crop", "classify", "total"}``, the last four
            ``{"p50", "p95"}``; of one number of threads, each panel with the same paths in the same order.
        note: the caption.
    """
    sizes = list(dict.fromkeys((row["width"], row["height"]) for row in rows))
    counts = list(dict.fromkeys(row["faces"] for row in rows))
    bars = len(rows) // (len(sizes) * len(counts))
    height = 1.2 + len(sizes) * (0.65 + 0.27 * bars)
    figure, axes = plt.subplots(len(sizes), len(counts), figsize=(WIDTH, height), sharey=True, squeeze=False)
    for panels, size in zip(axes, sizes, strict=True):
        for axis, count in zip(panels, counts, strict=True):
            _draw_panel(axis, [row for row in rows if (row["width"], row["height"], row["faces"]) == (*size, count)])
            axis.set_title(f"{size[0]} x {size[1]}, {count} face{'s' if count > 1 else ''}")
    figure.set_layout_engine(ConstrainedLayoutEngine(wspace=0.06))  # the last tick of a panel, the first of the next
    axes[-1, len(counts) // 2].set_xlabel("milliseconds a frame")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(_STEPS))
    add_caption(figure, note)
    return figure


def _draw_panel(axis: Axes, rows: Sequence[Mapping]) -> None:
    places, start = np.arange(len(rows)), np.zeros(len(rows))
    for step, colour in _STEPS.items():
        lengths = np.array([row[step]["p50"] for row in rows])
        axis.barh(places, lengths, left=start, height=0.7, color=colour, label=step, linewidth=0)
        start = start + lengths
    for place, row in zip(places, rows, strict=True):
        median, high = row["total"]["p50"], max(row["total"]["p95"], row["total"]["p50"])
        axis.plot([median, high], [place, place], color=INK, linewidth=1.1, marker="|", markersize=5)
        axis.annotate(
            f"{median:.1f}", (high, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7.5
        )
    axis.set(yticks=places, yticklabels=[row["path"] for row in rows], ylim=(len(rows) - 0.4, -0.6))
    axis.set_xlim(0, 1.28 * max(row["total"]["p95"] for row in rows))  # room for the numbers
    axis.locator_params(axis="x", nbins=4)
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", labelsize=7.5)
