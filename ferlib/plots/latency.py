"""The figure of the frame's time: what detection, crops and classification take on each path."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferlib.plots import _INK, WIDTH, caption

_STEPS = {"detect": "#33598A", "crop": "#E69F00", "classify": "#009E73"}
_BAR = 0.7


def latency(rows: Sequence[Mapping], note: str) -> Figure:
    """Milliseconds a frame of each path, a row of panels a picture size, a column a number of faces.

    Bars are the medians of the steps one after another, the line ends at the 95th percentile of the whole frame. Each
    panel has a scale of its own, from 0, since the paths are compared within it.

    `rows`: ``{"width", "height", "faces", "path", "detect", "crop", "classify", "total"}``, the last four
    ``{"p50", "p95"}``; of one number of threads.
    """
    sizes = list(dict.fromkeys((row["width"], row["height"]) for row in rows))
    counts = list(dict.fromkeys(row["faces"] for row in rows))
    paths = list(dict.fromkeys(row["path"] for row in rows))
    height = 1.2 + len(sizes) * (0.65 + 0.27 * len(paths))
    figure, axes = plt.subplots(len(sizes), len(counts), figsize=(WIDTH, height), sharey=True, squeeze=False)
    for across, size in zip(axes, sizes, strict=True):
        for axis, count in zip(across, counts, strict=True):
            shown = [row for row in rows if (row["width"], row["height"], row["faces"]) == (*size, count)]
            _panel(axis, {row["path"]: row for row in shown}, paths)
            axis.set_title(f"{size[0]} x {size[1]}, {count} face{'s' if count > 1 else ''}")
    axes[-1, len(counts) // 2].set_xlabel("milliseconds a frame")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(_STEPS))
    caption(figure, note)
    return figure


def _panel(axis: Axes, rows: Mapping[str, Mapping], paths: Sequence[str]) -> None:
    places = np.array([place for place, path in enumerate(paths) if path in rows])
    found = [rows[path] for path in paths if path in rows]
    start = np.zeros(len(found))
    for step, colour in _STEPS.items():
        length = np.array([row[step]["p50"] for row in found])
        axis.barh(places, length, left=start, height=_BAR, color=colour, label=step, linewidth=0)
        start = start + length
    for place, row in zip(places, found, strict=True):
        middle, high = row["total"]["p50"], max(row["total"]["p95"], row["total"]["p50"])
        axis.plot([middle, high], [place, place], color=_INK, linewidth=1.1, marker="|", markersize=5)
        axis.annotate(
            f"{middle:.1f}", (high, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7.5
        )
    axis.set(yticks=range(len(paths)), yticklabels=paths, ylim=(len(paths) - 0.4, -0.6))
    axis.set_xlim(0, 1.28 * max(row["total"]["p95"] for row in found))  # room for the numbers
    axis.locator_params(axis="x", nbins=4)
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", labelsize=7.5)
