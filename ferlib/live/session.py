"""One stream's way through the pipeline: a frame in, an answer of plain numbers out, whatever the frame was.

Nothing here knows of widgets or browsers, so the same code serves the camera, a video, a list of pictures, and tests.
Widget messages arrive on a thread of their own: there is no printing, no pyplot and no global state.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ferlib.errors import FerlibError
from ferlib.live import records
from ferlib.live.following import DETECT_EVERY, FaceFollower
from ferlib.live.frames import Frame
from ferlib.live.smoothing import TIME_CONSTANT
from ferlib.live.sources import FrameSource
from ferlib.live.timing import Latency, Stopwatch
from ferlib.live.tracking import TrackedFace, Tracker
from ferlib.models.preprocessing import EQUALISE_MODES
from ferlib.pipeline import EmotionPipeline

Answer = dict[str, Any]
_ROWS = 50_000  # of the session's table; older ones go
_CLOCK_STEP = 1.0  # seconds that a time may lie before the last one and still be of the same stream


@dataclass
class LiveSettings:
    """What can be changed while a session runs."""

    min_face_size: int = 60  # pixels; smaller is slower, see `FaceDetector`
    detect_every: int = DETECT_EVERY  # frames; between detections the faces are followed: see `FaceFollower`
    smoothing: float = TIME_CONSTANT  # seconds; 0 takes each frame as it is
    threshold: float = 0.0  # 0..1; a smaller confidence is shown as "not sure"
    equalise: str = "none"  # of the crops, before the classifier's own preprocessing: see `EQUALISE_MODES`

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise FerlibError for a value that makes no sense."""
        if self.min_face_size < 12 or self.detect_every < 1 or not self.smoothing >= 0:
            raise FerlibError(
                "min_face_size must be at least 12, detect_every at least 1 and smoothing at least 0, not "
                f"{self.min_face_size}, {self.detect_every} and {self.smoothing}."
            )
        if not 0 <= self.threshold <= 1:
            raise FerlibError(f"threshold must lie between 0 and 1, not {self.threshold}.")
        if self.equalise not in EQUALISE_MODES:
            raise FerlibError(f"equalise must be one of {', '.join(EQUALISE_MODES)}, not {self.equalise!r}.")


class LiveSession:
    """Answers the frames of one stream.

    Sessions may share a pipeline: each frame holds the pipeline's lock from detection to classification.

    Attributes:
        settings: may be changed between frames.
        latency: how long the stages took.
    """

    def __init__(self, pipeline: EmotionPipeline, settings: LiveSettings | None = None):
        self.pipeline = pipeline
        self.settings = settings or LiveSettings(threshold=getattr(pipeline, "threshold", 0.0))
        self.latency = Latency()
        self._rows: deque[list] = deque(maxlen=_ROWS)
        self._rows_lock = Lock()
        self._tracker = Tracker(time_constant=self.settings.smoothing)
        self.reset()

    def reset(self) -> None:
        """Begin a new stream: tracks, faces and clock are forgotten; table, latencies and track numbers go on."""
        self._tracker.reset()
        self._tracker.time_constant = self.settings.smoothing
        self._follower = FaceFollower(self.pipeline)
        self._size: tuple[int, ...] | None = None
        self._clock = float("-inf")

    def step(self, source: FrameSource) -> Answer | None:
        """Answer the next frame of `source`; None at its end (for a browser's camera: nothing new).

        Never raises an Exception: what goes wrong, in source or pipeline, is the answer's ``error``, and the next step
        goes on.
        """
        watch = Stopwatch()
        answer = None
        try:
            with watch.step("decode"):
                frame = source.read()
            if frame is None:
                return None
            answer = self.answer(frame, watch)
        except FerlibError as error:
            answer = self._failure(str(error))
        except Exception as error:  # a handler that dies would leave the browser waiting
            answer = self._failure(f"The kernel failed on a frame ({type(error).__name__}: {error}); it goes on.")
        answer["ms"] = watch.stop()
        self.latency.add(answer["ms"])
        self.latency.answered += 1
        return answer

    def run(self, source: FrameSource) -> Iterator[Answer]:
        """The answers to all frames of a source that has an end; the source is closed afterwards."""
        try:
            while (answer := self.step(source)) is not None:
                yield answer
        finally:
            source.close()

    def answer(self, frame: Frame, watch: Stopwatch | None = None) -> Answer:
        """What is in a frame, as plain numbers that JSON can hold.

        Returns:
            ``frame``, ``time``, ``width``, ``height``, ``detected`` (False where the faces were followed), ``error``
            (None), and ``faces``: for each ``track``, ``box`` [x1, y1, x2, y2], ``landmarks`` (5 x [x, y]),
            ``detection_confidence``, ``emotion``, ``confidence``, ``sure``, and ``probabilities`` (8, class order).
        """
        watch, settings = watch or Stopwatch(), self.settings
        settings.check()
        if frame.time < self._clock - _CLOCK_STEP:  # another clock: the page was opened again
            self.reset()
        self._clock = max(self._clock, frame.time)
        size, self._size = self._size, frame.image.shape[:2]
        if size is not None and size != self._size:
            self._tracker.reset()  # another camera or resolution: coordinates mean something else now
        with self.pipeline.lock:
            faces, detected = self._follower.step(
                frame.image, settings.detect_every, settings.min_face_size, settings.equalise, watch
            )
        with watch.step("track"):
            self._tracker.time_constant = settings.smoothing
            height, width = frame.image.shape[:2]
            found = self._tracker.update(faces, self._clock, (width, height))
        with self._rows_lock:
            self._rows += [records.row(one, frame.index, self._clock, settings.threshold) for one in found]
        return {
            "frame": frame.index,
            "time": round(self._clock, 3),
            "width": width,
            "height": height,
            "detected": detected,
            "faces": [self._describe(one, settings.threshold) for one in found],
            "error": None,
        }

    def table(self) -> list[list]:
        """The rows of the session so far, the last 50,000 at most; columns are `records.COLUMNS`."""
        with self._rows_lock:
            return list(self._rows)

    def _describe(self, found: TrackedFace, threshold: float) -> dict[str, Any]:
        face = found.face
        return {
            "track": found.track,
            "box": [round(float(value), 1) for value in face.box],
            "landmarks": [[round(float(x), 1), round(float(y), 1)] for x, y in face.landmarks],
            "detection_confidence": round(float(face.detection_confidence), 4),
            "emotion": found.emotion,
            "confidence": round(found.confidence, 4),
            "sure": found.confidence >= threshold,
            "probabilities": [round(float(value), 4) for value in found.probabilities],
        }

    def _failure(self, sentence: str) -> Answer:
        self.latency.failed += 1
        self._follower.reset()  # nothing is followed across the gap
        return {
            "frame": None, "time": None, "width": 0, "height": 0, "detected": False, "faces": [], "error": sentence,
        }  # fmt: skip
