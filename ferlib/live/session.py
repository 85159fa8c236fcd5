"""The way of one stream through the pipeline: a frame in, an answer of plain numbers out, even for a bad frame.

Nothing here knows of widgets or browsers, so the same code serves the camera, a video, a list of pictures, and tests.
Widget messages arrive on a thread of their own: there is no printing, no pyplot and no global state.
"""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from threading import Lock
from typing import Any

from ferlib.annotate import words
from ferlib.errors import FerlibError
from ferlib.faces.mtcnn.compiled import compile_loops
from ferlib.live import records
from ferlib.live.following import DETECT_EVERY, LONGEST_FOLLOWING, FaceFollower
from ferlib.live.frames import Frame, decode_jpeg
from ferlib.live.smoothing import TIME_CONSTANT
from ferlib.live.sources import FrameSource
from ferlib.live.timing import Latency, Stopwatch
from ferlib.live.tracking import PATIENCE_FRAMES, TrackedFace, Tracker
from ferlib.models.preprocessing import EQUALISE_MODES
from ferlib.pipeline import EmotionPipeline

Answer = dict[str, Any]
_MAX_ROWS = 50_000  # of the session's table; older ones are dropped
_CLOCK_STEP = 1.0  # seconds that a time may lie before the last one and still be of the same stream


@dataclass
class LiveSettings:
    """Settings that may change while a session runs.

    Attributes:
        min_face_size: smallest face, pixels, at least 12; smaller is slower, see `FaceDetector`.
        detect_every: frames from one detection to the next; between them the faces are followed, see `FaceFollower`.
        smoothing: time constant of the probabilities, seconds; 0 takes each frame as it is.
        threshold: confidence, 0..1, below which a face is "not sure".
        equalise: equalisation of the crops before the classifier's own preprocessing, one of `EQUALISE_MODES`.
    """

    min_face_size: int = 60
    detect_every: int = DETECT_EVERY
    smoothing: float = TIME_CONSTANT
    threshold: float = 0.0
    equalise: str = "none"

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Check that every value makes sense.

        Raises:
            FerlibError: one does not.
        """
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

    Args:
        pipeline: finds and classifies the faces.
        settings: None takes the defaults, with the pipeline's threshold.

    Attributes:
        pipeline: as given.
        settings: may be changed between frames.
        latency: times of the stages, and counts of frames.

    Examples:
        >>> session = LiveSession(load_pipeline())
        >>> for answer in session.run(VideoSource("clip.mp4")):
        ...     print(answer["time"], [face["label"] for face in answer["faces"]])
    """

    def __init__(self, pipeline: EmotionPipeline, settings: LiveSettings | None = None):
        compile_loops()
        self.pipeline = pipeline
        self.settings = settings or LiveSettings(threshold=getattr(pipeline, "threshold", 0.0))
        self.latency = Latency()
        self._rows: deque[list] = deque(maxlen=_MAX_ROWS)
        self._rows_lock = Lock()
        self._tracker = Tracker(time_constant=self.settings.smoothing)
        self._jpegs = 0  # taken by `step_jpeg` so far
        self._started = time.monotonic()
        self.reset()

    def reset(self) -> None:
        """Begin a new stream: tracks, faces and clock are forgotten; table, latencies and track numbers go on."""
        self._tracker.reset()
        self._tracker.time_constant = self.settings.smoothing
        self._follower = FaceFollower(self.pipeline)
        self._size: tuple[int, ...] | None = None
        self._clock = float("-inf")

    def step(self, frame: Frame, watch: Stopwatch | None = None) -> Answer:
        """Answer one frame.

        Never raises an Exception: an error becomes the answer's ``error``, one sentence, and the next step goes on.

        Args:
            frame: the next frame of the stream.
            watch: times the frame, where the caller has timed its decoding already.

        Returns:
            What `answer` gives, and ``ms``: the milliseconds of each of `KERNEL_STAGES` that was taken.
        """
        watch = watch or Stopwatch()
        try:
            answer = self.answer(_checked(frame), watch)
        except Exception as error:  # a handler that dies would leave the browser waiting
            answer = self._failure(error)
        return self._timed(answer, watch)

    def step_jpeg(self, data: bytes | memoryview, seconds: float | None = None) -> Answer:
        """Decode and answer one frame of a camera that sends JPEGs; errors become answers as in `step`.

        Args:
            data: the JPEG.
            seconds: time of the frame on the camera's clock; anything but a finite number takes the time of arrival.
        """
        index, self._jpegs = self._jpegs, self._jpegs + 1
        if not isinstance(seconds, int | float) or not isfinite(seconds):
            seconds = time.monotonic() - self._started
        watch = Stopwatch()
        try:
            with watch.step("decode"):
                frame = Frame(index, float(seconds), decode_jpeg(bytes(data)))
        except Exception as error:
            return self._timed(self._failure(error), watch)
        return self.step(frame, watch)

    def step_source(self, source: FrameSource) -> tuple[Frame | None, Answer | None]:
        """Read the next frame of a source and answer it; errors become answers as in `step`.

        The frames of a video may be minutes apart, as in a time lapse: its tracks go on through `PATIENCE_FRAMES`
        frames. Those of a camera lie far apart only when it stalled, and end by time.

        Args:
            source: where the frame comes from; reading counts as the stage "decode".

        Returns:
            The frame, None where it could not be read, and its answer. Both are None at the end of the source.
        """
        watch = Stopwatch()
        self._tracker.patience_frames = PATIENCE_FRAMES if getattr(source, "is_recorded", False) else None
        try:
            with watch.step("decode"):
                frame = source.read()
        except Exception as error:
            return None, self._timed(self._failure(error), watch)
        return (None, None) if frame is None else (frame, self.step(frame, watch))

    def run(self, source: FrameSource) -> Iterator[Answer]:
        """Answer all frames of a source that has an end.

        Args:
            source: where the frames come from; it is closed when the iteration ends, also early.

        Yields:
            The answer to each frame, as `step` gives it.
        """
        try:
            while (answer := self.step_source(source)[1]) is not None:
                yield answer
        finally:
            source.close()

    def answer(self, frame: Frame, watch: Stopwatch | None = None) -> Answer:
        """Find, classify and track the faces of a frame, as plain numbers that JSON can hold.

        Args:
            frame: the next frame of the stream.
            watch: gets the times of the stages.

        Returns:
            ``frame``, ``time``, ``width``, ``height``, ``detected`` (False where the faces were followed), ``error``
            (None), and ``faces``: for each ``track``, ``label`` (its text for people), and the keys of `Face.to_dict`,
            with ``probabilities`` as a list of 8 in class order.

        Raises:
            FerlibError: a setting makes no sense, or the frame cannot be used.
        """
        watch, settings = watch or Stopwatch(), self.settings
        settings.check()
        if frame.time < self._clock - _CLOCK_STEP:  # another clock: the page was opened again
            self.reset()
        if frame.time > self._clock + LONGEST_FOLLOWING:
            self._follower.reset()
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
            tracked_faces = self._tracker.update(faces, self._clock, (width, height))
        with self._rows_lock:
            self._rows += [records.row(face, frame.index, self._clock, settings.threshold) for face in tracked_faces]
        return {
            "frame": frame.index,
            "time": round(self._clock, 3),
            "width": width,
            "height": height,
            "detected": detected,
            "faces": [_described(face, settings.threshold) for face in tracked_faces],
            "error": None,
        }

    def table(self) -> list[list]:
        """Rows of the session so far, the last 50,000 at most; their columns are `records.COLUMNS`."""
        with self._rows_lock:
            return list(self._rows)

    def _failure(self, error: Exception) -> Answer:
        self.latency.failed += 1
        self._follower.reset()  # nothing is followed across the gap
        sentence = f"The kernel failed on a frame ({type(error).__name__}: {error}); it goes on."
        return {
            "frame": None, "time": None, "width": 0, "height": 0, "detected": False, "faces": [],
            "error": str(error) if isinstance(error, FerlibError) else sentence,
        }  # fmt: skip

    def _timed(self, answer: Answer, watch: Stopwatch) -> Answer:
        answer["ms"] = watch.stop()
        self.latency.add(answer["ms"])
        self.latency.answered += 1
        return answer


def _checked(frame: Frame) -> Frame:
    """Refuse anything but a frame, such as the None that a source gives at its end."""
    if not isinstance(frame, Frame):
        given = "None" if frame is None else f"a {type(frame).__name__}"
        raise FerlibError(f"step takes a Frame, not {given}; run(source) answers all frames of a source.")
    return frame


def _described(tracked: TrackedFace, threshold: float) -> dict[str, Any]:
    """Describe a face of an answer: the probabilities are a list, as the browser draws them in class order."""
    face = tracked.steadied(threshold)
    values = face.to_dict()
    values["probabilities"] = list(values["probabilities"].values())
    return {"track": tracked.track, "label": words.label(face), **values}
