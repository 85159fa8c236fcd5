"""Figures of the data: classes, votes, copies and faces."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.plots.style import _INK, SPLIT_COLOURS, WIDTH, caption


def class_balance(counts: Mapping[str, Mapping[str, int]], note: str) -> Figure:
    """Share of each emotion in each split.

    `counts` is ``{split: {emotion: images}}``; the number of images stands at each bar's end.
    """
    figure, axes = plt.subplots(1, len(counts), figsize=(WIDTH, 2.9), sharey=True)
    for axis, (split, row) in zip(np.atleast_1d(axes), counts.items(), strict=True):
        values = np.array([row[emotion] for emotion in EMOTIONS], dtype=float)
        shares = 100 * values / max(values.sum(), 1)
        axis.barh(EMOTIONS, shares, color=[COLOURS[emotion] for emotion in EMOTIONS], height=0.72)
        for index, (share, value) in enumerate(zip(shares, values, strict=True)):
            axis.text(share + 0.8, index, f"{int(value):,}", va="center", fontsize=7.5, color=_INK)
        axis.set(title=f"{split}: {int(values.sum()):,} images", xlabel="share (%)", xlim=(0, shares.max() * 1.25))
        axis.invert_yaxis() if axis is np.atleast_1d(axes)[0] else None
        axis.grid(axis="y", visible=False)
    caption(figure, note)
    return figure


def vote_rules(outcomes: pd.DataFrame, note: str) -> Figure:
    """How many images each FER+ rule drops and why, as stacked bars; what it keeps stands beside its name.

    `outcomes`: one row a rule, images; the column "kept" first, then one column a reason.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 0.5 * len(outcomes) + 1.5))
    names = [f"{rule}\n{kept:,} kept" for rule, kept in outcomes["kept"].items()]
    reasons = outcomes.drop(columns="kept")
    left = np.zeros(len(outcomes))
    for reason, colour in zip(reasons, sns.color_palette("colorblind"), strict=False):
        axis.barh(names, reasons[reason], left=left, color=colour, label=reason, height=0.62)
        left += reasons[reason].to_numpy()
    for index, dropped in enumerate(left):
        axis.text(dropped + 0.01 * left.max(), index, f"{int(dropped):,}", va="center", fontsize=8)
    axis.set(xlabel="images dropped", xlim=(0, 1.1 * max(left.max(), 1)))
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.legend(loc="lower right", title="why")
    caption(figure, note)
    return figure


def leaks(table: pd.DataFrame, totals: Mapping[str, int], sizes: Mapping[int, int], note: str) -> Figure:
    """Left: share of each split's images whose photo also sits in another split. Right: sizes of the groups of copies.

    Args:
        table: `cleaning.leak_table`, images.
        totals: ``{split: images}``.
        sizes: ``{images in the group: groups}``.
        note: the caption line.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.9), width_ratios=(1.1, 1))
    shares = 100 * table.div(pd.Series(totals), axis=0)
    words = shares.map("{:.1f} %".format) + "\n" + table.map("{:,}".format)
    sns.heatmap(
        shares, annot=words, fmt="", cmap="Blues", cbar=False, ax=left, linewidths=1, vmin=0, annot_kws={"size": 8}
    )
    left.set(title="Images with a copy in …", ylabel="images of", xlabel="")
    left.tick_params(axis="y", rotation=0)
    group_sizes(right, sizes)
    caption(figure, note)
    return figure


def group_sizes(axis: Axes, sizes: Mapping[int, int]) -> None:
    """Bars of how many groups of copies have 2, 3, ... images, those above 8 together, on a log scale."""
    pooled = {str(size): 0 for size in range(2, 9)} | {"9+": 0}
    for size, groups in sizes.items():
        pooled[str(size) if size < 9 else "9+"] += groups
    bars = axis.bar(list(pooled), list(pooled.values()), color=SPLIT_COLOURS["train"], width=0.7)
    axis.bar_label(bars, labels=[f"{value:,}" for value in pooled.values()], fontsize=7.5, padding=1)
    axis.set(title="Groups of copies", xlabel="images in the group", ylabel="groups (log scale)", yscale="symlog")
    axis.grid(axis="x", visible=False)
    axis.set_ylim(top=max(pooled.values()) * 3 + 1)


def face_grid(rows: Mapping[str, np.ndarray], columns: list[str]) -> Figure:
    """Grey faces in rows with a name each; for drawn faces only.

    `rows`: ``{name: (n, H, W) uint8}``, all with as many faces as `columns` has titles.
    """
    figure, axes = plt.subplots(len(rows), len(columns), figsize=(len(columns), len(rows) + 0.3), squeeze=False)
    for line, (name, faces) in zip(axes, rows.items(), strict=True):
        for axis, face in zip(line, faces, strict=True):
            axis.imshow(face, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
            axis.spines[:].set_visible(False)
        line[0].set_ylabel(name, fontsize=8.5)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title, fontsize=8.5, loc="center", fontweight="normal")
    return figure


def votes_of_a_face(votes: np.ndarray, names: list[str], titles: list[str], faces: np.ndarray) -> Figure:
    """A few drawn faces, each with its ten taggers' votes as bars.

    Args:
        votes: (n, K) counts; names: the K columns; titles: n lines; faces: (n, H, W) uint8.
    """
    figure, axes = plt.subplots(2, len(faces), figsize=(WIDTH, 3.2), height_ratios=(1, 1.35))
    for index, (face, row, title) in enumerate(zip(faces, votes, titles, strict=True)):
        axes[0, index].imshow(face, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes[0, index].set_title(title, fontsize=8, loc="center", fontweight="normal")
        axes[0, index].axis("off")
        axes[1, index].barh(names, row, color=SPLIT_COLOURS["train"], height=0.7)
        axes[1, index].set(xlim=(0, 10), xlabel="votes")
        axes[1, index].invert_yaxis()
        axes[1, index].tick_params(labelleft=index == 0, labelsize=7.5)
        axes[1, index].grid(axis="y", visible=False)
    return figure
