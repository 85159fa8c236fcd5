"""Figures of the models' behaviour: under changes, through the live path, and where they look."""

from collections.abc import Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferlib.data.labels import EMOTIONS
from ferlib.format import percent
from ferlib.plots.parts import draw_human_lines, draw_points, error_lengths, in_percent, model_colours
from ferlib.plots.style import SPLIT_COLOURS, WIDTH, add_caption

HEAT = "inferno"
"""Colour map of attributions."""


def plot_robustness(studies: Mapping[str, Mapping], note: str) -> Figure:
    """Plot accuracy against the strength of each change, one small plot a change; dashed lines are without change.

    Args:
        studies: ``{model: result of robustness.measure_robustness}``.
        note: the caption.
    """
    first, colours = next(iter(studies.values())), model_colours(studies)
    figure, axes = plt.subplots(2, 5, figsize=(WIDTH, 3.9), sharey=True)
    for axis, (change, about) in zip(axes.flat, first["changes"].items(), strict=True):
        for model, study in studies.items():
            colour = colours[model]
            row = study["changes"][change]
            axis.errorbar(
                range(1, 6), np.multiply(row["accuracy"], 100),
                yerr=error_lengths(row["accuracy"], row["interval"]), fmt="o-", color=colour,
                markersize=3, linewidth=1.1, capsize=1.5, elinewidth=0.8, label=model,
            )  # fmt: skip
            axis.axhline(in_percent(study["clean"]["accuracy"]), color=colour, linewidth=0.9, linestyle="--")
        axis.set(title=change, xticks=range(1, 6), ylim=(0, 100))
        axis.title.set_fontsize(8.5)
        axis.set_xticklabels([f"{strength:g}" for strength in about["strengths"]], fontsize=7)
        axis.set_xlabel(about["unit"], fontsize=7)
    for axis in axes[:, 0]:
        axis.set_ylabel("accuracy (%)")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    add_caption(figure, note)
    return figure


def plot_live_path(rows: Sequence[tuple[str, Mapping]], human: Mapping[str, float | None], note: str) -> Figure:
    """Plot accuracy on the data set's crops beside that through the whole live path, and the share of faces found.

    Args:
        rows: (name, result of `measure_live_path`).
        human: shares of `taggers.human_line`.
        note: the caption.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 1.6 + 0.62 * len(rows)))
    kinds = (
        ("crop", "the data set's crops", SPLIT_COLOURS["train"]),
        ("live", "live path, missed = wrong", SPLIT_COLOURS["valid"]),
        ("live_if_found", "live path, found faces", SPLIT_COLOURS["test"]),
    )
    for shift, (kind, name, colour) in zip((-0.22, 0, 0.22), kinds, strict=True):
        scores = [(place + shift, study[kind]) for place, (_, study) in enumerate(rows) if kind in study]
        draw_points(axis, scores, "accuracy", colour, name, [percent(score["accuracy"]) for _, score in scores])
    draw_human_lines(axis, human)
    names = [f"{name}\nfound {percent(study['found'])} %" for name, study in rows]
    axis.set(yticks=range(len(rows)), yticklabels=names, xlabel="accuracy (%)")
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=3, fontsize=7.5)
    add_caption(figure, note)
    return figure


def plot_mean_attribution(maps: np.ndarray, counts: np.ndarray, mean_face: np.ndarray, note: str) -> Figure:
    """Plot the difference of each emotion's average Grad-CAM map from the mean of all emotions' maps.

    Red is above the mean, blue below. Every map is scaled to the same sum first. The maps themselves all peak in the
    middle of the face, so that only the differences tell the emotions apart.

    Args:
        maps: (8, h, w), NaN for an emotion without one.
        counts: (8,) numbers of recognised faces.
        mean_face: (48, 48) uint8.
        note: the caption.
    """
    shares = maps / np.maximum(maps.sum(axis=(1, 2), keepdims=True), 1e-9)
    known = ~np.isnan(shares).any(axis=(1, 2))
    mean = shares[known].mean(axis=0) if known.any() else np.zeros(maps.shape[1:])
    differences = [_enlarged(share - mean, mean_face.shape) for share in shares]
    limit = max([float(np.abs(differences[index]).max()) for index in np.flatnonzero(known)], default=1.0)
    figure, axes = plt.subplots(2, 4, figsize=(WIDTH, 4.2))
    for axis, emotion, difference, is_known, count in zip(axes.flat, EMOTIONS, differences, known, counts, strict=True):
        draw_overlay(axis, mean_face, None)
        if is_known:
            scaled = difference / (limit or 1.0)
            axis.imshow(scaled, cmap="RdBu_r", vmin=-1.3, vmax=1.3, alpha=np.abs(scaled) ** 0.7 * 0.8)
        subtitle = f"{int(count):,} recognised" + ("" if is_known else ", too few")
        axis.set_title(f"{emotion}\n{subtitle}", fontsize=8.5, loc="center", fontweight="normal")
    add_caption(figure, note)
    return figure


def plot_attribution_examples(
    faces: Sequence[np.ndarray] | np.ndarray, maps: Sequence[np.ndarray] | np.ndarray, titles: Sequence[str], note: str
) -> Figure:
    """Plot single faces and their Grad-CAM maps; for drawn faces and the bundled photo only.

    Args:
        faces: N pictures (H, W) uint8.
        maps: N attributions (h, w).
        titles: N titles.
        note: the caption.
    """
    figure, axes = plt.subplots(2, len(faces), figsize=(WIDTH, 2.15 * WIDTH / len(faces) + 0.35), squeeze=False)
    for (upper, lower), face, attribution, title in zip(axes.T, faces, maps, titles, strict=True):
        draw_overlay(upper, face, None)
        draw_overlay(lower, face, attribution)
        upper.set_title(title, fontsize=7.5, loc="center", fontweight="normal")
    add_caption(figure, note)
    return figure


def draw_overlay(axis: Axes, face: np.ndarray, attribution: np.ndarray | None) -> None:
    """Draw a grey face, and over it an attribution from 0 to its maximum, enlarged smoothly to the face's size.

    Args:
        axis: the plot.
        face: (H, W) uint8.
        attribution: (h, w); None: the face alone.
    """
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
