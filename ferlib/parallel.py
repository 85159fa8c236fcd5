"""Two or more threads that share short work, and are kept on different cores meanwhile.

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
    """The caller and `threads` - 1 helpers; calls must not overlap.

    `name`: what the helpers' names begin with, for debuggers. They end with the object.
    """

    def __init__(self, threads: int, name: str = "ferlib-worker") -> None:
        self.threads = threads
        self._helpers = [ThreadPoolExecutor(1, f"{name}-{number}") for number in range(1, threads)]
        self._ids = [helper.submit(threading.get_native_id).result() for helper in self._helpers]

    def share(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> list[Result]:
        """`work` of each job, in their order; whoever is free draws the next one.

        Only one thread at a time draws, so `jobs` may be a generator that does what would not gain from threads.
        What is raised in it or by a job ends the drawing, and is raised here when all have done what they had begun.
        """
        if not self._helpers:
            return [work(job) for job in jobs]
        lock = threading.Lock()
        left: Iterator[tuple[int, Job]] = enumerate(jobs)
        results: dict[int, Result] = {}

        def take(drawn: tuple[int, Job] | None) -> None:
            nonlocal left
            try:
                while drawn is not None:
                    number, job = drawn
                    results[number] = work(job)
                    drawn = draw()
            except BaseException:
                with lock:
                    left = iter(())
                raise

        def draw() -> tuple[int, Job] | None:
            with lock:
                return next(left, None)

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

    def portions(self, rows: np.ndarray, most: int) -> list[np.ndarray]:
        """An array of at least one row in portions of at most `most` rows, about equal and as many for each thread."""
        rounds = -(-len(rows) // (self.threads * most))
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
    """Let these threads, 0 for the calling one, run on these cores only, if the system lets us say so."""
    for thread in threads:
        try:
            os.sched_setaffinity(thread, cores)
        except OSError:  # forbidden in some containers; the work is done all the same
            return


def _find_current_core() -> Callable[[], int] | None:
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


_current_core = _find_current_core()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Threads that share one batch when nobody says how many: ``OMP_NUM_THREADS``, else one a core."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else cores()
