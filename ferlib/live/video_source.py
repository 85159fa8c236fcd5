"""Video files: the formats that are read, and their frames, whatever a file says of itself."""

import os
from math import isfinite
from pathlib import Path

import cv2

from ferlib.errors import FerlibError
from ferlib.live.frames import Frame, as_rgb

_VIDEOS = "mp4 m4v mov avi mkv webm mjpeg mjpg mpg mpeg wmv 3gp flv m2ts mts ogv ts"
VIDEO_SUFFIXES = frozenset(f".{name}" for name in _VIDEOS.split())
_ASSUMED_RATE = 25.0  # frames a second of a video that does not say

# FFmpeg, inside OpenCV, writes about every damaged byte on the terminal; what matters is reported by VideoSource.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class VideoSource:
    """The frames of a video file in order.

    The file's own account of its length is not trusted: it is read until no frame comes any more.

    Args:
        path: the file.
        every: take one frame in so many.
        start: index of the first frame to give; those before it are passed over without decoding where possible.

    Attributes:
        path: the file.
        name: its name.
        rate: frames a second.
        assumed: the file does not say its rate, and `rate` is a guess.
        claimed: frames that the file claims to hold, None when it does not say.
        seen: frames read or passed over so far.
        damaged: frames that could not be decoded so far.

    Raises:
        FerlibError: the file is missing, empty, no video, or holds no frame.
    """

    def __init__(self, path: str | Path, every: int = 1, start: int = 0):
        if every < 1:
            raise FerlibError(f"every must be 1 or more, not {every}.")
        self.path, self.name = Path(path), Path(path).name
        self._check_file()
        self._capture = cv2.VideoCapture(str(path))
        self.seen = self.damaged = 0
        self._every, self._time = every, float("-inf")
        if not self._capture.isOpened() or not self._capture.grab():
            self.close()
            raise FerlibError(
                f"{path} holds no frame that can be read: it is no video, or cut short; make or copy it again."
            )
        self._grabbed = True
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.assumed = not (isfinite(rate) and 0 < rate <= 1000)
        self.rate = _ASSUMED_RATE if self.assumed else float(rate)
        claimed = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.claimed = int(claimed) if isfinite(claimed) and 0 < claimed < 1e8 else None
        while self.seen < start and self._grab():
            self._pass_over()

    def read(self) -> Frame | None:
        """Give the next frame, None at the end.

        Raises:
            FerlibError: this frame cannot be decoded; the next call goes on.
        """
        while self._grab():
            index, seconds = self.seen, self._seconds()
            if index % self._every:
                self._pass_over()
                continue
            self._pass_over()
            good, picture = self._capture.retrieve()
            if not good or picture is None:
                self.damaged += 1
                raise FerlibError(f"Frame {index} of {self.name} is damaged and was passed over.")
            return Frame(index, seconds, as_rgb(picture))
        return None

    def close(self) -> None:
        """Close the file."""
        self._capture.release()
        self._grabbed = False

    @property
    def missing(self) -> int:
        """Number of frames that the file claims and that did not come, once it has been read to its end."""
        return max(0, (self.claimed or 0) - self.seen)

    def _check_file(self) -> None:
        if not self.path.is_file():
            what = "is a folder" if self.path.is_dir() else "does not exist"
            raise FerlibError(f"{self.path} {what}; give a video file.")
        if self.path.stat().st_size == 0:
            raise FerlibError(f"{self.path} is empty (0 bytes); copy or download it again.")

    def _grab(self) -> bool:
        """Tell whether a frame is at hand; that of the constructor is used first."""
        self._grabbed = self._grabbed or (self._capture.isOpened() and self._capture.grab())
        return self._grabbed

    def _pass_over(self) -> None:
        self._grabbed = False
        self.seen += 1

    def _seconds(self) -> float:
        """Time of the frame at hand: its own where it rises, else the one that follows from the rate."""
        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        usable = not self.assumed and isfinite(stamp) and stamp > self._time
        self._time = max(stamp if usable else self.seen / self.rate, self._time)
        return max(self._time, 0.0)


def open_writer(path: str | Path, code: str, rate: float, size: tuple[int, int]) -> cv2.VideoWriter:
    """Open a video file for writing BGR frames.

    Args:
        path: the file.
        code: four letters that name the codec.
        rate: frames a second.
        size: width and height of the frames, pixels.

    Raises:
        FerlibError: this installation of OpenCV cannot write such a file, or not there.
    """
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), rate, size)
    if not writer.isOpened():
        raise FerlibError(f"{Path(path).name} could not be opened as a {code} video; choose another folder or format.")
    return writer


def is_video(path: str | Path) -> bool:
    """Tell by its suffix whether a file is a video, one of `VIDEO_SUFFIXES`.

    Args:
        path: the file, there or not.
    """
    return Path(path).suffix.lower() in VIDEO_SUFFIXES
