"""Videos that browsers play: H.264 in MP4, each frame at its own time."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ferlib.errors import FerlibError

_TICKS = 90_000  # a second: whole numbers of them at 24, 25, 30, 50 and 60 frames a second, and at 30000/1001
# zerolatency: no frames are held in memory. One thread: with more, the pixels depend on the number of cores.
_QUALITY = {"crf": "20", "preset": "veryfast", "tune": "zerolatency", "threads": "1"}


class VideoWriter:
    """Writes pictures to a video file.

    All frames of a file have the size of the first one, without an odd last column or row, which the codec cannot
    hold; a picture of another size is scaled to fit, with black bars.

    Args:
        path: the file; ``.avi`` holds JPEGs at a constant rate, everything else is H.264 in MP4 with frames at their
            times, and its index in front, so that it plays while it loads.
        rate: frames a second, on average.
        comment: a text that the file carries, which `read_comment` gives back.

    Raises:
        FerlibError: the file cannot be made there, or this installation of PyAV has no such encoder.
    """

    def __init__(self, path: str | Path, rate: float, comment: str = "") -> None:
        self._path, self._rate = Path(path), max(Fraction(rate).limit_denominator(10_000), Fraction(1, 10_000))
        self._stream: VideoStream | None = None
        self._as_jpegs = self._path.suffix.lower() == ".avi"
        self._ticks = -1
        options = {} if self._as_jpegs else {"movflags": "+faststart"}
        kind = "avi" if self._as_jpegs else "mp4"
        try:  # "file:" keeps names with a colon from being addresses
            self._container = av.open(f"file:{self._path}", "w", format=kind, options=options)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failure() from error
        if comment:
            self._container.metadata["comment"] = comment

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, picture: np.ndarray, seconds: float) -> None:
        """Append a picture.

        Args:
            picture: (H, W, 3) uint8 RGB.
            seconds: its time from the beginning of the file, later than the one before.

        Raises:
            FerlibError: the file cannot be written.
        """
        try:
            if self._stream is None:
                self._stream = self._begin(picture.shape[1], picture.shape[0])
            frame = VideoFrame.from_ndarray(_fitted(picture, self._stream.width, self._stream.height), format="rgb24")
            base = 1 / self._rate if self._as_jpegs else Fraction(1, _TICKS)
            self._ticks = self._ticks + 1 if self._as_jpegs else max(round(seconds * _TICKS), self._ticks + 1)
            frame.pts, frame.time_base = self._ticks, base
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise self._failure() from error

    def close(self) -> None:
        """Write what is left and close the file.

        Raises:
            FerlibError: the file cannot be written.
        """
        stream, self._stream = self._stream, None
        try:
            if stream is not None:
                self._container.mux(stream.encode(None))
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            raise self._failure() from error

    def _begin(self, width: int, height: int) -> VideoStream:
        options: dict[str, Any] = {} if self._as_jpegs else _QUALITY
        codec = "mjpeg" if self._as_jpegs else "libx264"
        stream = cast(VideoStream, self._container.add_stream(codec, rate=self._rate, options=options))
        stream.width, stream.height = max(2, width & ~1), max(2, height & ~1)
        stream.pix_fmt = "yuvj420p" if self._as_jpegs else "yuv420p"
        if self._as_jpegs:
            stream.codec_context.qscale, stream.codec_context.global_quality = True, 3 * 118  # FF_QP2LAMBDA
        else:
            stream.codec_context.time_base = Fraction(1, _TICKS)
            stream.time_base = Fraction(1, _TICKS)
        return stream

    def _failure(self) -> FerlibError:
        return FerlibError(f"{self._path.name} could not be written as a video; choose another folder or format.")


def read_comment(path: Path) -> str | None:
    """Read the comment of a video that `VideoWriter` made.

    Args:
        path: an existing file.

    Returns:
        The text; None where there is none, or the file is no video.
    """
    try:
        with open(path, "rb") as handle, av.open(handle, format="mp4", metadata_errors="replace") as container:
            return container.metadata.get("comment")
    except (av.FFmpegError, OSError, ValueError):
        return None


def _fitted(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cut an odd last column or row off, or scale a picture of another size to fit, with black bars."""
    if picture.shape[1] >= width > picture.shape[1] - 2 and picture.shape[0] >= height > picture.shape[0] - 2:
        return np.ascontiguousarray(picture[:height, :width])
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(1, round(scale * picture.shape[1])), max(1, round(scale * picture.shape[0]))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return canvas
