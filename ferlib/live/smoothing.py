"""Steady labels from unsteady frames: smoothed probabilities and a label with hysteresis.

Everything here counts in seconds, so that a slow machine (few frames) and a fast one (many) behave alike.
"""

from math import exp

import numpy as np

from ferlib.errors import FerlibError

TIME_CONSTANT = 0.3  # seconds; chosen with MARGIN on `samples.streams.expressions`; see `bench.streams`
MARGIN = 0.08  # of probability


class LabelSmoother:
    """The running probabilities and the label of one face.

    The probabilities are a weighted mean of all frames so far; a frame that is `age` seconds old weighs
    ``exp(-age / time_constant)``. The label changes only when another class leads by more than `margin`.

    Args:
        time_constant: seconds; 0 takes each frame as it is.
        margin: probability by which a new label must lead; 0 always takes the greatest.

    Raises:
        FerlibError: a value is negative.
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
        """Take the probabilities of one more frame.

        Args:
            probabilities: (8,) in class order.
            time: of the frame, seconds; a time before the last one counts as the same moment.

        Returns:
            The smoothed (8,) float32 probabilities, and the class index of the label.
        """
        new = np.asarray(probabilities, np.float64)
        decay = self._decay(max(0.0, time - self._time)) if self._sum is not None else 0.0
        self._sum = new if decay == 0 or self._sum is None else decay * self._sum + new
        self._weight = decay * self._weight + 1
        self._time = max(time, self._time)
        mean = self._sum / self._weight
        best = int(mean.argmax())
        if self._label is None or mean[best] > mean[self._label] + self.margin:
            self._label = best
        return mean.astype(np.float32), self._label

    def _decay(self, seconds: float) -> float:
        return exp(-seconds / self.time_constant) if self.time_constant > 0 else 0.0
