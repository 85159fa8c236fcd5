"""Figures of emotions over time."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.plots.style import WIDTH, caption


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
