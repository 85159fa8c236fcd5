"""Steady labels from unsteady frames: smoothed probabilities, a label with hysteresis, and what both cost and bring.

Everything here counts in seconds, so that a slow machine (few frames) and a fast one (many) behave alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError

TIME_CONSTANT = 0.3  # seconds; chosen with MARGIN on `sequences.expressions`: see `measure_smoothing`
MARGIN = 0.08  # of probability


class LabelSmoother:
    """The running probabilities and the label of one face.

    The probabilities are a weighted mean of all frames so far; a frame that is `age` seconds old weighs
    ``exp(-age / time_constant)``. The label changes only when another class leads by more than `margin`.

    Args:
        time_constant: seconds; 0 takes each frame as it is.
        margin: probability by which a new label must lead; 0 always takes the greatest.
    """

    def __init__(self, time_constant: float = TIME_CONSTANT, margin: float = MARGIN):
        if not (time_constant >= 0 and margin >= 0):
            raise FerlibError(f"time_constant ({time_constant}) and margin ({margin}) must be 0 or more.")
        self.time_constant, self.margin = time_constant, margin
        self._sum: np.ndarray | None = None
        self._weight = 0.0
        self._time = 0.0
        self._label: int | None = None

    def update(self, probabilities: np.ndarray, time: float) -> tuple[np.ndarray, int]:
        """The smoothed (8,) float32 probabilities and the class index of the label, after a frame at `time` seconds.

        A time before the last one counts as the same moment.
        """
        new = np.asarray(probabilities, np.float64)
        kept = self._kept(max(0.0, time - self._time)) if self._sum is not None else 0.0
        self._sum = new if kept == 0 or self._sum is None else kept * self._sum + new
        self._weight = kept * self._weight + 1
        self._time = max(time, self._time)
        mean = self._sum / self._weight
        best = int(mean.argmax())
        if self._label is None or mean[best] > mean[self._label] + self.margin:
            self._label = best
        return mean.astype(np.float32), self._label

    def _kept(self, seconds: float) -> float:
        return exp(-seconds / self.time_constant) if self.time_constant > 0 else 0.0


@dataclass(frozen=True)
class SmoothingReport:
    """What smoothing did to one sequence whose true labels are known."""

    flicker_before: float  # label changes a second, beyond the true ones, of the frames as they are
    flicker_after: float  # the same, smoothed
    delay: float | None  # mean seconds from a true change to the new label; None when no change was followed
    missed: int  # true changes that the smoothed label did not follow before the next one

    @property
    def reduction(self) -> float:
        """Share of the flicker that is gone, 0..1 (negative: there is more of it); 0 when there was none."""
        return 1 - self.flicker_after / self.flicker_before if self.flicker_before else 0.0


def flicker(
    labels: Sequence[int] | np.ndarray, times: Sequence[float], truth: Sequence[int] | np.ndarray | None = None
) -> float:
    """Label changes a second; with the true labels, only the changes beyond theirs (0 or more).

    Raises FerlibError when the three differ in length. A sequence without duration has no flicker.
    """
    if len(labels) != len(times) or (truth is not None and len(truth) != len(labels)):
        raise FerlibError("flicker needs one time, and one true label if any, for each label.")
    duration = times[-1] - times[0] if len(times) else 0.0
    wanted = 0 if truth is None else _changes(truth)
    return max(0, _changes(labels) - wanted) / duration if duration > 0 else 0.0


def smooth(
    probabilities: np.ndarray, times: Sequence[float], time_constant: float = TIME_CONSTANT, margin: float = MARGIN
) -> tuple[np.ndarray, np.ndarray]:
    """A whole sequence at once: (N, 8) probabilities of a face at N times -> the smoothed ones and (N,) labels."""
    smoother = LabelSmoother(time_constant, margin)
    steps = [smoother.update(row, time) for row, time in zip(probabilities, times, strict=True)]
    means = np.array([mean for mean, _ in steps], np.float32).reshape(-1, len(EMOTIONS))
    return means, np.array([label for _, label in steps], int)


def measure_smoothing(
    probabilities: np.ndarray,
    times: Sequence[float],
    truth: Sequence[int] | np.ndarray,
    time_constant: float = TIME_CONSTANT,
    margin: float = MARGIN,
) -> SmoothingReport:
    """Flicker before and after, and the delay, on a sequence with known labels.

    Args:
        probabilities: (N, 8), one row a frame, all of one face.
        times: N seconds, rising.
        truth: N class indices.
        time_constant: see `LabelSmoother`.
        margin: see `LabelSmoother`.
    """
    _, labels = smooth(probabilities, times, time_constant, margin)
    raw = np.asarray(probabilities).argmax(axis=1)
    truth = np.asarray(truth)
    starts = [index for index in range(1, len(truth)) if truth[index] != truth[index - 1]]
    delays = []
    for start, end in zip(starts, [*starts[1:], len(truth)], strict=True):
        reached = [index for index in range(start, end) if labels[index] == truth[start]]
        if reached:
            delays.append(times[reached[0]] - times[start])
    return SmoothingReport(
        flicker_before=flicker(raw, times, truth),
        flicker_after=flicker(labels, times, truth),
        delay=float(np.mean(delays)) if delays else None,
        missed=len(starts) - len(delays),
    )


def _changes(labels: Sequence[int] | np.ndarray) -> int:
    values = np.asarray(labels)
    return int((values[1:] != values[:-1]).sum())
