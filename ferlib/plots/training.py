"""Figures of the trained models side by side."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ferlib.data.labels import EMOTIONS
from ferlib.plots.parts import PAPER, human_lines
from ferlib.plots.style import WIDTH, caption

_DASHES = "#6B6B6B"


def accuracy_comparison(
    accuracies: Mapping[str, tuple[float, float, float]], human: Mapping[str, float | None],
    lines: Mapping[str, float], note: str, others: Mapping[str, float] | None = None,
) -> Figure:  # fmt: skip
    """Each model's accuracy with its interval as a dot and a bar, beside reference lines.

    Args:
        accuracies: ``{model: (accuracy, low, high)}``, in 0..1.
        human: `agreement.human_line`, two lines through all rows.
        lines: ``{what: accuracy in 0..1}``, further lines.
        note: the caption line.
        others: ``{model: accuracy in 0..1}`` that somebody else reports for the same kind of model: a hollow diamond.
    """
    others = others or {}
    figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(accuracies) + 1.5))
    places = np.arange(len(accuracies))
    middle, low, high = (100 * np.array([row[k] for row in accuracies.values()]) for k in range(3))
    axis.errorbar(
        middle, places, xerr=(middle - low, high - middle), fmt="o", color="#33598A", capsize=3, markersize=5,
        label="this project, with its 95 % interval",
    )  # fmt: skip
    for place, value in zip(places, middle, strict=True):
        axis.annotate(
            f"{value:.1f}", (value, place), (0, 6), textcoords="offset points", ha="center", fontsize=8, bbox=PAPER
        )
    theirs = [(100 * others[name], place) for name, place in zip(accuracies, places, strict=True) if name in others]
    if theirs:
        axis.plot(*zip(*theirs, strict=True), "D", color="#D55E00", mfc="white", label="the earlier project (valid)")
    human_lines(axis, human)
    for style, (what, value) in zip(("-.", "-"), lines.items(), strict=False):
        axis.axvline(100 * value, color=_DASHES, linestyle=style, linewidth=1, label=f"{what} ({100 * value:.1f} %)")
    axis.set(yticks=places, yticklabels=list(accuracies), xlabel="accuracy, %", ylim=(len(places) - 0.4, -0.7))
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper left", ncols=2)
    caption(figure, note)
    return figure


def class_heatmap(table: pd.DataFrame, what: str, counts: Mapping[str, int], note: str) -> Figure:
    """One row a model, one column an emotion with its number of images: a value in 0..1 in percent."""
    figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(table) + 1.4))
    columns = [f"{emotion}\nn = {counts[emotion]:,}" for emotion in EMOTIONS]
    sns.heatmap(
        100 * table[list(EMOTIONS)].set_axis(columns, axis=1), annot=True, fmt=".0f", cmap="Blues", vmin=0, vmax=100,
        cbar=False, linewidths=1, ax=axis, annot_kws={"size": 8},
    )  # fmt: skip
    axis.set(title=f"{what}, %", ylabel="", xlabel="")
    axis.tick_params(axis="y", rotation=0)
    caption(figure, note)
    return figure


def ablation(
    rows: Sequence[tuple[str, float, float, float]], human: Mapping[str, float | None], note: str
) -> Figure:  # fmt: skip
    """What each step gave: accuracy with its interval, in the order of the steps, beside the human lines.

    `rows`: (step, accuracy, low, high), the last three in 0..1; `human`: `agreement.human_line`.
    """
    return accuracy_comparison({name: (value, low, high) for name, value, low, high in rows}, human, {}, note)
