"""The figure of the frame's time: what detection, crops and classification take on each path."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferlib.plots import _INK, WIDTH, caption

_STEPS = {"detect": "#33598A", "crop": "#E69F00", "classify": "#009E73"}


def latency(rows: Sequence[Mapping], note: str) -> Figure:
    """Milliseconds a frame of each path, one panel a picture size, one group of bars a number of faces.

    Bars are the medians of the steps one after another, the whisker ends at the 95th percentile of the whole frame.

    `rows`: ``{"width", "height", "faces", "path", "detect", "crop", "classify", "total"}``, the last four
    ``{"p50", "p95"}``; of one number of threads.
    """
    sizes = list(dict.fromkeys((row["width"], row["height"]) for row in rows))
    most = max(sum((row["width"], row["height"]) == size for row in rows) for size in sizes)
    figure, axes = plt.subplots(
        len(sizes), 1, figsize=(WIDTH, 0.9 + len(sizes) * (0.5 + 0.25 * most)), sharex=True, squeeze=False
    )
    for axis, size in zip(axes[:, 0], sizes, strict=True):
        _panel(axis, [row for row in rows if (row["width"], row["height"]) == size])
        axis.set_title(f"{size[0]} x {size[1]} pixels")
    axes[-1, 0].set_xlabel("milliseconds a frame (log scale)")
    axes[-1, 0].xaxis.set_major_formatter("{x:g}")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(_STEPS))
    caption(figure, note)
    return figure


def _panel(axis: Axes, rows: Sequence[Mapping]) -> None:
    """Log scale, so the steps are drawn as spans between running sums, and crops of a tenth of a millisecond show."""
    places = _places(rows)
    start = np.full(len(rows), 0.1)
    for step, colour in _STEPS.items():
        end = start + np.array([row[step]["p50"] for row in rows])
        axis.barh(places, end - start, left=start, height=0.8, color=colour, label=step, linewidth=0)
        start = end
    for place, row in zip(places, rows, strict=True):
        middle, high = row["total"]["p50"], max(row["total"]["p95"], row["total"]["p50"])
        axis.plot([middle, high], [place, place], color=_INK, linewidth=1.1, marker="|", markersize=5)
        axis.annotate(
            f"{middle:.1f}", (high, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=7.5
        )
    names = [f"{row['faces']} face{'s' if row['faces'] > 1 else ''}, {row['path']}" for row in rows]
    axis.set(xscale="log", yticks=places, yticklabels=names, ylim=(places[-1] + 0.7, -0.7))
    axis.set_xlim(left=0.5, right=2.2 * max(row["total"]["p95"] for row in rows))
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", labelsize=7.5)


def _places(rows: Sequence[Mapping]) -> list[float]:
    """One place a row, with half a place between groups of another number of faces."""
    places, at = [], 0.0
    for index, row in enumerate(rows):
        if index:
            at += 1.0 if row["faces"] == rows[index - 1]["faces"] else 1.5
        places.append(at)
    return places
