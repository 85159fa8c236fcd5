"""Sources of frames at the kernel: a camera, a video file, pictures; all with one interface."""

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ferlib.errors import FerlibError
from ferlib.faces.left_out import LeftOut, is_video
from ferlib.faces.pictures import check_picture, find_pictures, load_picture
from ferlib.live.frames import Frame, as_rgb
from ferlib.packages import need

_BLACKOUT = 30  # failed readings in a row after which a camera counts as unplugged


class FrameSource(Protocol):
    """A stream that gives frames one by one, when it is asked.

    Attributes:
        name: what the stream is called in sentences for people.
    """

    name: str

    def read(self) -> Frame | None:
        """Give the next frame, None at the end.

        Raises:
            FerlibError: this frame cannot be used; the next call goes on.
        """

    def close(self) -> None:
        """Let go of camera or file; reading on gives None. May be called twice."""


class PictureSource:
    """Pictures one after another.

    Args:
        pictures: files, folders, or (H, W, 3) uint8 RGB arrays.
        seconds: from one picture to the next, on the stream's clock.

    Attributes:
        name: number of the pictures.
        left_out: what is left out of the folders, by reason; empty where nothing is. A warning says it, too.

    Raises:
        FerlibError: there are no pictures.
    """

    def __init__(self, pictures: str | Path | np.ndarray | Sequence[str | Path | np.ndarray], seconds: float = 1.0):
        given = [pictures] if isinstance(pictures, str | Path | np.ndarray) else pictures
        self._pictures: list[Path | np.ndarray] = []
        counts = LeftOut()
        for picture in given:
            self._pictures += [picture] if isinstance(picture, np.ndarray) else find_pictures(picture, left_out=counts)
        self.left_out = counts.summary()
        if counts:
            warnings.warn(f"left out of the folders: {self.left_out}.", stacklevel=2)
        if not self._pictures:
            raise FerlibError("There are no pictures in the list; give at least one.")
        self.name = f"{len(self._pictures)} picture{'s' if len(self._pictures) > 1 else ''}"
        self._seconds, self._next = seconds, 0

    def read(self) -> Frame | None:
        """Give the next picture, None at the end.

        Raises:
            FerlibError: a file is no picture that can be read.
        """
        if self._next >= len(self._pictures):
            return None
        index, self._next = self._next, self._next + 1
        picture = self._pictures[index]
        if isinstance(picture, np.ndarray):
            check_picture(picture)
        else:
            picture = load_picture(picture)
        return Frame(index, index * self._seconds, picture)

    def close(self) -> None:
        """End the list: reading on gives None."""
        self._next = len(self._pictures)


class DeviceSource:
    """A camera of the machine on which the kernel runs, through OpenCV.

    Args:
        device: number of the camera.
        size: width and height that the camera is asked for, pixels.

    Raises:
        FerlibError: there is no such camera, or another program holds it.
    """

    def __init__(self, device: int = 0, size: tuple[int, int] = (640, 480)):
        self.name = f"camera {device} of the kernel's machine"
        self._capture = cv2.VideoCapture(device)
        if not self._capture.isOpened():
            raise FerlibError(
                f"Camera {device} of the kernel's machine cannot be opened; plug it in, close other programs that use "
                'it, or choose SOURCE = "browser" or a file.'
            )
        settings = {cv2.CAP_PROP_FRAME_WIDTH: size[0], cv2.CAP_PROP_FRAME_HEIGHT: size[1], cv2.CAP_PROP_BUFFERSIZE: 1}
        for setting, value in settings.items():
            self._capture.set(setting, value)
        self._started, self._index, self._failed = time.monotonic(), -1, 0

    def read(self) -> Frame | None:
        """Give the camera's next picture, None when it was unplugged or closed.

        Raises:
            FerlibError: the camera gave none this time.
        """
        if not self._capture.isOpened() or self._failed >= _BLACKOUT:
            return None
        good, picture = self._capture.read()
        if not good or picture is None:
            self._failed += 1
            raise FerlibError(f"The {self.name} gave no picture; check its cable.")
        self._failed = 0
        self._index += 1
        return Frame(self._index, time.monotonic() - self._started, as_rgb(picture))

    def close(self) -> None:
        """Switch the camera off."""
        self._capture.release()


def open_source(what: Any) -> FrameSource:
    """Open a source of frames.

    Args:
        what: ``"device"`` or a camera's number; a video file; a picture, a folder, or a list of pictures; a source,
            which is given back; or a function that makes one.

    Raises:
        FerlibError: `what` is none of these, or it cannot be opened.
    """
    if hasattr(what, "read") and hasattr(what, "close"):
        return what
    if callable(what):
        return what()
    if isinstance(what, str) and what == "browser":
        raise FerlibError("The browser's camera is no source at the kernel; show it with LiveDemo or CameraWidget.")
    if isinstance(what, str) and what == "device":
        return DeviceSource()
    if isinstance(what, int) and not isinstance(what, bool):
        return DeviceSource(what)
    if isinstance(what, str | Path) and is_video(what):
        need("av", "Reading a video", "video")
        from ferlib.live.video_source import VideoSource  # not every stream is a video, and PyAV is optional

        return VideoSource(what)
    if isinstance(what, str | Path | list | tuple | np.ndarray):
        return PictureSource(what)
    raise FerlibError(f"{what!r} is no source of frames; give 'device', a video file, or pictures.")
