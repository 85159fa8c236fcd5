"""Steady labels from unsteady frames: smoothed probabilities, a label with hysteresis, and what both cost and bring.

Everything here counts in seconds, so that a slow machine (few frames) and a fast one (many) behave alike.
"""

from math import exp

import numpy as np

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
