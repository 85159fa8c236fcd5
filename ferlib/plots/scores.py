"""Figures of one model's scores: confusion, classes, curves, training."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.plots.parts import human_lines, model_colours, percent
from ferlib.plots.style import _SOFT, WIDTH, caption


def confusion(matrix: np.ndarray, note: str) -> Figure:
    """Confusion matrix twice: counts, and percent of each row. Rows are labels."""
    matrix = np.asarray(matrix)
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.9), sharey=True)
    counts = np.array([[f"{cell:,}" if cell else "" for cell in row] for row in matrix])
    percents = np.array([[f"{cell:.0f}" if cell >= 0.5 else "" for cell in row] for row in shares])
    for axis, title, cells in zip(axes, ("images", "percent of the label's images"), (counts, percents), strict=True):
        sns.heatmap(
            shares, annot=cells, fmt="", cmap="Blues", vmin=0, vmax=100, cbar=False, square=True, ax=axis,
            linewidths=0.5, xticklabels=EMOTIONS, yticklabels=EMOTIONS, annot_kws={"size": 7},
        )  # fmt: skip
        axis.set(title=title, xlabel="predicted", ylabel="label" if axis is axes[0] else "")
        axis.tick_params(axis="x", rotation=45)
        axis.tick_params(axis="y", rotation=0)
        for tick in axis.get_xticklabels():
            tick.set(ha="right", rotation_mode="anchor")
    caption(figure, note)
    return figure


def class_scores(per_class: Mapping[str, Mapping], note: str) -> Figure:
    """Precision, recall and F1 of each emotion; an undefined one has no bar but a dash."""
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 2.9), sharey=True)
    names = [f"{emotion} ({per_class[emotion]['support']:,})" for emotion in EMOTIONS]
    for axis, score in zip(axes, ("precision", "recall", "f1"), strict=True):
        values = [per_class[emotion][score] for emotion in EMOTIONS]
        shown = [0.0 if value is None else percent(value) for value in values]
        axis.barh(names, shown, color=[COLOURS[emotion] for emotion in EMOTIONS], height=0.72)
        for place, (value, length) in enumerate(zip(values, shown, strict=True)):
            axis.text(length + 1.5, place, "–" if value is None else f"{length:.0f}", va="center", fontsize=7.5)
        axis.set(title="F1" if score == "f1" else score, xlabel="%", xlim=(0, 112), xticks=range(0, 101, 25))
        axis.grid(axis="y", visible=False)
    axes[0].invert_yaxis()
    caption(figure, note)
    return figure


def confused_pairs(pairs: Sequence[Mapping], note: str) -> Figure:
    """The most frequent mistakes, in images, in the label's colour, with their share of the label's images."""
    figure, axis = plt.subplots(figsize=(WIDTH, 1.2 + 0.26 * len(pairs)))
    names = [f"{pair['label']} → {pair['predicted']}" for pair in pairs]
    axis.barh(names, [pair["images"] for pair in pairs], color=[COLOURS[pair["label"]] for pair in pairs], height=0.7)
    for place, pair in enumerate(pairs):
        words = f" {pair['images']:,}  ({percent(pair['share']):.0f} % of {pair['label']})"
        axis.text(pair["images"], place, words, va="center", fontsize=7.5)
    axis.set(xlabel="images", xlim=(0, 1.3 * max([pair["images"] for pair in pairs], default=1)))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    caption(figure, note)
    return figure


def training_curves(histories: Mapping[str, pd.DataFrame], human: Mapping[str, float | None], note: str) -> Figure:
    """Loss and valid accuracy by epoch of each model; a dot is the epoch that was chosen."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.8))
    colours = model_colours(histories)
    for name, history in histories.items():
        colour = colours[name]
        left.plot(history["epoch"], history["train_loss"], color=colour, linewidth=1.3, label=name)
        left.plot(history["epoch"], history["valid_loss"], color=colour, linewidth=1.3, linestyle="--")
        best = history["valid_accuracy"].idxmax()
        right.plot(history["epoch"], 100 * history["valid_accuracy"], color=colour, linewidth=1.3)
        right.plot(history["epoch"][best], 100 * history["valid_accuracy"][best], "o", color=colour, markersize=5)
    human_lines(right, human, upright=False)
    left.set(title="Loss (solid: train, dashed: valid)", xlabel="epoch", ylabel="loss (nats)")
    right.set(title="Accuracy on valid", xlabel="epoch", ylabel="%")
    handles, names = (a + b for a, b in zip(*(axis.get_legend_handles_labels() for axis in (left, right)), strict=True))
    figure.legend(handles, names, loc="outside upper center", ncols=3, fontsize=7.5)
    caption(figure, note)
    return figure


def recall_against_examples(rows: Sequence[Mapping], note: str) -> Figure:
    """Recall of each emotion against its number of training images; `rows`: ``{"emotion", "images", "recall"}``."""
    figure, axis = plt.subplots(figsize=(WIDTH, 3.0))
    known = sorted((row for row in rows if row["recall"] is not None), key=lambda row: row["images"])
    for place, row in enumerate(known):
        point = row["images"], percent(row["recall"])
        axis.scatter(*point, s=60, color=COLOURS[row["emotion"]], zorder=3)
        aside = (7, 2) if place % 2 == 0 else (7, -9)  # neighbours' names must not meet
        axis.annotate(row["emotion"], point, xytext=aside, textcoords="offset points", fontsize=8)
    axis.set(xlabel="training images of the class (log scale)", ylabel="recall (%)", xscale="log", ylim=(-12, 108))
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.set_xlim(right=2 * max((row["images"] for row in rows), default=1))
    caption(figure, note)
    return figure


def roc_and_pr(curves: Mapping[str, Mapping], note: str) -> Figure:
    """One-vs-rest ROC and precision-recall curves of each emotion, with their areas."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    for emotion, curve in curves.items():
        words = f"{emotion}  {curve['roc_auc']:.3f}, {curve['average_precision']:.3f}"
        look = {"color": COLOURS[emotion], "linewidth": 1.3}
        left.plot(curve["fpr"], curve["tpr"], **look, label=words)
        right.plot(curve["recall"], curve["precision"], **look)
    left.plot([0, 1], [0, 1], color=_SOFT, linewidth=0.8, linestyle=":")
    left.set(title="ROC", xlabel="false-positive rate", ylabel="true-positive rate")
    right.set(title="Precision and recall", xlabel="recall", ylabel="precision")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", title="areas: ROC, PR", fontsize=7.5)
    caption(figure, note)
    return figure
