"""The live camera of the web application: frames that come by WebRTC go back with the faces drawn on them.

streamlit-webrtc calls `Webcam.recv_queued` on a thread of its own with the frames that came meanwhile; the newest one
counts.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ferlib.annotate.boxes import annotate
from ferlib.live.frames import Frame
from ferlib.live.session import Answer, LiveSession, LiveSettings
from ferlib.pipeline import EmotionPipeline, Face

if TYPE_CHECKING:
    from av import VideoFrame


class Webcam:
    """Reads the frames of one camera.

    Args:
        pipeline: finds and classifies the faces.
        settings: None takes the defaults, with the pipeline's threshold.

    Attributes:
        settings: may be changed between frames.
        answer: answer to the newest frame, None before the first one; see `LiveSession.answer`.
        frames: number of frames answered.
        with_faces: number of these that had a face.
    """

    def __init__(self, pipeline: EmotionPipeline, settings: LiveSettings | None = None):
        self._session = LiveSession(pipeline, settings)
        self._pipeline = pipeline
        self.settings = self._session.settings
        self.answer: Answer | None = None
        self.frames = self.with_faces = 0

    @property
    def pipeline(self) -> EmotionPipeline:
        """Pipeline that reads the frames; a new one begins with the next frame."""
        return self._pipeline

    @pipeline.setter
    def pipeline(self, pipeline: EmotionPipeline) -> None:
        self._pipeline = pipeline

    async def recv_queued(self, frames: "list[VideoFrame]") -> "list[VideoFrame]":
        """Draw the newest of the frames that came since the last call.

        The older ones are dropped, so no queue grows.

        Args:
            frames: the frames, the newest one last.
        """
        return [self.recv(frames[-1])]

    def recv(self, frame: "VideoFrame") -> "VideoFrame":
        """Draw boxes and labels on a frame; the browser shows the result.

        Args:
            frame: the frame, in any format that FFmpeg converts to RGB.
        """
        from av import VideoFrame  # comes with streamlit-webrtc, an optional package

        drawn = self.draw(frame.to_ndarray(format="rgb24"), frame.time)
        return VideoFrame.from_ndarray(drawn, format="rgb24")

    def draw(self, image: np.ndarray, seconds: float | None = None) -> np.ndarray:
        """Read a frame and draw its faces.

        Never raises an Exception: a frame that could not be read comes back as it is, and `answer` holds the sentence.

        Args:
            image: the frame, (H, W, 3) uint8 RGB.
            seconds: its time on the stream's clock; None assumes 25 frames a second.

        Returns:
            The frame with boxes and labels, of the same size.
        """
        pipeline = self._pipeline  # another thread may set it at any time, so the change is made between two frames
        if pipeline is not self._session.pipeline:
            self._session.pipeline = pipeline
            self._session.reset()
        number = self.frames
        answer = self._session.step(Frame(number, number / 25 if seconds is None else float(seconds), image))
        self.frames, self.answer = number + 1, answer
        if answer["error"]:
            return image
        self.with_faces += bool(answer["faces"])
        drawn = annotate(image, self.faces(), bars=False, numbered=True)
        return drawn if drawn.shape == image.shape else cv2.resize(drawn, image.shape[1::-1])

    def faces(self) -> list[Face]:
        """Give the faces of the newest frame, with their steadied emotions."""
        return [Face.from_dict(face) for face in self.answer["faces"]] if self.answer else []

    def status(self) -> str:
        """Summarise the stream in one line, such as ``"120 frames, 1 face now, 45 ms a frame"``."""
        if self.answer is None:
            return "Waiting for the camera's first frame."
        if self.answer["error"]:
            return str(self.answer["error"])
        count = len(self.answer["faces"])
        faces = "no face" if count == 0 else f"{count} face{'s' if count > 1 else ''}"
        milliseconds = self._session.latency.summary().get("kernel", {}).get("p50", 0.0)
        return f"{self.frames} frames, {faces} now, {milliseconds:.0f} ms a frame"
