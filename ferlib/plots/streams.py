"""Figures of emotions over time."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.plots.style import WIDTH, add_caption


def plot_emotion_strips(
    strips: Mapping[str, tuple[Sequence[float], Sequence[str]]], note: str, step: float | None = None
) -> Figure:
    """Plot labels over time: one strip a name, in the colours of the classes; the legend names those that occur.

    Args:
        strips: ``{name: (seconds, emotions)}``.
        note: the caption.
        step: a label lasts until the next one, but no longer than these seconds, so that a gap is white; None: as long
            as it takes.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 0.34 * len(strips) + 1.3))
    present = {label for _, labels in strips.values() for label in labels}
    for row, (seconds, labels) in enumerate(strips.values()):
        times = np.asarray(seconds, float)
        durations = np.diff(times, append=times[-1:] + (np.median(np.diff(times)) if len(times) > 1 else 0.1))
        durations = durations if step is None else np.minimum(durations, step)
        colours = [COLOURS[label] for label in labels]
        axis.barh(np.full(len(times), row), durations, left=times, height=0.66, color=colours, linewidth=0)
    axis.set(xlabel="seconds", yticks=range(len(strips)), yticklabels=list(strips))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[name]) for name in EMOTIONS if name in present]
    names = [name for name in EMOTIONS if name in present]
    axis.legend(handles, names, ncols=len(names), loc="lower center", bbox_to_anchor=(0.5, 1), handlelength=1)
    add_caption(figure, note)
    return figure
