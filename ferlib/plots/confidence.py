"""Figures of confidence and of the taggers: reliability, risk and coverage, agreement, label noise."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.plots.parts import HUMAN_COLOUR, model_colours, percent, spans
from ferlib.plots.style import _INK, _SOFT, SPLIT_COLOURS, WIDTH, caption

FEW = 10
"""A reliability diagram shows no point for a bin with fewer images; the error counts them all."""

_BEFORE, _AFTER = "#B9C3D0", SPLIT_COLOURS["train"]


def reliability(panels: Sequence[tuple[str, Mapping, Mapping, str]], note: str) -> Figure:
    """Reliability diagrams before and after temperature scaling.

    `panels`: (title, before, after, label of the upright axis), the two as `calibration.calibrated` describes one
    target. The small bars below are the images in each bin after scaling.
    """
    figure, axes = plt.subplots(2, len(panels), figsize=(WIDTH, 4.1), sharex=True, height_ratios=(4, 1), squeeze=False)
    for (upper, lower), (title, before, after, words) in zip(axes.T, panels, strict=True):
        upper.plot([0, 1], [0, 1], color=_SOFT, linewidth=0.9, linestyle=":")
        for found, colour, name, size in ((before, "#E69F00", "before", 4), (after, _AFTER, "after", 5)):
            bins = [one for one in found["bins"] if one["n"] >= FEW]
            points = [one["confidence"] for one in bins], [one["accuracy"] for one in bins]
            upper.plot(
                *points, "o-", color=colour, markersize=size, linewidth=1.3, label=f"{name}: error {found['ece']:.3f}"
            )
        bins = after["bins"]
        lower.bar(
            [(one["low"] + one["high"]) / 2 for one in bins], [one["n"] for one in bins], width=0.055, color=_AFTER
        )
        upper.set(title=title, ylabel=words, xlim=(0, 1), ylim=(0, 1.02))
        lower.set(xlabel="confidence", ylabel="images")
        upper.legend(loc="upper left")
    caption(figure, note)
    return figure


def risk_coverage(curves: Mapping[str, Mapping], points: Sequence[Mapping], note: str) -> Figure:
    """Error among the answered images against the share that is answered.

    Args:
        curves: ``{model: {"coverage", "risk"}}``.
        points: ``{"coverage", "accuracy", "interval", "name"}`` of one of the models.
        note: the caption line.
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
        words = f"{point['name']}: {percent(point['accuracy']):.1f} % right"
        interval = [1 - point["interval"][1], 1 - point["interval"][0]]
        axis.errorbar(
            percent(point["coverage"]), percent(wrong), yerr=spans([wrong], [interval]), fmt=marker, color=_INK,
            markersize=5, capsize=3, linewidth=1.2, zorder=4, label=words,
        )  # fmt: skip
    axis.set(xlabel="answered (% of the images)", ylabel="wrong among the answered (%)", xlim=(0, 101))
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper left")
    caption(figure, note)
    return figure


def agreement(rows: Sequence[Mapping], votes: Mapping[str, Mapping], note: str) -> Figure:
    """Left: accuracy against how much the taggers agreed. Right: distance from the votes, floor and excess.

    Args:
        rows: of `agreement.accuracy_by_agreement`.
        votes: ``{name: distribution_scores}``, one bar each.
        note: the caption line.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.1), width_ratios=(1.35, 1))
    middles = [percent(row["human"]) for row in rows]
    values = [row["accuracy"] for row in rows]
    left.errorbar(
        middles, np.multiply(values, 100), yerr=spans(values, [row["interval"] for row in rows]), fmt="o-",
        color=SPLIT_COLOURS["test"], capsize=2.5, markersize=5, linewidth=1.4, label="the model",
    )  # fmt: skip
    left.plot(middles, middles, color=HUMAN_COLOUR, linestyle=(0, (1, 1)), label="one tagger")
    for row, x in zip(rows, middles, strict=True):
        left.annotate(f"{row['n']:,}", (x, 3), ha="center", fontsize=7, color=_SOFT)
    left.set(title="Accuracy on the leading emotion", xlabel="taggers who chose it (%)", ylabel="%", ylim=(0, 105))
    left.legend(loc="lower right", bbox_to_anchor=(1, 0.1))
    _bars_over_floor(right, votes)
    caption(figure, note)
    return figure


def _bars_over_floor(axis: Axes, votes: Mapping[str, Mapping]) -> None:
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


def label_noise(found: Mapping, note: str) -> Figure:
    """Labels that the predictions doubt, by class and by how split the taggers were."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.8), width_ratios=(1.3, 1))
    classes = found["by_class"]
    _doubt_bars(left, classes, [COLOURS[emotion] for emotion in EMOTIONS])
    left.set(title="By majority label", xlabel="doubted (%)")
    _doubt_bars(right, found["by_agreement"], [SPLIT_COLOURS["train"]] * len(found["by_agreement"]))
    right.set(title="By the taggers who chose it", xlabel="doubted (%)")
    caption(figure, note)
    return figure


def _doubt_bars(axis: Axes, rows: Mapping[str, Mapping], colours: Sequence[str]) -> None:
    shares = [percent(row["doubted"] / row["images"]) if row["images"] else 0 for row in rows.values()]
    axis.barh(list(rows), shares, color=colours, height=0.7)
    for place, (share, row) in enumerate(zip(shares, rows.values(), strict=True)):
        axis.text(share, place, f" {row['doubted']:,} of {row['images']:,}", va="center", fontsize=7.5)
    axis.set_xlim(0, 1.45 * max([*shares, 1]))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
