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


def identity_switches(made: Scene, tracker: Tracker | None = None) -> int:
    """How often a person gets another track number than before, or a number that was another person's."""
    tracker = tracker or Tracker()
    track_of: dict[int, int] = {}
    person_of: dict[int, int] = {}
    switches = 0
    for time, faces, people in zip(made.times, made.faces, made.people, strict=True):
        for found, person in zip(tracker.update(faces, time, FRAME), people, strict=True):
            switches += track_of.setdefault(person, found.track) != found.track
            switches += person_of.setdefault(found.track, person) != person
            track_of[person], person_of[found.track] = found.track, person
    return switches
