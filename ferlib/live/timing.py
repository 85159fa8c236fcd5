"""How long each step of the live demo takes: medians and 95th percentiles over the last frames, in bounded memory."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

import numpy as np

KERNEL_STAGES = ("decode", "detect", "crop", "classify", "track", "kernel")
"""Steps in the kernel in their order; ``kernel`` is all of them together."""

BROWSER_STAGES = ("draw", "round trip")
"""What the browser measures: drawing an answer, and the time from a frame to its drawn answer."""

_KEPT = 300  # frames


class Stopwatch:
    """Milliseconds of named steps of one frame."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self._started = perf_counter()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the block under `name`, also when it raises."""
        started = perf_counter()
        try:
            yield
        finally:
            self.milliseconds[name] = 1000 * (perf_counter() - started)

    def stop(self) -> dict[str, float]:
        """All steps and ``kernel``, the whole, rounded to 0.01 ms."""
        self.milliseconds["kernel"] = 1000 * (perf_counter() - self._started)
        return {name: round(value, 2) for name, value in self.milliseconds.items()}


class Latency:
    """Collects the milliseconds of each stage over the last 300 frames, and counts frames."""

    def __init__(self) -> None:
        self.answered = 0  # frames that were answered, the failed ones included
        self.failed = 0  # frames whose answer was an error
        self.dropped = 0  # frames that the camera gave while an older one was under way
        self._stages: dict[str, deque[float]] = {
            name: deque(maxlen=_KEPT) for name in (*KERNEL_STAGES, *BROWSER_STAGES)
        }

    def add(self, milliseconds: Mapping[str, float]) -> None:
        """Note stages of a frame; unknown names and values that are no number of at least 0 do not count."""
        for name, value in milliseconds.items():
            usable = isinstance(value, int | float) and np.isfinite(value) and value >= 0
            if name in self._stages and usable:
                self._stages[name].append(float(value))

    def summary(self) -> dict[str, dict[str, float]]:
        """``{stage: {"p50": ms, "p95": ms, "n": frames}}`` of the stages that were measured, in their order."""
        found = {}
        for name, values in self._stages.items():
            if values:
                middle, high = np.percentile(list(values), [50, 95])
                found[name] = {"p50": round(float(middle), 1), "p95": round(float(high), 1), "n": len(values)}
        return found
