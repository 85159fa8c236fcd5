"""Many pictures through the pipeline: several at a time, results in order, never more than a few of them in memory.

Two kinds of workers do the same. `Threads` share one process, and one classifier; decoding, OpenCV, torch and ONNX
Runtime let go of Python's lock while they calculate, so they overlap. (A further thread that decodes ahead cost a
tenth: three threads on two cores are in each other's way.) `Processes` share nothing, which also lets the Python code
of detection run at once, but each loads everything for itself.
"""

import multiprocessing
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np

from ferlib.faces.detector import FaceDetector
from ferlib.faces.pictures import load_picture
from ferlib.pipeline import EmotionPipeline, Face, load_pipeline

KIND = "threads"
"""What `make_workers` makes; `ferlib bench live --folder` measures both."""

_AHEAD = 2  # pictures under way or waiting to be fetched, for each worker


@dataclass(frozen=True, eq=False)
class Scored:
    """What scoring leaves of a picture.

    Attributes:
        source: its file.
        width, height: of the upright picture, pixels.
        faces: from left to right.
        image: (H, W, 3) uint8 RGB where the task asked for it, else None.
    """

    source: Path
    width: int
    height: int
    faces: list[Face]
    image: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """A picture to score.

    Attributes:
        path: of the picture.
        wants_image: the picture itself has to come back, to be drawn on.
        known: what an earlier run has found; then nothing is detected again.
    """

    path: Path
    wants_image: bool = False
    known: Scored | None = None


class Workers(Protocol):
    """Where tasks are done."""

    count: int

    def submit(self, task: Task) -> "Future[Scored]":
        """Begin a task; its result raises what reading the picture raised."""

    def close(self) -> None:
        """Drop what has not begun, and wait for the rest."""


class Threads:
    """One thread a pipeline.

    Args:
        pipelines: each is used for one picture at a time.
    """

    def __init__(self, pipelines: Sequence[EmotionPipeline]) -> None:
        self.count = len(pipelines)
        self._free: SimpleQueue[EmotionPipeline] = SimpleQueue()
        for pipeline in pipelines:
            self._free.put(pipeline)
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="scoring")

    def submit(self, task: Task) -> "Future[Scored]":
        """As `Workers` says."""
        return self._pool.submit(self._score, task)

    def close(self) -> None:
        """As `Workers` says."""
        self._pool.shutdown(cancel_futures=True)

    def _score(self, task: Task) -> Scored:
        if task.known is not None:
            return _again(task, task.known)
        image = load_picture(task.path)
        pipeline = self._free.get()
        try:
            return score(task, image, pipeline)
        finally:
            self._free.put(pipeline)


class Processes:
    """Processes of one thread each, which load their own pipeline.

    Args:
        count: of processes.
        options: of `load_pipeline`.
    """

    def __init__(self, count: int, **options: Any) -> None:
        self.count = count
        # Not forked: torch's and ONNX Runtime's threads would be missing in the copy, and it would wait for them.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(options,))

    def submit(self, task: Task) -> "Future[Scored]":
        """As `Workers` says."""
        return self._pool.submit(_score_here, task)

    def close(self) -> None:
        """As `Workers` says."""
        self._pool.shutdown(cancel_futures=True)


_pipeline: list[EmotionPipeline] = []  # of this process, when it is one of `Processes`


def _begin(options: dict[str, Any]) -> None:
    import torch

    torch.set_num_threads(1)
    _pipeline.append(load_pipeline(**{"threads": 1, **options}))


def _score_here(task: Task) -> Scored:
    if task.known is not None:
        return _again(task, task.known)
    return score(task, load_picture(task.path), _pipeline[0])


def _again(task: Task, known: Scored) -> Scored:
    return replace(known, image=load_picture(task.path) if task.wants_image else None)


def score(task: Task, image: np.ndarray, pipeline: EmotionPipeline) -> Scored:
    """A picture through a pipeline."""
    height, width = image.shape[:2]
    return Scored(task.path, width, height, pipeline(image), image if task.wants_image else None)


def in_order(tasks: Iterable[Task], workers: Workers) -> Generator[tuple[Task, "Future[Scored]"], None, None]:
    """Each task with its result, in the order given; at most twice as many as there are workers are under way.

    Closing the iterator early drops what has not begun. The workers are closed at the end.
    """
    tasks = iter(tasks)
    try:
        waiting = deque((task, workers.submit(task)) for task in islice(tasks, _AHEAD * workers.count))
        while waiting:
            task, result = waiting.popleft()
            result.exception()  # waits
            waiting.extend((following, workers.submit(following)) for following in islice(tasks, 1))
            yield task, result
    finally:
        workers.close()


def make_workers(count: int, kind: str = KIND, **options: Any) -> tuple[EmotionPipeline, Workers]:
    """A pipeline, and workers that score `count` pictures at a time with pipelines like it.

    Several leave one core to each: torch's own threads are set to one then, for the whole process.

    Args:
        count: at least 1; one worker is always a thread.
        kind: ``"threads"`` or ``"processes"``.
        options: of `load_pipeline`.
    """
    if count > 1:
        import torch

        torch.set_num_threads(1)
        options = {"threads": 1, **options}
    first = load_pipeline(**options)
    if count > 1 and kind == "processes":
        return first, Processes(count, **options)
    detector = {key: value for key, value in options.items() if key not in ("model", "crop", "engine")}
    more = [EmotionPipeline(FaceDetector(**detector), first.classifier, first.crop) for _ in range(count - 1)]
    return first, Threads([first, *more])
