"""How long a frame takes, ours beside the plain path, in one run and in turns, so that a disturbance meets both.

The plain path is what a tutorial has: facenet-pytorch's MTCNN with its defaults, Pillow crops, and the same network in
eager torch. A second plain row searches for faces of our own smallest size only. The frames are of made clips, in which
one public-domain face stands and sways several times.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from itertools import product
from typing import Any

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

from ferlib.bench.machine import _percentiles
from ferlib.inference.loading import load_classifier
from ferlib.live.following import FaceFollower
from ferlib.live.timing import Stopwatch
from ferlib.models.checkpoints import describe
from ferlib.parallel import cores
from ferlib.pipeline import EmotionPipeline, load_pipeline
from ferlib.provenance import code_commit
from ferlib.samples.clips import crowd

SIZES = ((640, 480), (1280, 720))
FACES = (1, 4, 16)
THREADS = (1, 2)
STEPS = ("detect", "crop", "classify", "total")
LEAST = 40
"""Smallest face that we search for, pixels: the default of `ferlib predict`."""

REST = 0.02
"""Seconds before each measurement: as long as the threads of the path before may go on spinning for more work."""

OURS, FOLLOWED, PLAIN, PLAIN_LEAST = "ours", "ours, followed", "plain", f"plain, {LEAST} px"
"""Paths: each frame by itself, the same as camera and videos go through their frames, and the plain ones."""


class PlainPath:
    """Facenet-pytorch and eager torch, a frame at a time.

    Args:
        model: name of a checkpoint.
        options: of facenet-pytorch's ``MTCNN``.
    """

    def __init__(self, model: str | None, **options: Any) -> None:
        self._mtcnn = MTCNN(**options)
        self._classifier = load_classifier(model, engine="torch")

    def __call__(self, picture: np.ndarray) -> tuple[dict[str, float], int]:
        """Milliseconds of each of `STEPS`, and the number of faces."""
        start = time.perf_counter()
        image = Image.fromarray(picture)
        boxes, _ = self._mtcnn.detect(image)
        boxes = [] if boxes is None else [tuple(map(float, box)) for box in boxes]
        found = time.perf_counter()
        cut = [np.asarray(image.crop(tuple(map(round, box))).convert("L").resize((48, 48))) for box in boxes]
        cropped = time.perf_counter()
        if cut:
            self._classifier.predict_proba(np.stack(cut))
        return _steps(start, found, cropped, time.perf_counter()), len(boxes)


class OurPath:
    """The pipeline of the camera, each frame by itself."""

    def __init__(self, pipeline: EmotionPipeline) -> None:
        self._pipeline = pipeline

    def __call__(self, picture: np.ndarray) -> tuple[dict[str, float], int]:
        """Milliseconds of each of `STEPS`, and the number of faces."""
        start = time.perf_counter()
        detections = self._pipeline.detector(picture)
        found = time.perf_counter()
        crops = self._pipeline.crops(picture, detections)
        cropped = time.perf_counter()
        self._pipeline.classify_crops(detections, crops)
        return _steps(start, found, cropped, time.perf_counter()), len(detections)


class FollowedPath:
    """A stream of frames as camera and videos read it: detected in one frame of some, followed in the others."""

    def __init__(self, pipeline: EmotionPipeline) -> None:
        self._follower = FaceFollower(pipeline)

    def __call__(self, picture: np.ndarray) -> tuple[dict[str, float], int]:
        """Milliseconds of each of `STEPS`, and the number of faces."""
        watch = Stopwatch()
        faces, _ = self._follower.step(picture, watch=watch)
        total = watch.stop()["kernel"]
        return {name: watch.milliseconds.get(name, 0.0) for name in STEPS} | {"total": total}, len(faces)


def _steps(start: float, found: float, cropped: float, end: float) -> dict[str, float]:
    seconds = (found - start, cropped - found, end - cropped, end - start)
    return {name: 1000 * value for name, value in zip(STEPS, seconds, strict=True)}


def compare(
    model: str | None = None, engine: str | None = None, *, sizes: Sequence[tuple[int, int]] = SIZES,
    faces: Sequence[int] = FACES, threads: Sequence[int] = THREADS, rounds: int = 60, warm_up: int = 3,
    say: Callable[[str], None] = lambda _: None,
) -> dict:  # fmt: skip
    """Milliseconds of each step on each path, medians and 95th percentiles, and how many times as fast; JSON-ready.

    Args:
        model: a checkpoint; engine: of our classifier, None for the default.
        sizes: of the frames, (width, height); faces: in each; threads: of torch, the engine and the detector.
        rounds: frames of each kind that count; warm_up: as many that do not, before them.
        say: hears what is being measured.
    """
    rows, before = [], torch.get_num_threads()
    try:
        for count in threads:
            torch.set_num_threads(count)
            ours = load_pipeline(model, engine=engine, threads=count, min_face_size=LEAST)
            plain = {PLAIN: PlainPath(model), PLAIN_LEAST: PlainPath(model, min_face_size=LEAST)}
            for width, height in sizes:
                for many in faces:
                    say(f"{width}x{height}, {many} faces, {count} threads")
                    setting = {"width": width, "height": height, "faces": many, "threads": count}
                    paths: dict[str, Callable] = {OURS: OurPath(ours), FOLLOWED: FollowedPath(ours), **plain}
                    frames = list(crowd(width, height, many, warm_up + rounds))
                    rows += [setting | row for row in _in_turns(paths, frames, warm_up)]
    finally:
        torch.set_num_threads(before)
    about, _ = describe(model)
    return {
        "model": about["name"], "engine": getattr(ours.classifier, "engine", engine), "least": LEAST,
        "rounds": rounds, "rows": rows, "ratios": ratios(rows), **machine(),
    }  # fmt: skip


def _in_turns(paths: Mapping[str, Callable], frames: Sequence[np.ndarray], warm_up: int) -> list[dict]:
    times: dict[str, list[dict]] = {name: [] for name in paths}
    found: dict[str, list[int]] = {name: [] for name in paths}
    for turn, picture in enumerate(frames):
        for name, path in paths.items():
            time.sleep(REST)
            milliseconds, seen = path(picture)
            if turn >= warm_up:
                times[name].append(milliseconds)
                found[name].append(seen)
    return [
        {
            "path": name, "found": float(np.mean(found[name])),
            **{step: _percentiles([one[step] for one in values]) for step in STEPS},
        }
        for name, values in times.items()
    ]  # fmt: skip


def ratios(rows: Sequence[dict]) -> list[dict]:
    """How many times as fast as each plain path ours are, for each setting and step, by medians."""
    keys, result = ("width", "height", "faces", "threads"), []
    by_setting: dict[tuple, dict[str, dict]] = {}
    for row in rows:
        by_setting.setdefault(tuple(row[key] for key in keys), {})[row["path"]] = row
    for setting, paths in by_setting.items():
        for ours, name in product((OURS, FOLLOWED), (PLAIN, PLAIN_LEAST)):
            times = {step: paths[name][step]["p50"] / max(paths[ours][step]["p50"], 1e-3) for step in STEPS}
            result.append(dict(zip(keys, setting, strict=True)) | {"path": ours, "against": name} | times)
    return result


def machine() -> dict:
    """What the times depend on besides the model: the code, the processor's cores, and the versions."""
    packages = {name: version(name) for name in ("torch", "onnxruntime", "facenet-pytorch", "numpy")}
    return {
        "code_commit": code_commit(), "cores": os.cpu_count(), "usable_cores": cores(),
        "processor": platform.machine(), **packages,
    }  # fmt: skip
