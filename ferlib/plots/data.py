"""Figures of the data: classes, votes, copies and faces."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.plots.parts import draw_heat_map
from ferlib.plots.style import INK, SPLIT_COLOURS, WIDTH, add_caption

_REASON_COLOURS = (
    "#0173B2", "#DE8F05", "#029E73", "#D55E00", "#CC78BC", "#CA9161", "#FBAFE4", "#949494", "#ECE133", "#56B4E9",
)  # fmt: skip


def plot_class_balance(counts: Mapping[str, Mapping[str, int]], note: str) -> Figure:
    """Plot the share of each emotion in each split, with the number of images at each bar's end.

    Args:
        counts: ``{split: {emotion: images}}``.
        note: the caption.
    """
    figure, axes = plt.subplots(1, len(counts), figsize=(WIDTH, 2.9), sharey=True)
    for axis, (split, row) in zip(np.atleast_1d(axes), counts.items(), strict=True):
        values = np.array([row[emotion] for emotion in EMOTIONS], dtype=float)
        shares = 100 * values / max(values.sum(), 1)
        axis.barh(EMOTIONS, shares, color=[COLOURS[emotion] for emotion in EMOTIONS], height=0.72)
        for index, (share, value) in enumerate(zip(shares, values, strict=True)):
            axis.text(share + 0.8, index, f"{int(value):,}", va="center", fontsize=7.5, color=INK)
        axis.set(title=f"{split}: {int(values.sum()):,} images", xlabel="share (%)", xlim=(0, shares.max() * 1.25))
        axis.grid(axis="y", visible=False)
    np.atleast_1d(axes)[0].invert_yaxis()
    add_caption(figure, note)
    return figure


def plot_vote_rules(outcomes: pd.DataFrame, note: str) -> Figure:
    """Plot the images that each FER+ rule drops, and why, as stacked bars; those it keeps stand beside its name.

    Args:
        outcomes: one row a rule, numbers of images; the column "kept" first, then one column a reason.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 0.5 * len(outcomes) + 1.5))
    names = [f"{rule}\n{count:,} kept" for rule, count in outcomes["kept"].items()]
    reasons = outcomes.drop(columns="kept")
    left = np.zeros(len(outcomes))
    for reason, colour in zip(reasons, _REASON_COLOURS, strict=False):
        axis.barh(names, reasons[reason], left=left, color=colour, label=reason, height=0.62)
        left += reasons[reason].to_numpy()
    for index, dropped in enumerate(left):
        axis.text(dropped + 0.01 * left.max(), index, f"{int(dropped):,}", va="center", fontsize=8)
    axis.set(xlabel="images dropped", xlim=(0, 1.1 * max(left.max(), 1)))
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.legend(loc="lower right", title="why")
    add_caption(figure, note)
    return figure


def plot_seen_by_meant(table: pd.DataFrame, note: str) -> Figure:
    """Plot what people see in the faces of each emotion that was meant, in percent of the row.

    Args:
        table: images, one row for each emotion that was meant, one column for each that people see.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 2.9))
    shares = 100 * table.div(table.sum(axis=1).clip(lower=1), axis=0)
    texts = shares.map("{:.0f}".format)
    names = [f"{name}, {count:,}" for name, count in table.sum(axis=1).items()]
    draw_heat_map(axis, shares.to_numpy(), texts.to_numpy(), list(table.columns), names, highest=100)
    axis.set(title="What people see, in percent of the row", ylabel="meant as (images)")
    add_caption(figure, note)
    return figure


def plot_copies_and_leaks(
    table: pd.DataFrame, totals: Mapping[str, int], sizes: Mapping[int, int], note: str
) -> Figure:
    """Plot the share of each split's images whose photo also sits in another split, and the sizes of groups of copies.

    Args:
        table: `cleaning.leak_table`, images.
        totals: ``{split: images}``.
        sizes: ``{images in the group: groups}``.
        note: the caption.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.9), width_ratios=(1.1, 1))
    shares = 100 * table.div(pd.Series(totals), axis=0)
    texts = shares.map("{:.1f} %".format) + "\n" + table.map("{:,}".format)
    draw_heat_map(
        left, shares.to_numpy(), texts.to_numpy(), list(table.columns), list(table.index), highest=shares.max(axis=None)
    )
    left.set(title="Images with a copy in …", ylabel="images of")
    draw_group_sizes(right, sizes)
    add_caption(figure, note)
    return figure


def draw_group_sizes(axis: Axes, sizes: Mapping[int, int]) -> None:
    """Draw bars of the number of groups of 2, 3, ... copies, those above 8 together, on a log scale.

    Args:
        axis: the plot.
        sizes: ``{images in the group: groups}``.
    """
    pooled = {str(size): 0 for size in range(2, 9)} | {"9+": 0}
    for size, groups in sizes.items():
        pooled[str(size) if size < 9 else "9+"] += groups
    bars = axis.bar(list(pooled), list(pooled.values()), color=SPLIT_COLOURS["train"], width=0.7)
    axis.bar_label(bars, labels=[f"{value:,}" for value in pooled.values()], fontsize=7.5, padding=1)
    axis.set(title="Groups of copies", xlabel="images in the group", ylabel="groups (log scale)", yscale="symlog")
    axis.grid(axis="x", visible=False)
    axis.set_ylim(top=max(pooled.values()) * 3 + 1)


def plot_face_grid(rows: Mapping[str, np.ndarray], columns: list[str]) -> Figure:
    """Plot grey faces in rows with a name each; for drawn faces only.

    Args:
        rows: ``{name: (n, H, W) uint8}``.
        columns: n titles.
    """
    figure, axes = plt.subplots(len(rows), len(columns), figsize=(len(columns), len(rows) + 0.3), squeeze=False)
    for row_axes, (name, faces) in zip(axes, rows.items(), strict=True):
        for axis, face in zip(row_axes, faces, strict=True):
            axis.imshow(face, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
            axis.spines[:].set_visible(False)
        row_axes[0].set_ylabel(name, fontsize=8.5)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title, fontsize=8.5, loc="center", fontweight="normal")
    return figure


def plot_votes(votes: np.ndarray, names: list[str], titles: list[str], faces: np.ndarray) -> Figure:
    """Plot a few drawn faces, each with its ten taggers' votes as bars.

    Args:
        votes: (n, K) counts.
        names: names of the K columns.
        titles: n titles.
        faces: (n, H, W) uint8.
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
