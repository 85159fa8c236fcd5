"""Figures that set models, protocols and parts of test side by side."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ferlib.format import p_value, percent, points
from ferlib.plots.parts import draw_human_lines, draw_points, error_lengths, in_percent, model_colours
from ferlib.plots.style import INK, SOFT_INK, SPLIT_COLOURS, WIDTH, add_caption

_PART_COLOURS = {"valid": SPLIT_COLOURS["valid"], "test": SPLIT_COLOURS["test"], "test, leak-free": "#33598A"}


def plot_model_comparison(rows: Sequence[Mapping], human: Mapping[str, float | None], note: str) -> Figure:
    """Plot the accuracy of each model with its interval on valid, test and leak-free test.

    Args:
        rows: ``{"model", "valid", "test", "test, leak-free"}``, each part ``{"accuracy", "interval"}``.
        human: shares of `taggers.human_line`.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 1.7 + 0.62 * len(rows)))
    for shift, (part, colour) in zip((-0.22, 0, 0.22), _PART_COLOURS.items(), strict=True):
        scores = [(place + shift, row[part]) for place, row in enumerate(rows) if part in row]
        texts = [percent(score["accuracy"]) for _, score in scores]
        draw_points(axis, scores, "accuracy", colour, part, texts)
    draw_human_lines(axis, human)
    axis.set_xlabel("accuracy (%)")
    _name_rows(axis, [row["model"] for row in rows])
    figure.legend(loc="outside upper center", ncols=3)
    add_caption(figure, note)
    return figure


def plot_accuracy_against_cost(rows: Sequence[Mapping], human: Mapping[str, float | None], note: str) -> Figure:
    """Plot test accuracy against the time of one face; the area of a dot is the number of parameters.

    Args:
        rows: ``{"model", "accuracy", "interval", "milliseconds", "parameters"}``.
        human: shares of `taggers.human_line`.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.1))
    colours = model_colours(row["model"] for row in rows)
    for row in rows:
        colour = colours[row["model"]]
        x, y = row["milliseconds"], in_percent(row["accuracy"])
        axis.errorbar(
            x, y, yerr=error_lengths([row["accuracy"]], [row["interval"]]), color=colour, capsize=3, linewidth=1.2
        )
        label = f"{row['model']}, {row['parameters'] / 1e6:.1f} M"
        axis.scatter(x, y, s=12 * row["parameters"] / 1e6 + 15, color=colour, alpha=0.85, zorder=3, label=label)
    draw_human_lines(axis, human, upright=False, gap="\n")
    times = [row["milliseconds"] for row in rows]
    axis.set(xlabel="milliseconds a face in torch, one thread (log scale)", ylabel="test accuracy (%)", xscale="log")
    axis.set_xlim(min(times) / 2, max(times) * 2.5)
    axis.margins(y=0.15)
    axis.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter("{x:g}")
    axis.tick_params(axis="x", which="both", labelsize=8)
    handles = axis.get_legend_handles_labels()
    figure.legend(*handles, loc="outside right upper", title="model, parameters", fontsize=7.5)
    add_caption(figure, note)
    return figure


def plot_protocols(rows: Sequence[Mapping], human: Mapping[str, float | None], note: str) -> Figure:
    """Plot the accuracy of the same predictions under each FER+ protocol, with n.

    Args:
        rows: rows of `taggers.protocol_table`.
        human: shares of `taggers.human_line`.
        note: the caption.
    """
    rows = [row for row in rows if row["accuracy"] is not None]
    figure, axis = plt.subplots(figsize=(WIDTH, 1.5 + 0.3 * len(rows)))
    texts = [f"{percent(row['accuracy'])}   n = {row['n']:,}" for row in rows]
    draw_points(axis, list(enumerate(rows)), "accuracy", SPLIT_COLOURS["test"], texts=texts)
    draw_human_lines(axis, human)
    axis.set_xlabel("accuracy (%)")
    axis.set_xlim(right=in_percent(max((row["interval"][1] for row in rows), default=1)) + 4)
    names = [f"{row['labels']}, {row['rule']}" + ("" if row["classes"] == 8 else ", 7 classes") for row in rows]
    _name_rows(axis, names)
    figure.legend(loc="outside upper center", ncols=2)
    add_caption(figure, note)
    return figure


def plot_leak_parts(rows: Sequence[Mapping], human: Mapping[str, float | None], note: str) -> Figure:
    """Plot the accuracy on the leak-free and the leaked part of test, and the difference, also at equal class mix.

    Args:
        rows: ``{"model", "leak_free", "leaked", "drop"}`` as `leakage.leak_scores` gives them.
        human: shares of `taggers.human_line`.
        note: the caption.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 2.0 + 0.5 * len(rows)), sharey=True, width_ratios=(1.5, 1)
    )
    for shift, part, colour in ((-0.12, "leak_free", SPLIT_COLOURS["test"]), (0.12, "leaked", SPLIT_COLOURS["valid"])):
        scores = [(place + shift, row[part]) for place, row in enumerate(rows)]
        texts = [percent(score["accuracy"]) for _, score in scores]
        draw_points(left, scores, "accuracy", colour, f"{part.replace('_', '-')} (n = {rows[0][part]['n']:,})", texts)
    draw_human_lines(left, human)
    kinds = (
        ("plain", "plain difference", SOFT_INK),
        ("same_classes", "at the leak-free part's class mix", SPLIT_COLOURS["train"]),
    )
    for shift, (kind, name, colour) in zip((-0.12, 0.12), kinds, strict=True):
        drops = [(place + shift, row["drop"][kind]) for place, row in enumerate(rows) if kind in row["drop"]]
        texts = [points(drop["difference"], 1) for _, drop in drops]
        draw_points(right, drops, "difference", colour, name, texts, marker="s")
    right.axvline(0, color=INK, linewidth=0.8)
    left.set(xlabel="accuracy (%)", title="Accuracy")
    right.set(xlabel="percentage points", title="Leaked minus leak-free")
    for axis in (right, left):
        _name_rows(axis, [row["model"] for row in rows])
    right.margins(x=0.2)
    right.tick_params(labelleft=False)
    figure.legend(loc="outside upper center", ncols=2, fontsize=7.5)
    add_caption(figure, note)
    return figure


def plot_differences(rows: Sequence[Mapping], note: str) -> Figure:
    """Plot paired accuracy differences of models with intervals and Holm-adjusted McNemar p-values.

    Args:
        rows: ``{"first", "second", "difference", "interval", "p_adjusted"}``.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 1.2 + 0.34 * len(rows)))
    texts = [p_value(row["p_adjusted"]) for row in rows]
    draw_points(axis, list(enumerate(rows)), "difference", SPLIT_COLOURS["train"], texts=texts)
    axis.axvline(0, color=INK, linewidth=0.8)
    axis.set_xlabel("percentage points of accuracy, first minus second")
    _name_rows(axis, [f"{row['first']} − {row['second']}" for row in rows])
    add_caption(figure, note)
    return figure


def _name_rows(axis: Axes, names: Sequence[str]) -> None:
    """Name the rows, the first on top, and leave room for the texts at the right."""
    axis.set(yticks=np.arange(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.12)
