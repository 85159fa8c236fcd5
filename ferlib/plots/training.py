"""Figures of the trained models side by side."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ferlib.data.labels import EMOTIONS
from ferlib.format import percent
from ferlib.plots.parts import PAPER, draw_heat_map, draw_human_lines, in_percent
from ferlib.plots.style import SPLIT_COLOURS, WIDTH, add_caption

_LINE_COLOUR = "#6B6B6B"


def plot_accuracy_comparison(
    accuracies: Mapping[str, tuple[float, float, float]], human: Mapping[str, float | None],
    lines: Mapping[str, float], note: str, others: Mapping[str, float] | None = None,
) -> Figure:  # fmt: skip
    """Plot each model's accuracy with its interval as a dot and a bar, beside reference lines.

    Args:
        accuracies: ``{model: (accuracy, low, high)}``, in 0..1.
        human: shares of `taggers.human_line`, two lines through all rows.
        lines: ``{name: accuracy in 0..1}``, further lines.
        note: the caption.
        others: ``{model: accuracy in 0..1}`` that somebody else reports for the same kind of model: a hollow diamond.
    """
    others = others or {}
    figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(accuracies) + 1.5))
    places = np.arange(len(accuracies))
    values, low, high = (100 * np.array([row[k] for row in accuracies.values()]) for k in range(3))
    axis.errorbar(
        values, places, xerr=(values - low, high - values), fmt="o", color=SPLIT_COLOURS["train"], capsize=3,
        markersize=5,        label="this project, with its 95 % interval",
    )  # fmt: skip
    for place, value in zip(places, values, strict=True):
        axis.annotate(
            f"{value:.1f}", (value, place), (0, 6), textcoords="offset points", ha="center", fontsize=8, bbox=PAPER
        )
    diamonds = [
        (in_percent(others[name]), place) for name, place in zip(accuracies, places, strict=True) if name in others
    ]
    if diamonds:
        axis.plot(*zip(*diamonds, strict=True), "D", color="#D55E00", mfc="white", label="the earlier project (valid)")
    draw_human_lines(axis, human)
    for style, (name, value) in zip(("-.", "-"), lines.items(), strict=False):
        label = f"{name} ({percent(value)} %)"
        axis.axvline(in_percent(value), color=_LINE_COLOUR, linestyle=style, linewidth=1, label=label)
    axis.set(yticks=places, yticklabels=list(accuracies), xlabel="accuracy, %", ylim=(len(places) - 0.4, -0.7))
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper left", ncols=2)
    add_caption(figure, note)
    return figure


def plot_class_heat_map(table: pd.DataFrame, title: str, counts: Mapping[str, int], note: str) -> Figure:
    """Plot a table in percent: one row a model, one column an emotion with its number of images.

    Args:
        table: values in 0..1, NaN where undefined.
        title: name of the values.
        counts: ``{emotion: images}``.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(table) + 1.4))
    columns = [f"{emotion}\nn = {counts[emotion]:,}" for emotion in EMOTIONS]
    percents = 100 * table[list(EMOTIONS)].to_numpy()
    texts = [[f"{cell:.0f}" for cell in row] for row in percents]
    draw_heat_map(axis, percents, texts, columns, list(table.index), highest=100)
    axis.set_title(f"{title}, %")
    add_caption(figure, note)
    return figure


def plot_ablation(
    rows: Sequence[tuple[str, float, float, float]], human: Mapping[str, float | None], note: str
) -> Figure:  # fmt: skip
    """Plot the accuracy of each step with its interval, in the order of the steps, beside the human lines.

    Args:
        rows: (step, accuracy, low, high), the last three in 0..1.
        human: shares of `taggers.human_line`.
        note: the caption.
    """
    return plot_accuracy_comparison({name: (value, low, high) for name, value, low, high in rows}, human, {}, note)
