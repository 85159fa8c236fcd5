"""Figures of one model's scores: confusion, classes, curves, training."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.format import percent
from ferlib.plots.parts import draw_heat_map, draw_human_lines, in_percent, model_colours
from ferlib.plots.style import SOFT_INK, WIDTH, add_caption


def plot_confusion(matrix: np.ndarray, note: str) -> Figure:
    """Plot a confusion matrix twice: counts, and percent of each row.

    Args:
        matrix: (8, 8) counts; rows are labels, columns predictions.
        note: the caption.
    """
    matrix = np.asarray(matrix)
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.9), sharey=True)
    counts = [[f"{cell:,}" if cell else "" for cell in row] for row in matrix]
    percents = [[f"{cell:.0f}" if cell >= 0.5 else "" for cell in row] for row in shares]
    for axis, title, cells in zip(axes, ("images", "percent of the label's images"), (counts, percents), strict=True):
        draw_heat_map(
            axis, shares, cells, EMOTIONS, EMOTIONS, highest=100, line_width=0.5, font_size=7, square=True
        )  # fmt: skip
        axis.set(title=title, xlabel="predicted", ylabel="label" if axis is axes[0] else "")
        axis.tick_params(axis="x", rotation=45)
        for tick in axis.get_xticklabels():
            tick.set(ha="right", rotation_mode="anchor")
    add_caption(figure, note)
    return figure


def plot_class_scores(per_class: Mapping[str, Mapping], note: str) -> Figure:
    """Plot precision, recall and F1 of each emotion; an undefined one has no bar but a dash.

    Args:
        per_class: ``{emotion: {"precision", "recall", "f1", "support"}}``, in 0..1 or None.
        note: the caption.
    """
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 2.9), sharey=True)
    names = [f"{emotion} ({per_class[emotion]['support']:,})" for emotion in EMOTIONS]
    for axis, score in zip(axes, ("precision", "recall", "f1"), strict=True):
        values = [per_class[emotion][score] for emotion in EMOTIONS]
        lengths = [0.0 if value is None else in_percent(value) for value in values]
        axis.barh(names, lengths, color=[COLOURS[emotion] for emotion in EMOTIONS], height=0.72)
        for place, (value, length) in enumerate(zip(values, lengths, strict=True)):
            axis.text(length + 1.5, place, "–" if value is None else f"{length:.0f}", va="center", fontsize=7.5)
        axis.set(title="F1" if score == "f1" else score, xlabel="%", xlim=(0, 112), xticks=range(0, 101, 25))
        axis.grid(axis="y", visible=False)
    axes[0].invert_yaxis()
    add_caption(figure, note)
    return figure


def plot_confused_pairs(pairs: Sequence[Mapping], note: str) -> Figure:
    """Plot the most frequent mistakes, in images, in the label's colour, with their share of the label's images.

    Args:
        pairs: ``{"label", "predicted", "images", "share"}``, most frequent first.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 1.2 + 0.26 * len(pairs)))
    names = [f"{pair['label']} → {pair['predicted']}" for pair in pairs]
    axis.barh(names, [pair["images"] for pair in pairs], color=[COLOURS[pair["label"]] for pair in pairs], height=0.7)
    for place, pair in enumerate(pairs):
        text = f" {pair['images']:,}  ({percent(pair['share'], 0)} % of {pair['label']})"
        axis.text(pair["images"], place, text, va="center", fontsize=7.5)
    axis.set(xlabel="images", xlim=(0, 1.3 * max([pair["images"] for pair in pairs], default=1)))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    add_caption(figure, note)
    return figure


def plot_training_curves(histories: Mapping[str, pd.DataFrame], human: Mapping[str, float | None], note: str) -> Figure:
    """Plot loss and valid accuracy by epoch of each model; a dot is the epoch that was chosen.

    Args:
        histories: ``{model: history}``, one row an epoch.
        human: shares of `taggers.human_line` on valid.
        note: the caption.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.8))
    colours = model_colours(histories)
    for name, history in histories.items():
        colour = colours[name]
        left.plot(history["epoch"], history["train_loss"], color=colour, linewidth=1.3, label=name)
        left.plot(history["epoch"], history["valid_loss"], color=colour, linewidth=1.3, linestyle="--")
        best = history["valid_accuracy"].idxmax()
        right.plot(history["epoch"], 100 * history["valid_accuracy"], color=colour, linewidth=1.3)
        right.plot(history["epoch"][best], 100 * history["valid_accuracy"][best], "o", color=colour, markersize=5)
    draw_human_lines(right, human, upright=False)
    left.set(title="Loss (solid: train, dashed: valid)", xlabel="epoch", ylabel="loss (nats)")
    right.set(title="Accuracy on valid", xlabel="epoch", ylabel="%")
    handles, names = (a + b for a, b in zip(*(axis.get_legend_handles_labels() for axis in (left, right)), strict=True))
    figure.legend(handles, names, loc="outside upper center", ncols=3, fontsize=7.5)
    add_caption(figure, note)
    return figure


def plot_recall_against_examples(rows: Sequence[Mapping], note: str) -> Figure:
    """Plot the recall of each emotion against its number of training images.

    Args:
        rows: ``{"emotion", "images", "recall"}``; a recall of None is left out.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.0))
    known = sorted((row for row in rows if row["recall"] is not None), key=lambda row: row["images"])
    for place, row in enumerate(known):
        point = row["images"], in_percent(row["recall"])
        axis.scatter(*point, s=60, color=COLOURS[row["emotion"]], zorder=3)
        offset = (7, 2) if place % 2 == 0 else (7, -9)  # neighbours' names must not meet
        axis.annotate(row["emotion"], point, xytext=offset, textcoords="offset points", fontsize=8)
    axis.set(xlabel="training images of the class (log scale)", ylabel="recall (%)", xscale="log", ylim=(-12, 108))
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.set_xlim(right=2 * max((row["images"] for row in rows), default=1))
    add_caption(figure, note)
    return figure


def plot_roc_and_pr(curves: Mapping[str, Mapping], note: str) -> Figure:
    """Plot one-vs-rest ROC and precision-recall curves of each emotion, with their areas.

    Args:
        curves: ``{emotion: {"fpr", "tpr", "roc_auc", "precision", "recall", "average_precision"}}``.
        note: the caption.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    for emotion, curve in curves.items():
        label = f"{emotion}  {curve['roc_auc']:.3f}, {curve['average_precision']:.3f}"
        style = {"color": COLOURS[emotion], "linewidth": 1.3}
        left.plot(curve["fpr"], curve["tpr"], **style, label=label)
        right.plot(curve["recall"], curve["precision"], **style)
    left.plot([0, 1], [0, 1], color=SOFT_INK, linewidth=0.8, linestyle=":")
    left.set(title="ROC", xlabel="false-positive rate", ylabel="true-positive rate")
    right.set(title="Precision and recall", xlabel="recall", ylabel="precision")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", title="areas: ROC, PR", fontsize=7.5)
    add_caption(figure, note)
    return figure
