"""Worker threads for short jobs, kept on different cores meanwhile.

Linux wakes a thread on the core of the one that wakes it more often than not when both have just rested: on a machine
of two cores, jobs of half a millisecond then queue on one core while the other idles. Measured with four faces at
640x480: 16 ms a frame when the kernel places both threads, 11 when they are kept apart, 18 with one thread.
"""

import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers:
    """Threads that share jobs: the caller and helpers, which end with the object; calls must not overlap.

    Args:
        threads: number of threads, the caller included.
        name: beginning of the helpers' names, for debuggers.

    Attributes:
        threads: as given.
    """

    def __init__(self, threads: int, name: str = "ferlib-worker") -> None:
        self.threads = threads
        self._helpers = [ThreadPoolExecutor(1, f"{name}-{number}") for number in range(1, threads)]
        self._ids = [helper.submit(threading.get_native_id).result() for helper in self._helpers]

    def share(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> list[Result]:
        """Do jobs; whichever thread is free draws the next one.

        Only one thread at a time draws, so `jobs` may be a generator with work that would not gain from threads. An
        error in it or in a job ends the drawing, and is raised here when all begun jobs are done.

        Args:
            work: function of one job.
            jobs: its arguments.

        Returns:
            The results in the order of the jobs.
        """
        if not self._helpers:
            return [work(job) for job in jobs]
        lock = threading.Lock()
        remaining: Iterator[tuple[int, Job]] = enumerate(jobs)
        results: dict[int, Result] = {}

        def take(drawn: tuple[int, Job] | None) -> None:
            nonlocal remaining
            try:
                while drawn is not None:
                    number, job = drawn
                    results[number] = work(job)
                    drawn = draw()
            except BaseException:
                with lock:
                    remaining = iter(())
                raise

        def draw() -> tuple[int, Job] | None:
            with lock:
                return next(remaining, None)

        first = draw()  # before the others wake, who would want the interpreter meanwhile
        others = [helper.submit(lambda: take(draw())) for helper in self._helpers]
        try:
            take(first)
        finally:
            errors = [other.exception() for other in others]  # waits
        for error in errors:
            if error is not None:
                raise error
        return [results[number] for number in sorted(results)]

    def portions(self, rows: np.ndarray, max_rows: int) -> list[np.ndarray]:
        """Split an array into portions, about equal and as many for each thread.

        Args:
            rows: array of at least one row.
            max_rows: largest number of rows of a portion.
        """
        rounds = -(-len(rows) // (self.threads * max_rows))
        return np.array_split(rows, min(len(rows), self.threads * rounds))

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Keep the caller on its core and the helpers off it, until the block ends.

        The block should be all of the work: between two calls of `share` the caller would be moved to the core of the
        helper that woke it, away from what its own core's cache holds. Nothing happens where a core is left over, for
        the kernel then finds it, and on systems other than Linux.
        """
        allowed = os.sched_getaffinity(0) if _current_core else set()
        if not _current_core or not self._helpers or len(allowed) != self.threads:
            yield
            return
        core = _current_core()
        try:
            _keep(self._ids, allowed - {core})
            _keep([0], {core})
            yield
        finally:
            _keep([0, *self._ids], allowed)


def _keep(threads: Sequence[int], cores: set[int]) -> None:
    """Let these threads, 0 for the calling one, run on these cores only, where the system allows it."""
    for thread in threads:
        try:
            os.sched_setaffinity(thread, cores)
        except OSError:  # forbidden in some containers; the work is done all the same
            return


def _find_current_core() -> Callable[[], int] | None:
    """Look up the system's function that tells the calling thread's core; None where there is none."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


_current_core = _find_current_core()


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Default number of threads that share one batch: ``OMP_NUM_THREADS``, else one a core."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    return int(setting) if setting.isdecimal() and int(setting) else cores()
