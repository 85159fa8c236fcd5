"""Figures of confidence and of the taggers: reliability, risk and coverage, agreement, label noise."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.format import percent
from ferlib.plots.parts import HUMAN_COLOUR, error_lengths, in_percent, model_colours
from ferlib.plots.style import INK, SOFT_INK, SPLIT_COLOURS, WIDTH, add_caption

MIN_BIN_IMAGES = 10
"""A reliability diagram shows no point for a bin with fewer images; the error counts them all."""

_BEFORE, _AFTER = "#B9C3D0", SPLIT_COLOURS["train"]


def plot_reliability(panels: Sequence[tuple[str, Mapping, Mapping, str]], note: str) -> Figure:
    """Plot reliability diagrams before and after temperature scaling.

    The small bars below are the images in each bin after scaling.

    Args:
        panels: (title, before, after, label of the upright axis), before and after as
            `calibration.calibration_report` describes one target.
        note: the caption.
    """
    figure, axes = plt.subplots(2, len(panels), figsize=(WIDTH, 4.1), sharex=True, height_ratios=(4, 1), squeeze=False)
    for (upper, lower), (title, before, after, label) in zip(axes.T, panels, strict=True):
        upper.plot([0, 1], [0, 1], color=SOFT_INK, linewidth=0.9, linestyle=":")
        for calibration, colour, name, size in ((before, "#E69F00", "before", 4), (after, _AFTER, "after", 5)):
            rows = [row for row in calibration["bins"] if row["n"] >= MIN_BIN_IMAGES]
            upper.plot(
                [row["confidence"] for row in rows], [row["accuracy"] for row in rows], "o-", color=colour,
                markersize=size, linewidth=1.3, label=f"{name}: error {calibration['ece']:.3f}",
            )  # fmt: skip
        bins = after["bins"]
        lower.bar(
            [(row["low"] + row["high"]) / 2 for row in bins], [row["n"] for row in bins], width=0.055, color=_AFTER
        )
        upper.set(title=title, ylabel=label, xlim=(0, 1), ylim=(0, 1.02))
        lower.set(xlabel="confidence", ylabel="images")
        upper.legend(loc="upper left")
    add_caption(figure, note)
    return figure


def plot_risk_coverage(curves: Mapping[str, Mapping], points: Sequence[Mapping], note: str) -> Figure:
    """Plot the error among the answered images against the share that is answered.

    Args:
        curves: ``{model: {"coverage", "risk"}}``.
        points: ``{"coverage", "accuracy", "interval", "name"}``, points of one of the models.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.1))
    colours = model_colours(curves)
    for name, curve in curves.items():
        colour = colours[name]
        axis.plot(
            100 * np.array(curve["coverage"]), 100 * np.array(curve["risk"]), color=colour, linewidth=1.5, label=name
        )
    for point, marker in zip(points, "os^", strict=False):
        wrong = 1 - point["accuracy"]
        label = f"{point['name']}: {percent(point['accuracy'])} % right"
        interval = [1 - point["interval"][1], 1 - point["interval"][0]]
        axis.errorbar(
            in_percent(point["coverage"]), in_percent(wrong), yerr=error_lengths([wrong], [interval]), fmt=marker,
            color=INK, markersize=5, capsize=3, linewidth=1.2, zorder=4, label=label,
        )  # fmt: skip
    axis.set(xlabel="answered (% of the images)", ylabel="wrong among the answered (%)", xlim=(0, 101))
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper left")
    add_caption(figure, note)
    return figure


def plot_agreement(rows: Sequence[Mapping], votes: Mapping[str, Mapping], note: str) -> Figure:
    """Plot accuracy against the taggers' agreement, and the distance from their votes as floor and excess.

    Args:
        rows: rows of `taggers.accuracy_by_agreement`.
        votes: ``{name: distribution_scores}``, one bar each.
        note: the caption.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.1), width_ratios=(1.35, 1))
    middles = [in_percent(row["human"]) for row in rows]
    values = [row["accuracy"] for row in rows]
    left.errorbar(
        middles, np.multiply(values, 100), yerr=error_lengths(values, [row["interval"] for row in rows]), fmt="o-",
        color=SPLIT_COLOURS["test"], capsize=2.5, markersize=5, linewidth=1.4, label="the model",
    )  # fmt: skip
    left.plot(middles, middles, color=HUMAN_COLOUR, linestyle=(0, (1, 1)), label="one tagger")
    for row, x in zip(rows, middles, strict=True):
        left.annotate(f"{row['n']:,}", (x, 3), ha="center", fontsize=7, color=SOFT_INK)
    left.set(title="Accuracy on the leading emotion", xlabel="taggers who chose it (%)", ylabel="%", ylim=(0, 105))
    left.legend(loc="lower right", bbox_to_anchor=(1, 0.1))
    _draw_bars_over_floor(right, votes)
    add_caption(figure, note)
    return figure


def _draw_bars_over_floor(axis: Axes, votes: Mapping[str, Mapping]) -> None:
    names = list(votes)
    floors = [votes[name]["floor"] for name in names]
    excess = [votes[name]["kl"] for name in names]
    axis.bar(names, floors, color=_BEFORE, width=0.6, label="floor: the votes' entropy")
    axis.bar(names, excess, bottom=floors, color=_AFTER, width=0.6, label="KL divergence")
    for place, (floor, more) in enumerate(zip(floors, excess, strict=True)):
        axis.text(place, floor + more + 0.01, f"{floor + more:.3f}", ha="center", fontsize=8)
        axis.text(place, floor + more / 2, f"{more:.3f}", ha="center", va="center", fontsize=7.5, color="white")
    axis.set(title="Cross-entropy with the votes", ylabel="nats", ylim=(0, 1.35 * max(np.add(floors, excess))))
    axis.grid(axis="x", visible=False)
    axis.legend(loc="upper right", fontsize=7.5)


def plot_label_noise(doubts: Mapping, note: str) -> Figure:
    """Plot the labels that the predictions doubt, by class and by how split the taggers were.

    Args:
        doubts: ``{"by_class", "by_agreement"}``, each ``{name: {"images", "doubted"}}``.
        note: the caption.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.8), width_ratios=(1.3, 1))
    classes = doubts["by_class"]
    _draw_doubt_bars(left, classes, [COLOURS[emotion] for emotion in EMOTIONS])
    left.set(title="By majority label", xlabel="doubted (%)")
    _draw_doubt_bars(right, doubts["by_agreement"], [SPLIT_COLOURS["train"]] * len(doubts["by_agreement"]))
    right.set(title="By the taggers who chose it", xlabel="doubted (%)")
    add_caption(figure, note)
    return figure


def _draw_doubt_bars(axis: Axes, rows: Mapping[str, Mapping], colours: Sequence[str]) -> None:
    shares = [in_percent(row["doubted"] / row["images"]) if row["images"] else 0 for row in rows.values()]
    axis.barh(list(rows), shares, color=colours, height=0.7)
    for place, (share, row) in enumerate(zip(shares, rows.values(), strict=True)):
        axis.text(share, place, f" {row['doubted']:,} of {row['images']:,}", va="center", fontsize=7.5)
    axis.set_xlim(0, 1.45 * max([*shares, 1]))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
