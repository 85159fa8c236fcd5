"""The figures of the study: one style, fixed class colours, and a caption line with n and protocol under each.

Every function takes plain numbers and gives a matplotlib Figure; `save` writes it so that the same numbers always
give the same bytes.
"""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.files import atomic_path

WIDTH = 7.2  # inches: a text column
_CAPTION = 18  # characters of a caption an inch
_INK, _SOFT = "#222222", "#8A8A8A"
SPLIT_COLOURS = {"train": "#33598A", "valid": "#E69F00", "test": "#009E73"}


def use_style() -> None:
    """Set the style of all figures: white, thin grid, sans-serif at 9 points."""
    sns.set_theme(
        context="paper",
        style="whitegrid",
        rc={
            "figure.dpi": 100, "savefig.dpi": 160, "font.size": 9, "axes.titlesize": 10,
            "axes.labelsize": 9, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "legend.fontsize": 8.5,
            "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.edgecolor": _SOFT, "axes.linewidth": 0.8,
            "axes.spines.top": False, "axes.spines.right": False, "grid.color": "#E4E4E4", "grid.linewidth": 0.6,
            "text.color": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
            "legend.frameon": False, "figure.constrained_layout.use": True, "svg.hashsalt": "ferlib",
        },
    )  # fmt: skip


def save(figure: Figure, path: str | Path) -> Path:
    """Write `figure` atomically as the suffix says (PNG or PDF), undated, so that equal figures are equal files."""
    metadata = {"Software": None} if Path(path).suffix == ".png" else {"CreationDate": None}
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata=metadata)
    return Path(path)


def caption(figure: Figure, text: str) -> None:
    """Small grey lines under the figure: units, n, protocol."""
    width = round(_CAPTION * figure.get_figwidth())
    figure.supxlabel(textwrap.fill(text, width), fontsize=7.5, color="#555555", x=0.01, ha="left")


def emotion_strips(
    strips: Mapping[str, tuple[Sequence[float], Sequence[str]]], note: str, step: float | None = None
) -> Figure:
    """Labels over time: one strip a name, in the colours of the classes.

    `strips` is ``{name: (seconds, emotions)}``; a label lasts until the next one, but no longer than `step` seconds
    (None: as long as it takes), so that a gap is white. The legend names the emotions that occur.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 0.34 * len(strips) + 1.3))
    seen = {label for _, labels in strips.values() for label in labels}
    for row, (seconds, labels) in enumerate(strips.values()):
        times = np.asarray(seconds, float)
        lasting = np.diff(times, append=times[-1:] + (np.median(np.diff(times)) if len(times) > 1 else 0.1))
        lasting = lasting if step is None else np.minimum(lasting, step)
        colours = [COLOURS[label] for label in labels]
        axis.barh(np.full(len(times), row), lasting, left=times, height=0.66, color=colours, linewidth=0)
    axis.set(xlabel="seconds", yticks=range(len(strips)), yticklabels=list(strips))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[name]) for name in EMOTIONS if name in seen]
    names = [name for name in EMOTIONS if name in seen]
    axis.legend(handles, names, ncols=len(names), loc="lower center", bbox_to_anchor=(0.5, 1), handlelength=1)
    caption(figure, note)
    return figure


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
