"""Measures of tracking and smoothing on streams with known truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.live.smoothing import MARGIN, TIME_CONSTANT, LabelSmoother
from ferlib.live.tracking import Tracker
from ferlib.samples.streams import FRAME, Scene


@dataclass(frozen=True)
class SmoothingReport:
    """Effect of smoothing on a sequence whose true labels are known.

    Attributes:
        flicker_before: label changes a second, beyond the true ones, of each frame's own label.
        flicker_after: label changes a second, beyond the true ones, of the smoothed label.
        delay: mean seconds from a true change to the new label; None when no change was followed.
        missed: true changes that the smoothed label did not follow before the next one.
    """

    flicker_before: float
    flicker_after: float
    delay: float | None
    missed: int

    @property
    def reduction(self) -> float:
        """Share of the flicker that is gone, 0..1 (negative: there is more of it); 0 when there was none."""
        return 1 - self.flicker_after / self.flicker_before if self.flicker_before else 0.0


def flicker(
    labels: Sequence[int] | np.ndarray, times: Sequence[float], truth: Sequence[int] | np.ndarray | None = None
) -> float:
    """Label changes a second; with the true labels, only the changes beyond theirs (0 or more).

    Args:
        labels: N class indices.
        times: N seconds, rising; a sequence without duration has no flicker.
        truth: N true class indices, or None.

    Raises:
        FerlibError: the three differ in length.
    """
    if len(labels) != len(times) or (truth is not None and len(truth) != len(labels)):
        raise FerlibError("flicker needs one time, and one true label if any, for each label.")
    duration = times[-1] - times[0] if len(times) else 0.0
    true_changes = 0 if truth is None else _changes(truth)
    return max(0, _changes(labels) - true_changes) / duration if duration > 0 else 0.0


def smooth_sequence(
    probabilities: np.ndarray, times: Sequence[float], time_constant: float = TIME_CONSTANT, margin: float = MARGIN
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth a sequence of one face's probabilities at once.

    Args:
        probabilities: (N, 8), one row a frame.
        times: N seconds, rising.
        time_constant: see `LabelSmoother`.
        margin: see `LabelSmoother`.

    Returns:
        The smoothed probabilities, (N, 8) float32, and the labels, (N,) class indices.
    """
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
    """Measure flicker before and after smoothing, and its delay, on a sequence with known labels.

    Args:
        probabilities: (N, 8), one row a frame, all of one face.
        times: N seconds, rising.
        truth: N class indices.
        time_constant: see `LabelSmoother`.
        margin: see `LabelSmoother`.
    """
    _, labels = smooth_sequence(probabilities, times, time_constant, margin)
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


def identity_switches(scene: Scene, tracker: Tracker | None = None) -> int:
    """Number of times that a person gets another track number than before, or one that was another person's.

    Args:
        scene: faces over time with the person of each.
        tracker: the tracker to test; None: a new one.
    """
    tracker = tracker or Tracker()
    track_of: dict[int, int] = {}
    person_of: dict[int, int] = {}
    switches = 0
    for time, faces, people in zip(scene.times, scene.faces, scene.people, strict=True):
        for face, person in zip(tracker.update(faces, time, FRAME), people, strict=True):
            switches += track_of.setdefault(person, face.track) != face.track
            switches += person_of.setdefault(face.track, person) != person
            track_of[person], person_of[face.track] = face.track, person
    return switches
