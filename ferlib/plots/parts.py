"""What the figures of the evaluation share: units, error bars, the human line, and the look of point rows."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes

HUMAN_COLOUR = "#444444"
_COLOURS = {
    "custom_cnn": "#33598A", "convnext": "#D55E00", "efficientnet_lite2_soup": "#009E73",
    "mobilenetv3_large_100": "#CC79A7", "efficientnet_b2": "#E69F00", "efficientnet_lite2": "#7F4FA3",
    "convnext_alone": "#56B4E9", "convnext_taught": "#7A7A7A", "convnext_born_again": "#8C510A",
    "efficientnet_lite2_taught": "#B2A4D4", "efficientnet_b2_64": "#B5B000",
}  # fmt: skip
_OTHERS = ("#1B9E77", "#A6761D", "#E7298A", "#666666", "#66A61E", "#7570B3")
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # behind a number, so that no line crosses it out


def model_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each model: those of `_COLOURS` have theirs in every figure, others get some in their order."""
    left = cycle(_OTHERS)
    return {name: _COLOURS.get(name) or next(left) for name in dict.fromkeys(names)}


def percent(value: float) -> float:
    """A share as percent."""
    return 100 * value


def spans(values: Sequence[float], intervals: Sequence[Sequence[float]]) -> np.ndarray:
    """(2, N) lengths of error bars in percent, below and above."""
    low, high = np.array(intervals, float).reshape(-1, 2).T
    return 100 * np.stack([np.asarray(values) - low, high - np.asarray(values)]).clip(0)


def human_lines(axis: Axes, human: Mapping[str, float | None], *, upright: bool = True, gap: str = " ") -> None:
    """Two dotted lines: one tagger against the majority, and against the other nine; `gap` stands before the number."""
    draw = axis.axvline if upright else axis.axhline
    for key, style, name in (
        ("against_majority", (0, (1, 1)), "one tagger, against the majority"),
        ("against_others", (0, (4, 2)), "one tagger, against the other nine"),
    ):
        share = human.get(key)
        if share is not None:
            value = percent(share)
            draw(
                value, color=HUMAN_COLOUR, linestyle=style, linewidth=1.1, label=f"{name}{gap}({value:.1f} %)", zorder=1
            )


def points(
    axis: Axes, rows: Sequence[tuple[float, Mapping]], key: str, colour: str, label: str | None = None,
    words: Sequence[str] = (), marker: str = "o",
) -> None:  # fmt: skip
    """Level rows of points with error bars, in percent, and `words` to the right of each.

    `rows`: (place on the upright axis, ``{key: share, "interval": (low, high)}``).
    """
    places, found = [place for place, _ in rows], [one for _, one in rows]
    values, intervals = [one[key] for one in found], [one["interval"] for one in found]
    axis.errorbar(
        np.multiply(values, 100), places, xerr=spans(values, intervals), fmt=marker, color=colour, capsize=2.5,
        markersize=5, linewidth=1.4, label=label,
    )  # fmt: skip
    for place, interval, text in zip(places, intervals, words, strict=False):
        axis.annotate(
            text, (percent(interval[1]), place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7.5,
            bbox=PAPER,
        )  # fmt: skip
