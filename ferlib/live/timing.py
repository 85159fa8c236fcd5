"""Time of each step of the live demo: medians and 95th percentiles over the last frames, in bounded memory."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

import numpy as np

KERNEL_STAGES = ("decode", "detect", "crop", "classify", "track", "kernel")
"""Steps in the kernel in their order; ``kernel`` is their sum and what lies between them."""

BROWSER_STAGES = ("draw", "round trip")
"""Steps that the browser measures: drawing an answer, and the time from a frame to its drawn answer."""

_WINDOW = 300  # frames


class Stopwatch:
    """Milliseconds of named steps of one frame."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self._started = perf_counter()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a block, also when it raises.

        Args:
            name: key of the time in `milliseconds`.
        """
        started = perf_counter()
        try:
            yield
        finally:
            self.milliseconds[name] = 1000 * (perf_counter() - started)

    def stop(self) -> dict[str, float]:
        """Give the milliseconds of all steps and of ``kernel``, the time since the start, rounded to 0.01 ms."""
        self.milliseconds["kernel"] = 1000 * (perf_counter() - self._started)
        return {name: round(value, 2) for name, value in self.milliseconds.items()}


class Latency:
    """Milliseconds of each stage over the last 300 frames, and counts of frames.

    Attributes:
        answered: frames that were answered, the failed ones included.
        failed: frames whose answer was an error.
        dropped: frames that the camera gave while an older one was under way.
    """

    def __init__(self) -> None:
        self.answered = self.failed = self.dropped = 0
        self._stages: dict[str, deque[float]] = {
            name: deque(maxlen=_WINDOW) for name in (*KERNEL_STAGES, *BROWSER_STAGES)
        }

    def add(self, milliseconds: Mapping[str, float]) -> None:
        """Add the stages of one frame.

        Args:
            milliseconds: stage -> time; unknown stages and values that are no number of at least 0 do not count.
        """
        for name, value in milliseconds.items():
            usable = isinstance(value, int | float) and np.isfinite(value) and value >= 0
            if name in self._stages and usable:
                self._stages[name].append(float(value))

    def summary(self) -> dict[str, dict[str, float]]:
        """Summarise the stages that were measured, in their order: ``{stage: {"p50": ms, "p95": ms, "n": frames}}``."""
        percentiles = {}
        for name, values in self._stages.items():
            if values:
                middle, high = np.percentile(list(values), [50, 95])
                percentiles[name] = {"p50": round(float(middle), 1), "p95": round(float(high), 1), "n": len(values)}
        return percentiles
