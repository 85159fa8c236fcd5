"""The live camera of the web application: frames that come by WebRTC go back with the faces drawn on them.

streamlit-webrtc calls `Webcam.recv_queued` on a thread of its own with the frames that came meanwhile; the newest one
counts.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ferlib.annotate.boxes import annotate
from ferlib.data.labels import EMOTIONS
from ferlib.live.frames import Frame
from ferlib.live.session import Answer, LiveSession, LiveSettings
from ferlib.pipeline import EmotionPipeline, Face

if TYPE_CHECKING:
    from av import VideoFrame


class Webcam:
    """Reads one camera's frames.

    Attributes:
        settings, pipeline: may be changed between frames.
        answer: to the newest frame, None before the first one; see `LiveSession.answer`.
        frames: number of frames answered.
        with_faces: how many of them had a face.
    """

    def __init__(self, pipeline: EmotionPipeline, settings: LiveSettings | None = None):
        self._session = LiveSession(pipeline, settings)
        self._pipeline = pipeline
        self._waiting: Frame | None = None
        self.settings = self._session.settings
        self.answer: Answer | None = None
        self.frames = self.with_faces = 0

    @property
    def pipeline(self) -> EmotionPipeline:
        """What reads the frames; a new one begins with the next frame."""
        return self._pipeline

    @pipeline.setter
    def pipeline(self, pipeline: EmotionPipeline) -> None:
        self._pipeline = pipeline

    async def recv_queued(self, frames: "list[VideoFrame]") -> "list[VideoFrame]":
        """The newest of the frames that came since the last call; the older ones are dropped, so no queue grows."""
        return [self.recv(frames[-1])]

    def recv(self, frame: "VideoFrame") -> "VideoFrame":
        """The frame with boxes and labels; what the browser shows."""
        from av import VideoFrame  # comes with streamlit-webrtc, an optional package

        drawn = self.draw(frame.to_ndarray(format="rgb24"), frame.time)
        return VideoFrame.from_ndarray(drawn, format="rgb24")

    def draw(self, image: np.ndarray, seconds: float | None = None) -> np.ndarray:
        """An (H, W, 3) uint8 RGB frame with its faces drawn, the same size; `seconds` on the stream's clock.

        Never raises an Exception: a frame that could not be read comes back as it is, and `answer` holds the sentence.
        """
        pipeline = self._pipeline  # another thread may set it at any time, so the change is made between two frames
        if pipeline is not self._session.pipeline:
            self._session.pipeline = pipeline
            self._session.reset()
        number = self.frames
        self._waiting = Frame(number, number / 25 if seconds is None else float(seconds), image)
        answer = self._session.step(self)
        self.frames = number + 1
        if answer is None or answer["error"]:
            self.answer = answer
            return image
        self.with_faces += bool(answer["faces"])
        self.answer = answer
        drawn = annotate(image, faces_of(answer), bars=False, numbered=True)
        return drawn if drawn.shape == image.shape else cv2.resize(drawn, image.shape[1::-1])

    def read(self) -> Frame | None:
        """The frame that waits, for the session, whose source this is."""
        frame, self._waiting = self._waiting, None
        return frame

    def close(self) -> None:
        """Forget the frame that waits."""
        self._waiting = None

    name = "the browser's camera"

    def status(self) -> str:
        """One line for the page, such as ``"120 frames, 1 face, 45 ms a frame"``."""
        if self.answer is None:
            return "Waiting for the camera's first frame."
        if self.answer["error"]:
            return str(self.answer["error"])
        count = len(self.answer["faces"])
        faces = "no face" if count == 0 else f"{count} face{'s' if count > 1 else ''}"
        took = self._session.latency.summary().get("kernel", {}).get("p50", 0.0)
        return f"{self.frames} frames, {faces} now, {took:.0f} ms a frame"


def faces_of(answer: Answer) -> list[Face]:
    """The faces of an answer as the pictures' functions take them, with their steadied emotions."""
    return [
        Face(
            box=tuple(one["box"]),
            landmarks=np.asarray(one["landmarks"], np.float32),
            detection_confidence=one["detection_confidence"],
            emotion=one["emotion"],
            confidence=one["confidence"],
            probabilities=np.asarray(one["probabilities"], np.float32).reshape(len(EMOTIONS)),
            sure=one["sure"],
        )
        for one in answer["faces"]
    ]
