"""Time of a frame, ours beside the plain path, in one run and in turns, so that a disturbance meets both.

The plain path is that of a tutorial: facenet-pytorch's MTCNN with its defaults, Pillow crops, and the same network in
eager torch. A second plain row searches for faces of our own smallest size only. The frames are of made clips, in which
one public-domain face stands and sways several times.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from PIL import Image

from ferlib.bench.machine import machine, percentiles, take_turns, torch_threads
from ferlib.faces.detector import MIN_FACE_SIZE
from ferlib.faces.mtcnn.compiled import compile_loops
from ferlib.inference.loading import load_classifier
from ferlib.live.following import FaceFollower
from ferlib.live.timing import Stopwatch
from ferlib.models.checkpoints import describe
from ferlib.packages import need
from ferlib.pipeline import EmotionPipeline, load_pipeline
from ferlib.samples.clips import crowd

SIZES = ((640, 480), (1280, 720))
"""Sizes of the frames, (width, height) in pixels."""

FACES = (1, 4, 16)
"""Numbers of faces in a frame."""

THREADS = (1, 2)
"""Numbers of threads."""

STEPS = ("detect", "crop", "classify", "total")
"""Timed steps of a frame."""

REST = 0.02
"""Seconds before each measurement: as long as the threads of the path before may go on spinning for more work."""

OURS, FOLLOWED, PLAIN, PLAIN_MIN_FACE = "ours", "ours, followed", "plain", f"plain, {MIN_FACE_SIZE} px"
"""Paths: each frame by itself, the same as camera and videos go through their frames, and the plain ones."""

FramePath = Callable[[np.ndarray], tuple[dict[str, float], int]]
"""An (H, W, 3) uint8 RGB frame -> milliseconds of each of `STEPS`, and the number of faces."""


class PlainPath:
    """Facenet-pytorch and eager torch, a frame at a time.

    Args:
        model: name of a checkpoint; None: the default one.
        **options: options of facenet-pytorch's ``MTCNN``.
    """

    def __init__(self, model: str | None, **options: Any) -> None:
        self._mtcnn = need("facenet_pytorch", "the plain path of the bench", "dev").MTCNN(**options)
        self._classifier = load_classifier(model, engine="torch")

    def __call__(self, picture: np.ndarray) -> tuple[dict[str, float], int]:
        """Time one frame.

        Args:
            picture: (H, W, 3) uint8 RGB.

        Returns:
            Milliseconds of each of `STEPS`, and the number of faces.
        """
        start = time.perf_counter()
        image = Image.fromarray(picture)
        boxes, _ = self._mtcnn.detect(image)
        boxes = [] if boxes is None else [tuple(map(float, box)) for box in boxes]
        detected = time.perf_counter()
        crops = [np.asarray(image.crop(tuple(map(round, box))).convert("L").resize((48, 48))) for box in boxes]
        cropped = time.perf_counter()
        if crops:
            self._classifier.predict_proba(np.stack(crops))
        return _step_times(start, detected, cropped, time.perf_counter()), len(boxes)


class OurPath:
    """Pipeline of the camera, each frame by itself.

    Args:
        pipeline: finds and classifies the faces.
    """

    def __init__(self, pipeline: EmotionPipeline) -> None:
        self._pipeline = pipeline

    def __call__(self, picture: np.ndarray) -> tuple[dict[str, float], int]:
        """Time one frame.

        Args:
            picture: (H, W, 3) uint8 RGB.

        Returns:
            Milliseconds of each of `STEPS`, and the number of faces.
        """
        start = time.perf_counter()
        detections = self._pipeline.detector(picture)
        detected = time.perf_counter()
        crops = self._pipeline.crops(picture, detections)
        cropped = time.perf_counter()
        self._pipeline.classify_crops(detections, crops)
        return _step_times(start, detected, cropped, time.perf_counter()), len(detections)


class FollowedPath:
    """Stream of frames as camera and videos read it: detected in one frame of some, followed in the others.

    Args:
        pipeline: finds and classifies the faces.
    """

    def __init__(self, pipeline: EmotionPipeline) -> None:
        self._follower = FaceFollower(pipeline)

    def __call__(self, picture: np.ndarray) -> tuple[dict[str, float], int]:
        """Time one frame.

        Args:
            picture: (H, W, 3) uint8 RGB.

        Returns:
            Milliseconds of each of `STEPS`, and the number of faces.
        """
        watch = Stopwatch()
        faces, _ = self._follower.step(picture, watch=watch)
        total = watch.stop()["kernel"]
        return {name: watch.milliseconds.get(name, 0.0) for name in STEPS} | {"total": total}, len(faces)


def _step_times(start: float, detected: float, cropped: float, end: float) -> dict[str, float]:
    seconds = (detected - start, cropped - detected, end - cropped, end - start)
    return {name: 1000 * value for name, value in zip(STEPS, seconds, strict=True)}


def compare_frame_times(
    model: str | None = None, engine: str | None = None, *, sizes: Sequence[tuple[int, int]] = SIZES,
    faces: Sequence[int] = FACES, threads: Sequence[int] = THREADS, rounds: int = 60, warm_up: int = 3,
    say: Callable[[str], None] = lambda _: None,
) -> dict:  # fmt: skip
    """Milliseconds of each step on each path, medians and 95th percentiles, and how many times as fast; JSON-ready.

    Args:
        model: name of a checkpoint; None: the default one.
        engine: inference engine of our classifier; None: the default one.
        sizes: sizes of the frames, (width, height).
        faces: numbers of faces in a frame.
        threads: numbers of threads of torch, the engine and the detector.
        rounds: frames of each kind that count.
        warm_up: frames before them that do not count.
        say: hears which setting is being measured.
    """
    compile_loops()
    rows: list[dict] = []
    for count in threads:
        with torch_threads(count):
            pipeline = load_pipeline(model, engine=engine, threads=count, min_face_size=MIN_FACE_SIZE)
            plain = {PLAIN: PlainPath(model), PLAIN_MIN_FACE: PlainPath(model, min_face_size=MIN_FACE_SIZE)}
            for (width, height), number in product(sizes, faces):
                say(f"{width}x{height}, {number} faces, {count} threads")
                setting = {"width": width, "height": height, "faces": number, "threads": count}
                paths: dict[str, FramePath] = {OURS: OurPath(pipeline), FOLLOWED: FollowedPath(pipeline), **plain}
                frames = list(crowd(width, height, number, warm_up + rounds))
                rows += [setting | row for row in _frame_times(paths, frames, warm_up)]
    about, _ = describe(model)
    return {
        "model": about["name"], "engine": getattr(pipeline.classifier, "engine", engine), "least": MIN_FACE_SIZE,
        "rounds": rounds, "rows": rows, "ratios": speed_ratios(rows), **machine(),
    }  # fmt: skip


def _frame_times(paths: Mapping[str, FramePath], frames: Sequence[np.ndarray], warm_up: int) -> Iterator[dict]:
    for name, measured in take_turns(paths, frames, warm_up, REST).items():
        yield {
            "path": name, "found": float(np.mean([faces for _, faces in measured])),
            **{step: percentiles([times[step] for times, _ in measured]) for step in STEPS},
        }  # fmt: skip


def speed_ratios(rows: Sequence[dict]) -> list[dict]:
    """Ratios of the plain paths' median times to ours, for each setting and step.

    Args:
        rows: ``rows`` of `compare_frame_times`.
    """
    keys, ratios = ("width", "height", "faces", "threads"), []
    by_setting: dict[tuple, dict[str, dict]] = {}
    for row in rows:
        by_setting.setdefault(tuple(row[key] for key in keys), {})[row["path"]] = row
    for setting, paths in by_setting.items():
        for ours, plain in product((OURS, FOLLOWED), (PLAIN, PLAIN_MIN_FACE)):
            times = {step: paths[plain][step]["p50"] / max(paths[ours][step]["p50"], 1e-3) for step in STEPS}
            ratios.append(dict(zip(keys, setting, strict=True)) | {"path": ours, "against": plain} | times)
    return ratios
