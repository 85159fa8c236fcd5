"""Video files: the formats that are read, and their frames, whatever a file says of itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, starmap
from pathlib import Path

import av
from av.packet import Packet
from av.video.frame import VideoFrame

from ferlib.errors import FerlibError
from ferlib.live.frames import Frame
from ferlib.live.video_decoding import Deinterlacer, OpenVideo, PictureConverter, no_frames, open_video

_LONGEST_GAP = 10.0  # seconds; a longer one in a broadcast is a new recording, as for FFmpeg's own programs
_ASSUMED_RATE = 25.0  # frames a second of a video that does not say


class VideoSource:
    """The frames of a video file in order, as a player shows them: whole, upright, with square pixels.

    A frame has the size that it was recorded in, which may change within a file. Its time is the file's own, in seconds
    of the clock that a player shows; it rises from frame to frame. The file's own account of its length is not trusted:
    it is read until no frame comes any more.

    Args:
        path: the file.
        every: take one frame in so many.
        start: index of the first frame to give; those before it are decoded and passed over.

    Attributes:
        path: the file.
        name: its name.
        rate: frames a second, on average.
        assumed: the file does not say its rate, and `rate` is a guess.
        claimed: frames that the file claims to hold, None when it does not say.
        expected: frames that it should hold by its length and rate, a guess for progress bars; None when not known.
        seen: frames read or passed over so far.
        damaged: frames that could not be decoded so far.
        is_recorded: True; a source without it is live, and a long gap means that it stalled.

    Raises:
        FerlibError: the file is missing, empty, no video, holds no frame, or has frames that are too large.
    """

    is_recorded = True

    def __init__(self, path: str | Path, every: int = 1, start: int = 0):
        if every < 1:
            raise FerlibError(f"every must be 1 or more, not {every}.")
        self.path, self.name = Path(path), Path(path).name
        self._check_file()
        self._video: OpenVideo | None = open_video(self.path)
        self.claimed, self._claimed_seconds = self._video.claimed_frames, self._video.claimed_seconds
        self.rate, self.assumed = _rate(self._video)
        self.expected = self._video.expected_frames(self.rate)
        self.seen = self.damaged = 0
        self._every, self._start = every, start
        self._packets, self._end, self._cut = 0, 0.0, False
        self._clock, self._converter = _Clock(self._video, self.rate), PictureConverter()
        frames = self._whole_frames(self._video)
        first = list(_up_to_the_first(frames))
        if not first or first[-1] is None:
            self.close()
            raise no_frames(self.path)
        self._frames: Iterator[_Decoded | None] = chain(first, frames)

    def read(self) -> Frame | None:
        """Give the next frame, None at the end.

        Raises:
            FerlibError: this frame cannot be decoded; the next call goes on.
        """
        for decoded in self._frames:
            index, self.seen = self.seen, self.seen + 1
            if index < self._start or index % self._every:
                continue
            picture = (
                None if decoded is None else self._converter.convert(decoded.frame, decoded.belongings.pixel_aspect)
            )
            if decoded is None or picture is None:
                self.damaged += 1
                raise FerlibError(f"Frame {index} of {self.name} is damaged and was passed over.")
            return Frame(index, decoded.belongings.seconds, picture)
        return None

    def close(self) -> None:
        """Close the file."""
        self._frames = iter(())
        if self._video is not None:
            self._video.close()
            self._video = None

    @property
    def missing(self) -> int:
        """Number of frames that the file claims and that did not come, once it has been read to its end."""
        return max(0, (self.claimed or 0) - self._packets)

    @property
    def shortfall(self) -> str | None:
        """Part that the file claims to hold and does not, once it has been read to its end; None for a whole file.

        A video of variable rate is no shorter for having fewer frames than its rate suggests: only tables of frames,
        a written length, and a file that ends in the middle of a frame are evidence.
        """
        if self.missing > max(1, 0.01 * self._packets):
            return f"claims {self.claimed} frames and gave {self._packets}"
        length = self._claimed_seconds
        if length is not None and self._end < length - max(0.5, 0.01 * length, 2 * self._clock.step):
            return f"claims to last {length:.1f} seconds and ends after {self._end:.1f}"
        return "ends in the middle of a frame" if self._cut else None

    def _check_file(self) -> None:
        if not self.path.is_file():
            what = "is a folder" if self.path.is_dir() else "does not exist"
            raise FerlibError(f"{self.path} {what}; give a video file.")
        if self.path.stat().st_size == 0:
            raise FerlibError(f"{self.path} is empty (0 bytes); copy or download it again.")

    def _whole_frames(self, video: OpenVideo) -> Iterator["_Decoded | None"]:
        """Deinterlaced frames with their times; None for one that cannot be decoded."""
        deinterlacer, stream = Deinterlacer(), video.stream
        size = stream.width, stream.height
        for frame in self._coded_frames(video):
            if frame is None:
                yield from starmap(_Decoded, deinterlacer.flush())
                yield None
                continue
            known = (frame.width, frame.height) == size  # otherwise the container speaks of other frames
            aspect = stream.sample_aspect_ratio if known else stream.codec_context.sample_aspect_ratio
            belongings = _Belongings(self._clock.seconds(frame), aspect)
            yield from starmap(_Decoded, deinterlacer.push(frame, belongings))
        yield from starmap(_Decoded, deinterlacer.flush())

    def _coded_frames(self, video: OpenVideo) -> Iterator[VideoFrame | None]:
        """Frames as they are stored; None for one that cannot be decoded."""
        try:
            for packet in video.container.demux():
                if packet.pts is not None and packet.time_base is not None:
                    self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream_index == video.stream.index:
                    yield from self._decode(video, packet)
        except (av.FFmpegError, OSError):  # OSError: the file itself cannot be read on
            self._cut = True
            yield from self._decode(video, None)

    def _decode(self, video: OpenVideo, packet: Packet | None) -> Iterator[VideoFrame | None]:
        """Frames that come out when a packet goes in, None for an error; the last packet is None or empty."""
        if packet is not None and packet.size:
            self._packets, self._cut = self._packets + 1, packet.is_corrupt
        try:
            yield from video.stream.decode(packet)
        except av.EOFError:
            return
        except av.FFmpegError:
            if self._cut:  # the end of a cut file is no damaged frame
                self._packets -= 1
            else:
                yield None


@dataclass(frozen=True)
class _Belongings:
    """Time and pixel shape of a frame, kept while it is deinterlaced.

    Attributes:
        seconds: its time.
        pixel_aspect: width of its pixels by their height.
    """

    seconds: float
    pixel_aspect: Fraction | None


@dataclass(frozen=True)
class _Decoded:
    """A whole frame, not yet a picture.

    Attributes:
        frame: the frame.
        belongings: its time and the shape of its pixels.
    """

    frame: VideoFrame
    belongings: _Belongings


class _Clock:
    """Times of frames, which rise from one to the next.

    Args:
        video: the file; where its format has no clock of its own, times count from its first frame or sound.
        rate: frames a second, for frames without a time.

    Attributes:
        step: seconds between the last two frames.
    """

    def __init__(self, video: OpenVideo, rate: float):
        start = (video.container.start_time or 0) / av.time_base
        self._origin = start if start < 0 or not video.has_clock else 0.0
        self._jumps, self._has_times = not video.has_clock, not video.is_raw
        self._usual_step = 1 / rate
        self._last: float | None = None
        self.step = 0.0

    def seconds(self, frame: VideoFrame) -> float:
        """Give the time of the next frame.

        Args:
            frame: the next frame in the order of presentation.
        """
        following = 0.0 if self._last is None else self._last + self._usual_step
        time = following
        if self._has_times and frame.pts is not None and frame.time_base is not None:
            time = float(frame.pts * frame.time_base) - self._origin
        if self._last is None:
            time = max(0.0, time)
        elif self._jumps and not 0 < time - self._last < _LONGEST_GAP:  # a new recording begins: its times go on
            following = self._last + (self.step or self._usual_step)
            self._origin -= following - time
            time = following
        elif time <= self._last:
            time = following
        self.step = 0.0 if self._last is None else time - self._last
        self._last = time
        return time


def _up_to_the_first(frames: Iterator[_Decoded | None]) -> Iterator[_Decoded | None]:
    """Frames up to the first that could be decoded."""
    for frame in frames:
        yield frame
        if frame is not None:
            return


def _rate(video: OpenVideo) -> tuple[float, bool]:
    """Frames a second, and whether they are a guess because the file does not say."""
    stream = video.stream
    rates = [stream.codec_context.framerate] if video.is_raw else [stream.average_rate, stream.guessed_rate]
    rate = next((float(rate) for rate in rates if rate), 0.0)
    return (rate, False) if rate > 0 else (_ASSUMED_RATE, True)
