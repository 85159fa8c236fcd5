"""Figures of how the models behave: under changes, through the live path, and where they look."""

from collections.abc import Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferlib.data.labels import EMOTIONS
from ferlib.plots.parts import human_lines, model_colours, percent, points, spans
from ferlib.plots.style import SPLIT_COLOURS, WIDTH, caption

HEAT = "inferno"


def robustness(studies: Mapping[str, Mapping], note: str) -> Figure:
    """Accuracy against the strength of each change, one small plot a change; the dashed line is without change.

    `studies`: ``{model: what robustness.robustness gave}``.
    """
    first, colours = next(iter(studies.values())), model_colours(studies)
    figure, axes = plt.subplots(2, 5, figsize=(WIDTH, 3.9), sharey=True)
    for axis, (change, about) in zip(axes.flat, first["changes"].items(), strict=True):
        for model, found in studies.items():
            colour = colours[model]
            row = found["changes"][change]
            axis.errorbar(
                range(1, 6), np.multiply(row["accuracy"], 100), yerr=spans(row["accuracy"], row["interval"]), fmt="o-",
                color=colour, markersize=3, linewidth=1.1, capsize=1.5, elinewidth=0.8, label=model,
            )  # fmt: skip
            axis.axhline(percent(found["clean"]["accuracy"]), color=colour, linewidth=0.9, linestyle="--")
        axis.set(title=change, xticks=range(1, 6), ylim=(0, 100))
        axis.title.set_fontsize(8.5)
        axis.set_xticklabels([f"{strength:g}" for strength in about["strengths"]], fontsize=7)
        axis.set_xlabel(about["unit"], fontsize=7)
    for axis in axes[:, 0]:
        axis.set_ylabel("accuracy (%)")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    caption(figure, note)
    return figure


def live_path(rows: Sequence[tuple[str, Mapping]], human: Mapping[str, float | None], note: str) -> Figure:
    """Accuracy on the data set's crops beside that through the whole live path, and the share of faces found.

    `rows`: (name, what `live_path` gave).
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 1.6 + 0.62 * len(rows)))
    kinds = (
        ("crop", "the data set's crops", SPLIT_COLOURS["train"]),
        ("live", "live path, missed = wrong", SPLIT_COLOURS["valid"]),
        ("live_if_found", "live path, found faces", SPLIT_COLOURS["test"]),
    )
    for shift, (kind, name, colour) in zip((-0.22, 0, 0.22), kinds, strict=True):
        shown = [(place + shift, found[kind]) for place, (_, found) in enumerate(rows) if kind in found]
        words = [f"{percent(one['accuracy']):.1f}" for _, one in shown]
        points(axis, shown, "accuracy", colour, name, words)
    human_lines(axis, human)
    names = [f"{name}\nfound {percent(found['found']):.1f} %" for name, found in rows]
    axis.set(yticks=range(len(rows)), yticklabels=names, xlabel="accuracy (%)")
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=3, fontsize=7.5)
    caption(figure, note)
    return figure


def mean_attribution(maps: np.ndarray, counts: np.ndarray, mean_face: np.ndarray, note: str) -> Figure:
    """What each emotion's average Grad-CAM map has more (red) or less (blue) than the mean of all emotions' maps.

    Every map is scaled to the same sum first. The maps themselves all peak in the middle of the face, so that only
    the differences tell the emotions apart.

    `maps`: (8, h, w), NaN for an emotion without one; `counts`: (8,); `mean_face`: (48, 48) uint8.
    """
    shares = maps / np.maximum(maps.sum(axis=(1, 2), keepdims=True), 1e-9)
    known = ~np.isnan(shares).any(axis=(1, 2))
    middle = shares[known].mean(axis=0) if known.any() else np.zeros(maps.shape[1:])
    more = [_enlarged(share - middle, mean_face.shape) for share in shares]
    limit = max([float(np.abs(one).max()) for one, there in zip(more, known, strict=True) if there], default=1.0)
    figure, axes = plt.subplots(2, 4, figsize=(WIDTH, 4.2))
    for axis, emotion, change, there, count in zip(axes.flat, EMOTIONS, more, known, counts, strict=True):
        overlay(axis, mean_face, None)
        if there:
            shown = change / (limit or 1.0)
            axis.imshow(shown, cmap="RdBu_r", vmin=-1.3, vmax=1.3, alpha=np.abs(shown) ** 0.7 * 0.8)
        words = f"{int(count):,} recognised" + ("" if there else ", too few")
        axis.set_title(f"{emotion}\n{words}", fontsize=8.5, loc="center", fontweight="normal")
    caption(figure, note)
    return figure


def attribution_examples(
    faces: Sequence[np.ndarray] | np.ndarray, maps: Sequence[np.ndarray] | np.ndarray, titles: Sequence[str], note: str
) -> Figure:
    """Single faces and their Grad-CAM maps; for drawn faces and the bundled photo only."""
    figure, axes = plt.subplots(2, len(faces), figsize=(WIDTH, 2.15 * WIDTH / len(faces) + 0.35), squeeze=False)
    for (upper, lower), face, attribution, title in zip(axes.T, faces, maps, titles, strict=True):
        overlay(upper, face, None)
        overlay(lower, face, attribution)
        upper.set_title(title, fontsize=7.5, loc="center", fontweight="normal")
    caption(figure, note)
    return figure


def overlay(axis: Axes, face: np.ndarray, attribution: np.ndarray | None) -> None:
    """A grey face, and over it a map of 0 to its maximum, enlarged smoothly to the face's size."""
    axis.imshow(face, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    if attribution is not None:
        large = _enlarged(attribution, face.shape).clip(0)
        large = large / max(float(large.max()), 1e-9)
        axis.imshow(large, cmap=HEAT, vmin=0, vmax=1, alpha=0.25 + 0.4 * large, interpolation="bilinear")
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)


def _enlarged(attribution: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.resize(np.asarray(attribution, np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
