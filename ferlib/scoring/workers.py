"""Many pictures through the pipeline: several at a time, results in order, never more than a few of them in memory.

Two kinds of workers do the same. `ThreadWorkers` share one process, and one classifier; decoding, OpenCV, torch and
ONNX Runtime let go of Python's lock while they calculate, so they overlap. (A further thread that decodes ahead cost a
tenth: three threads on two cores are in each other's way.) `ProcessWorkers` share nothing, which also lets the Python
code of detection run at once, but each loads everything for itself.
"""

import multiprocessing
import sys
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
"""Kind of workers that `make_workers` makes by default; `ferlib bench live --folder` measures both."""

_AHEAD = 2  # pictures under way or waiting to be fetched, for each worker


@dataclass(frozen=True, eq=False)
class ScoredPicture:
    """Result of a picture.

    Attributes:
        source: its file.
        width: of the upright picture, pixels.
        height: of the upright picture, pixels.
        faces: from left to right.
        image: (H, W, 3) uint8 RGB where the task asked for it, else None.
        notes: sentences about what was not read of the file.
    """

    source: Path
    width: int
    height: int
    faces: list[Face]
    image: np.ndarray | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Task:
    """A picture to score.

    Attributes:
        path: of the picture.
        wants_image: the picture itself has to come back, to be drawn on.
        known: result of an earlier run; then nothing is detected again.
    """

    path: Path
    wants_image: bool = False
    known: ScoredPicture | None = None


class ScoringWorkers(Protocol):
    """A place where tasks are done, `count` at a time."""

    count: int

    def submit(self, task: Task) -> "Future[ScoredPicture]":
        """Begin a task.

        Args:
            task: the task.

        Returns:
            Its result, which raises what reading the picture raised.
        """

    def close(self) -> None:
        """Drop what has not begun, and wait for the rest."""


class ThreadWorkers:
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

    def submit(self, task: Task) -> "Future[ScoredPicture]":
        """Begin a task, as `ScoringWorkers` says."""
        return self._pool.submit(self._do, task)

    def close(self) -> None:
        """End, as `ScoringWorkers` says."""
        self._pool.shutdown(cancel_futures=True)

    def _do(self, task: Task) -> ScoredPicture:
        if task.known is not None:
            return _repeated(task, task.known)
        notes: list[str] = []
        image = load_picture(task.path, notes.append)
        pipeline = self._free.get()
        try:
            return score_picture(task, image, pipeline, notes)
        finally:
            self._free.put(pipeline)


class ProcessWorkers:
    """Processes of one thread each, which load their own pipeline.

    Args:
        count: number of processes.
        options: of `load_pipeline`.
    """

    def __init__(self, count: int, **options: Any) -> None:
        self.count = count
        # Not forked: torch's and ONNX Runtime's threads would be missing in the copy, and it would wait for them.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(count, context, initializer=_load_own_pipeline, initargs=(options,))

    def submit(self, task: Task) -> "Future[ScoredPicture]":
        """Begin a task, as `ScoringWorkers` says."""
        return self._pool.submit(_do_in_process, task)

    def close(self) -> None:
        """End, as `ScoringWorkers` says."""
        self._pool.shutdown(cancel_futures=True)


_own_pipeline: list[EmotionPipeline] = []  # of this process, when it is one of `ProcessWorkers`


def _load_own_pipeline(options: dict[str, Any]) -> None:
    _own_pipeline.append(load_pipeline(**{"threads": 1, **options}))
    _keep_torch_to_one_thread()


def _do_in_process(task: Task) -> ScoredPicture:
    if task.known is not None:
        return _repeated(task, task.known)
    notes: list[str] = []
    return score_picture(task, load_picture(task.path, notes.append), _own_pipeline[0], notes)


def _repeated(task: Task, known: ScoredPicture) -> ScoredPicture:
    return replace(known, image=load_picture(task.path, lambda _: None) if task.wants_image else None)


def _keep_torch_to_one_thread() -> None:
    """Leave the other cores to the other workers, if a pipeline has brought torch with it."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def score_picture(task: Task, image: np.ndarray, pipeline: EmotionPipeline, notes: Sequence[str] = ()) -> ScoredPicture:
    """Run a picture through a pipeline.

    Args:
        task: what is asked for.
        image: the picture, (H, W, 3) uint8 RGB.
        pipeline: finds and classifies the faces.
        notes: sentences about what was not read of the file.
    """
    height, width = image.shape[:2]
    return ScoredPicture(task.path, width, height, pipeline(image), image if task.wants_image else None, tuple(notes))


def in_order(
    tasks: Iterable[Task], workers: ScoringWorkers
) -> Generator[tuple[Task, "Future[ScoredPicture]"], None, None]:
    """Do tasks, at most twice as many at a time as there are workers, and keep their order.

    Closing the iterator early drops what has not begun. The workers are closed at the end.

    Args:
        tasks: drawn one by one, as results are fetched.
        workers: where they are done.

    Yields:
        Each task with its result.
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


_DETECTOR_OPTIONS = ("min_face_size", "thresholds", "device", "max_side", "threads")  # of `load_pipeline`'s options


def make_workers(count: int, kind: str = KIND, **options: Any) -> tuple[EmotionPipeline, ScoringWorkers]:
    """Load a pipeline, and make workers that score `count` pictures at a time with pipelines like it.

    Several leave one core to each: torch's own threads are set to one then, for the whole process.

    Args:
        count: at least 1; one worker is always a thread.
        kind: ``"threads"`` or ``"processes"``.
        options: of `load_pipeline`.

    Returns:
        The pipeline and the workers.
    """
    if count > 1:
        options = {"threads": 1, **options}
    first = load_pipeline(**options)
    if count > 1:
        _keep_torch_to_one_thread()
    if count > 1 and kind == "processes":
        return first, ProcessWorkers(count, **options)
    detector_options = {key: value for key, value in options.items() if key in _DETECTOR_OPTIONS}
    others = [EmotionPipeline(FaceDetector(**detector_options), first.classifier, first.crop) for _ in range(count - 1)]
    return first, ThreadWorkers([first, *others])
