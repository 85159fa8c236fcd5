"""Files of unfinished work, beside the output: an interrupted run of a folder or of a video goes on from there.

Both kinds hold lines of JSON: a header that names the run, then a line for each picture or frame that was scored. A
last line that was cut off does not count, and a file with another header is begun afresh.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ferlib.live.tracking import PATIENCE_FRAMES, TrackedFace, Tracker
from ferlib.pipeline import EmotionPipeline, Face
from ferlib.scoring.workers import ScoredPicture

ENDING = ".part.jsonl"
_PICTURES_FORM = 2  # of the lines; a file with another number is begun afresh
_VIDEO_FORM = 4


def progress_path(output: Path) -> Path:
    """Path of the progress file of an output.

    Args:
        output: the table, or the annotated video, that is written at the end.
    """
    return output.with_name(output.name + ENDING)


class _ProgressFile:
    """Lines of JSON under a header; each is on its way to the disk when `_append` returns.

    Args:
        path: the file; what it holds from an earlier run with an equal header stays.
        header: JSON-ready, everything that must be equal for a run to go on where another stopped.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        usable = self._resume(_intact_lines(path, header))
        self._handle = open(path, "r+b" if usable else "w+b")  # noqa: SIM115 - it stays open as long as this object
        self._handle.truncate(usable)
        if not usable:
            self._append(header)

    def _resume(self, lines: Iterator[tuple[int, int, dict[str, Any]]]) -> int:
        """Take over the lines of an earlier run, the header first; gives the bytes that stay."""
        raise NotImplementedError

    def _append(self, value: dict[str, Any]) -> int:
        """Write a line at the end; gives the place where it begins."""
        place = self._handle.seek(0, 2)
        self._handle.write(json.dumps(value).encode("ascii") + b"\n")
        self._handle.flush()
        return place

    def close(self, *, finished: bool) -> None:
        """Close the file.

        Args:
            finished: the outputs are written, so that the file is removed.
        """
        self._handle.close()
        if finished:
            self.path.unlink(missing_ok=True)


class PictureLog(_ProgressFile):
    """Results of a folder by picture; in memory is only where each line begins.

    Args:
        output: the table that is being made; the log lies beside it.
        pipeline: what scores; results of another model, engine, crop or smallest face do not count.
    """

    def __init__(self, output: Path, pipeline: EmotionPipeline) -> None:
        self._places: dict[str, int] = {}
        header = {"form": _PICTURES_FORM, "threshold": pipeline.threshold, **pipeline.identity()}
        super().__init__(progress_path(output), header)

    def _resume(self, lines: Iterator[tuple[int, int, dict[str, Any]]]) -> int:
        usable = 0
        for number, (begin, end, value) in enumerate(lines):
            if number:
                self._places[value["source"]] = begin
            usable = end
        return usable

    def find(self, picture: Path) -> ScoredPicture | None:
        """Look a picture up.

        Args:
            picture: its path, as it was given.

        Returns:
            Its result; None for a picture that is new or has changed since it was scored.
        """
        value = self._line(picture)
        if value is None or value["file"] != _file_state(picture):
            self._places.pop(str(picture), None)  # what it held before must not reach the table
            return None
        return ScoredPicture(
            picture, value["width"], value["height"], _stored_faces(value), notes=tuple(value.get("notes", ()))
        )

    def faces(self, picture: Path) -> list[Face]:
        """Read the faces of a picture.

        Args:
            picture: its path, as it was given.

        Returns:
            Its faces; an empty list for a picture that was not scored.
        """
        value = self._line(picture)
        return [] if value is None else _stored_faces(value)

    def add(self, scored: ScoredPicture) -> None:
        """Store the result of a picture.

        Args:
            scored: the result.
        """
        self._places[str(scored.source)] = self._append(
            {
                "source": str(scored.source), "file": _file_state(scored.source), "width": scored.width,
                "height": scored.height, "faces": [face.to_dict() for face in scored.faces],
                **({"notes": scored.notes} if scored.notes else {}),
            }
        )  # fmt: skip

    def _line(self, picture: Path) -> dict[str, Any] | None:
        place = self._places.get(str(picture))
        if place is None:
            return None
        self._handle.seek(place)
        return json.loads(self._handle.readline())


class VideoLog(_ProgressFile):
    """Results of a video by frame.

    Where faces are followed, the frames since the last detection are read again by a run that goes on: they depend on
    what only the earlier run knew.

    Args:
        path: the progress file.
        video: the file that is read.
        pipeline: what reads the frames.
        every: one frame in so many is read.
        detect_every: of those, frames from one detection to the next.

    Attributes:
        start: index of the frame to go on with.
        damaged: frames before it that could not be decoded.
    """

    def __init__(self, path: Path, video: Path, pipeline: EmotionPipeline, *, every: int, detect_every: int) -> None:
        self.start = self.damaged = 0
        self._follows = detect_every > 1
        size, changed = _file_state(video)
        header = {"form": _VIDEO_FORM, "bytes": size, "changed": changed, "every": every, "detect_every": detect_every}
        super().__init__(path, header | pipeline.identity())

    def _resume(self, lines: Iterator[tuple[int, int, dict[str, Any]]]) -> int:
        usable = damaged = 0
        for number, (begin, end, value) in enumerate(lines):
            if number == 0:
                usable = end
            elif self._follows and value.get("detected"):
                self.start, self.damaged, usable = value["frame"], damaged, begin
            damaged += value.get("damaged", False)
            if number and not self._follows:
                self.start, self.damaged, usable = value["frame"] + 1, damaged, end
        return usable

    def add(self, frame: int, time: float, faces: Sequence[Face], *, detected: bool) -> None:
        """Keep the faces of a frame.

        Args:
            frame: index of the frame.
            time: its time, seconds.
            faces: what was read.
            detected: False when the faces were followed from the frame before.
        """
        values = [face.to_dict() for face in faces]
        self._append({"frame": frame, "time": round(time, 4), "detected": detected, "faces": values})

    def add_damaged(self, frame: int) -> None:
        """Store the index of a frame that could not be decoded.

        Args:
            frame: its index in the video.
        """
        self._append({"frame": frame, "damaged": True})

    def tracked(self, smoothing: float) -> Iterator[tuple[int, float, list[TrackedFace]]]:
        """Track the faces of all frames that could be decoded.

        Args:
            smoothing: time constant of the probabilities, seconds.

        Yields:
            Index and time (seconds) of each frame, and its faces.
        """
        tracker = Tracker(time_constant=smoothing, patience_frames=PATIENCE_FRAMES)
        with open(self.path, "rb") as handle:
            next(handle)  # the header
            for text in handle:
                value = json.loads(text)
                if not value.get("damaged"):
                    yield value["frame"], value["time"], tracker.update(_stored_faces(value), value["time"])


def _stored_faces(value: dict[str, Any]) -> list[Face]:
    return [Face.from_dict(face) for face in value["faces"]]


def _file_state(path: Path) -> list[int]:
    """Size and time of the last change, by which a file that was replaced is told."""
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


def _intact_lines(path: Path, header: dict[str, Any]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """First byte, end and value of each line up to the first one that was cut off; none under another header."""
    if not path.is_file():
        return
    begin = 0
    with open(path, "rb") as handle:
        for text in handle:
            value = _parsed_line(text)
            if value is None or (begin == 0 and value != header):
                return
            yield begin, begin + len(text), value
            begin += len(text)


def _parsed_line(text: bytes) -> dict[str, Any] | None:
    """Object of a line; None for a line that was cut off."""
    if not text.endswith(b"\n"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
