"""Pictures from coded video, by PyAV (FFmpeg): opened without side doors, deinterlaced, with square pixels, upright."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ferlib.errors import FerlibError

LARGEST_FRAME = 8192 * 4352
"""Most pixels of a frame that is decoded, 8K; a decoder holds about twenty frames at a time."""

_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegvideo,mpegts,asf,flv,ogg,dv,mxf,ivf,obu,mjpeg,mjpeg_2000,m4v,"
    "h263,h264,hevc,vvc,vc1,jpeg_pipe,rm,nut"
)  # FFmpeg's demuxers that read one file and nothing else: no playlists, no pictures, no devices
_PLAYLISTS = (b"ffconcat", b"#EXTM3U", b"<?xml", b"<MPD", b"<SMIL", b"[playlist]", b"v=0\r\n", b"v=0\n")
# Formats of coded frames alone, without times.
_RAW = frozenset(["mjpeg", "h264", "hevc", "vvc", "mpegvideo", "obu", "m4v", "h263", "vc1", "jpeg_pipe"])
_CLOCKLESS = 0x200  # AVFMT_TS_DISCONT: time stamps begin anywhere and may jump (broadcasts, DVD)
_BUFFER = 1 << 18  # bytes that are read from the file at a time
_LARGE_FRAME = 3840 * 2160  # pixels from which on few threads decode, to bound the memory
_STRETCH = 8  # the most that a pixel is wider than high, or the reverse; beyond it the file is not believed


class _ReadOnlyFile:
    """A file whose name FFmpeg does not get to see, but for the suffix.

    Names with a colon are no addresses then, and names that are not UTF-8 do no harm.
    """

    def __init__(self, path: Path):
        self._handle = open(path, "rb")  # noqa: SIM115 - it stays open as long as this object
        suffix = path.suffix.lower()
        self.name = f"video{suffix}" if suffix.isascii() else "video"
        self.read, self.tell = self._handle.read, self._handle.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._handle.seek(offset, whence)
        except (OSError, ValueError):  # a damaged file names places before its beginning
            return -1

    def close(self) -> None:
        self._handle.close()


@dataclass(frozen=True, eq=False)
class OpenVideo:
    """A file whose video stream can be decoded.

    Attributes:
        container: the file as PyAV has it.
        stream: the video stream.
        file: the file itself.
    """

    container: InputContainer
    stream: VideoStream
    file: _ReadOnlyFile

    @property
    def has_clock(self) -> bool:
        """Tell whether the format's time stamps count from the file's own beginning."""
        return not (self.container.format.flags & _CLOCKLESS or self.container.format.name == "flv")

    @property
    def is_raw(self) -> bool:
        """Tell whether the file holds coded frames alone, whose times FFmpeg counts at 25 a second."""
        return self.container.format.name in _RAW

    @property
    def claimed_frames(self) -> int | None:
        """Number of frames by the container's table, None for a container that does not say.

        MP4's edit list may leave frames out, which the index takes into account and the header does not.
        """
        if self.container.format.name.startswith("mov") and len(self.stream.index_entries):
            return len(self.stream.index_entries)
        return self.stream.frames if 0 < self.stream.frames < 10**8 else None

    def expected_frames(self, rate: float) -> int | None:
        """Estimate the number of frames for a progress bar; None where not even the length is known.

        Args:
            rate: frames a second.
        """
        seconds = (self.container.duration or 0) / av.time_base
        return self.claimed_frames or (round(seconds * rate) if 0 < seconds * rate < 1e8 else None)

    @property
    def claimed_seconds(self) -> float | None:
        """Time at which the last frame or sound ends by the header, None where FFmpeg only estimates it."""
        written = self.container.format.name.startswith("matroska") and self.container.duration
        return self.container.duration / av.time_base if written and self.container.duration else None

    def close(self) -> None:
        """Close the file."""
        self.container.close()
        self.file.close()


def open_video(path: Path) -> OpenVideo:
    """Open a video file.

    Args:
        path: an existing file.

    Raises:
        FerlibError: it is a playlist, no video, has no pictures, or its frames are too large.
    """
    file = _ReadOnlyFile(path)
    try:
        return _opened(path, file)
    except BaseException:
        file.close()
        raise


def _opened(path: Path, file: _ReadOnlyFile) -> OpenVideo:
    head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    file.seek(0)
    if head.startswith(_PLAYLISTS):
        raise FerlibError(f"{path} is a list of other files, no video; give the video file itself.")
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"}
    try:
        container = cast(InputContainer, av.open(file, options=options, metadata_errors="replace", buffer_size=_BUFFER))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise no_frames(path) from error
    stream = container.streams.best("video")
    if stream is None or stream.disposition & stream.disposition.attached_pic:
        container.close()
        raise FerlibError(f"{path} holds no moving pictures; give a video file.")
    if stream.codec_context is None:
        container.close()
        raise FerlibError(f"The pictures of {path} are coded in a way that is not known; convert it to MP4.")
    video = cast(VideoStream, stream)
    if video.width * video.height > LARGEST_FRAME:
        size = f"{video.width} x {video.height}"
        container.close()
        raise FerlibError(
            f"The frames of {path} have {size} pixels, and {LARGEST_FRAME / 1e6:.0f} million pixels is the most that "
            "is read; make a smaller copy of it."
        )
    video.codec_context.options = {"max_pixels": str(LARGEST_FRAME)}  # also after a change in mid-stream
    video.thread_type = "AUTO"
    video.thread_count = 2 if video.width * video.height > _LARGE_FRAME else min(8, os.cpu_count() or 1)
    return OpenVideo(container, video, file)


def no_frames(path: Path) -> FerlibError:
    """Make the error of a file in which there is no frame.

    Args:
        path: the file.
    """
    return FerlibError(f"{path} holds no frame that can be read: it is no video, or cut short; make or copy it again.")


class Deinterlacer:
    """Makes whole frames of those that hold two moments, every other line one of them, by FFmpeg's bwdif.

    Frames pass unchanged until the first one that is interlaced; from there on they come one frame late.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._shape: tuple[Any, ...] = ()
        self._pending: deque[Any] = deque()  # what belongs to the frames inside the graph

    def push(self, frame: VideoFrame, belongings: Any) -> Iterator[tuple[VideoFrame, Any]]:
        """Take a frame.

        Args:
            frame: the next frame.
            belongings: what comes out together with it.

        Yields:
            Frames that are ready and their belongings, in order.
        """
        shape = (frame.width, frame.height, frame.format.name)
        if self._graph is not None and shape != self._shape:
            yield from self.flush()
        if self._graph is None and not frame.interlaced_frame:
            yield frame, belongings
            return
        if self._graph is None:
            self._graph, self._shape = _deinterlacing_graph(frame), shape
        self._pending.append(belongings)
        frame.pts = None  # times are kept outside; the filter doubles their base
        self._graph.vpush(frame)
        yield from self._pull()

    def flush(self) -> Iterator[tuple[VideoFrame, Any]]:
        """Give the frames that are still inside, and begin anew."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pull()
        self._graph = None
        self._pending.clear()

    def _pull(self) -> Iterator[tuple[VideoFrame, Any]]:
        while self._graph is not None and self._pending:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield frame, self._pending.popleft()


def _deinterlacing_graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
    )
    filtering = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(source, filtering, graph.add("buffersink")).configure()
    return graph


class PictureConverter:
    """Converts decoded frames to the pictures that a player shows; it keeps what frames of one format share."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def convert(self, frame: VideoFrame, pixel_aspect: Fraction | None) -> np.ndarray | None:
        """Convert a decoded frame.

        Args:
            frame: a frame of any pixel format; its display matrix turns it.
            pixel_aspect: width of a pixel by its height; None stands for square ones.

        Returns:
            (H, W, 3) uint8 RGB with square pixels: the shorter side of the pixels is stretched, so that nothing is
            lost. None where the frame's colours or format make no sense.
        """
        width, height = _square_size(frame.width, frame.height, pixel_aspect)
        try:
            rgb = self._reformatter.reformat(frame, width, height, "rgb24", interpolation="BICUBIC").to_ndarray()
        except (av.FFmpegError, ValueError):
            return None
        return np.ascontiguousarray(_turned(rgb, frame))


def _square_size(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    if pixel_aspect is None or not Fraction(1, _STRETCH) <= pixel_aspect <= _STRETCH:
        return width, height
    stretched = (round(width * pixel_aspect), height) if pixel_aspect >= 1 else (width, round(height / pixel_aspect))
    return stretched if stretched[0] * stretched[1] <= LARGEST_FRAME else (width, height)


def _turned(picture: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """Turn and mirror a picture by quarter turns as the display matrix says (ISO 14496-12, 6.2.2: x' = ax + cy)."""
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return picture
    a, b, _, c, d = np.frombuffer(bytes(cast(SideData, stored)), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        picture, across, down = picture.transpose(1, 0, 2), c, b
    else:
        across, down = a, d
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
