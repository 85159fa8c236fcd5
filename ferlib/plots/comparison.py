"""Figures that set models, protocols and parts of test side by side."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ferlib.plots.parts import human_lines, model_colours, percent, points, spans
from ferlib.plots.style import _INK, _SOFT, SPLIT_COLOURS, WIDTH, caption

_PARTS = {"valid": SPLIT_COLOURS["valid"], "test": SPLIT_COLOURS["test"], "test, leak-free": "#33598A"}


def model_comparison(rows: Sequence[Mapping], human: Mapping[str, float | None], note: str) -> Figure:
    """Accuracy of each model with its interval on valid, test and leak-free test.

    `rows`: ``{"model", "valid", "test", "test, leak-free"}``, each part ``{"accuracy", "interval"}``.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 1.7 + 0.62 * len(rows)))
    for shift, (part, colour) in zip((-0.22, 0, 0.22), _PARTS.items(), strict=True):
        shown = [(place + shift, row[part]) for place, row in enumerate(rows) if part in row]
        words = [f"{percent(found['accuracy']):.1f}" for _, found in shown]
        points(axis, shown, "accuracy", colour, part, words)
    human_lines(axis, human)
    axis.set_xlabel("accuracy (%)")
    _level_rows(axis, [row["model"] for row in rows])
    figure.legend(loc="outside upper center", ncols=3)
    caption(figure, note)
    return figure


def accuracy_against_cost(rows: Sequence[Mapping], human: Mapping[str, float | None], note: str) -> Figure:
    """Test accuracy against the time of one face; the area of a dot is the number of parameters.

    `rows`: ``{"model", "accuracy", "interval", "milliseconds", "parameters"}``.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.1))
    colours = model_colours(row["model"] for row in rows)
    for row in rows:
        colour = colours[row["model"]]
        x, y = row["milliseconds"], percent(row["accuracy"])
        axis.errorbar(x, y, yerr=spans([row["accuracy"]], [row["interval"]]), color=colour, capsize=3, linewidth=1.2)
        words = f"{row['model']}, {row['parameters'] / 1e6:.1f} M"
        axis.scatter(x, y, s=12 * row["parameters"] / 1e6 + 15, color=colour, alpha=0.85, zorder=3, label=words)
    human_lines(axis, human, upright=False, gap="\n")
    times = [row["milliseconds"] for row in rows]
    axis.set(xlabel="milliseconds a face in torch, one thread (log scale)", ylabel="test accuracy (%)", xscale="log")
    axis.set_xlim(min(times) / 2, max(times) * 2.5)
    axis.margins(y=0.15)
    axis.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    for which in (axis.xaxis.set_major_formatter, axis.xaxis.set_minor_formatter):
        which("{x:g}")
    axis.tick_params(axis="x", which="both", labelsize=8)
    handles = axis.get_legend_handles_labels()
    figure.legend(*handles, loc="outside right upper", title="model, parameters", fontsize=7.5)
    caption(figure, note)
    return figure


def protocols(rows: Sequence[Mapping], human: Mapping[str, float | None], note: str) -> Figure:
    """Accuracy of the same predictions under each FER+ protocol, with n; `rows` of `agreement.protocol_table`."""
    rows = [row for row in rows if row["accuracy"] is not None]
    figure, axis = plt.subplots(figsize=(WIDTH, 1.5 + 0.3 * len(rows)))
    words = [f"{percent(row['accuracy']):.1f}   n = {row['n']:,}" for row in rows]
    points(axis, list(enumerate(rows)), "accuracy", SPLIT_COLOURS["test"], words=words)
    human_lines(axis, human)
    axis.set_xlabel("accuracy (%)")
    axis.set_xlim(right=percent(max((row["interval"][1] for row in rows), default=1)) + 4)
    names = [f"{row['labels']}, {row['rule']}" + ("" if row["classes"] == 8 else ", 7 classes") for row in rows]
    _level_rows(axis, names)
    figure.legend(loc="outside upper center", ncols=2)
    caption(figure, note)
    return figure


def leak_parts(rows: Sequence[Mapping], human: Mapping[str, float | None], note: str) -> Figure:
    """Accuracy on the leak-free and the leaked part of test, and the difference, also at equal class mix.

    `rows`: ``{"model", "leak_free", "leaked", "drop"}`` as `leakage.leak_scores` gives them.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 2.0 + 0.5 * len(rows)), sharey=True, width_ratios=(1.5, 1)
    )
    for shift, part, colour in ((-0.12, "leak_free", SPLIT_COLOURS["test"]), (0.12, "leaked", SPLIT_COLOURS["valid"])):
        shown = [(place + shift, row[part]) for place, row in enumerate(rows)]
        words = [f"{percent(found['accuracy']):.1f}" for _, found in shown]
        points(left, shown, "accuracy", colour, f"{part.replace('_', '-')} (n = {rows[0][part]['n']:,})", words)
    human_lines(left, human)
    kinds = (
        ("plain", "plain difference", _SOFT),
        ("same_classes", "at the leak-free part's class mix", SPLIT_COLOURS["train"]),
    )
    for shift, (kind, name, colour) in zip((-0.12, 0.12), kinds, strict=True):
        shown = [(place + shift, row["drop"][kind]) for place, row in enumerate(rows) if kind in row["drop"]]
        words = [f"{percent(found['difference']):+.1f}" for _, found in shown]
        points(right, shown, "difference", colour, name, words, marker="s")
    right.axvline(0, color=_INK, linewidth=0.8)
    left.set(xlabel="accuracy (%)", title="Accuracy")
    right.set(xlabel="percentage points", title="Leaked minus leak-free")
    for axis in (right, left):
        _level_rows(axis, [row["model"] for row in rows])
    right.margins(x=0.2)
    right.tick_params(labelleft=False)
    figure.legend(loc="outside upper center", ncols=2, fontsize=7.5)
    caption(figure, note)
    return figure


def differences(rows: Sequence[Mapping], note: str) -> Figure:
    """Paired accuracy differences of models with intervals and Holm-adjusted McNemar p-values."""
    figure, axis = plt.subplots(figsize=(WIDTH, 1.2 + 0.34 * len(rows)))
    words = ["p < 0.001" if row["p_adjusted"] < 0.001 else f"p = {row['p_adjusted']:.3f}" for row in rows]
    points(axis, list(enumerate(rows)), "difference", SPLIT_COLOURS["train"], words=words)
    axis.axvline(0, color=_INK, linewidth=0.8)
    axis.set_xlabel("percentage points of accuracy, first minus second")
    _level_rows(axis, [f"{row['first']} − {row['second']}" for row in rows])
    caption(figure, note)
    return figure


def _level_rows(axis: Axes, names: Sequence[str]) -> None:
    """One named row a model or protocol, the first on top, with room for the words at the right."""
    axis.set(yticks=np.arange(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.12)
