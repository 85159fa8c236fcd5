"""A whole video through the pipeline: a row a face and frame, an annotated copy, in constant memory, resumable.

The slow part, finding and classifying, comes first; its results go line by line into a file beside the output, from
which an interrupted run goes on. Tracks, table and annotated video are made from that file at the end, and quickly.
"""

import hashlib
import sys
import tempfile
from collections import Counter
from csv import writer as csv_writer
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TextIO

import cv2
from tqdm import tqdm

from ferlib.annotate.boxes import annotate
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.live import records
from ferlib.live.following import DETECT_EVERY, LONGEST_FOLLOWING, FaceFollower
from ferlib.live.frames import Frame
from ferlib.live.smoothing import TIME_CONSTANT
from ferlib.live.video_source import VideoSource
from ferlib.live.video_writer import VideoWriter, read_comment
from ferlib.pipeline import EmotionPipeline
from ferlib.scoring.failures import print_line, tell
from ferlib.scoring.progress import VideoLog, progress_path
from ferlib.text import printable, table

ANNOTATED_VIDEO = ".annotated.mp4"
_STATUS_INTERRUPTED = 130


@dataclass
class _TrackSummary:
    """One track in the text for people.

    Attributes:
        first: time of its first frame, seconds.
        last: time of its last frame, seconds.
        frames: number of frames.
        emotions: number of frames of each emotion.
    """

    first: float
    last: float = 0.0
    frames: int = 0
    emotions: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class _Outputs:
    """Files that are written at the end.

    Attributes:
        csv: file of the table, None for no table.
        annotated: file of the annotated video, None for no video.
        smoothing: time constant of the probabilities, seconds.
        threshold: confidence below which a face is "not sure".
    """

    csv: Path | None
    annotated: Path | None
    smoothing: float
    threshold: float

    @property
    def first(self) -> Path | None:
        """The output beside which the progress file lies."""
        return self.csv or self.annotated


def predict_video(
    path: str | Path,
    pipeline: EmotionPipeline,
    *,
    csv: str | Path | None = None,
    annotate_dir: str | Path | None = None,
    every: int = 1,
    detect_every: int = DETECT_EVERY,
    smoothing: float = TIME_CONSTANT,
    threshold: float | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
    progress: bool = True,
) -> int:
    """Find, classify and follow the faces of a video.

    Args:
        path: the video.
        pipeline: reads each frame.
        csv: a file for the table, `records.COLUMNS`.
        annotate_dir: a folder for ``<stem>.annotated.mp4``; where that is the copy of another video, the name gets
            ``-2``, ``-3`` and so on.
        every: read one frame in so many.
        detect_every: of those, frames from one detection to the next; 1 detects in each: see `FaceFollower`.
        smoothing: time constant of the probabilities, seconds.
        threshold: confidence below which ``sure`` is 0 in the table; None: the pipeline's.
        out: gets a line a track (None: standard output).
        err: gets warnings and a progress bar (None: standard error).
        progress: show the bar, if `err` is a terminal.

    Returns:
        The exit status: 0, 1 when frames were damaged, or 130 after Ctrl-C.

    Raises:
        FerlibError: it is no video, an output cannot be what it is named as, or `detect_every` is below 1.
    """
    path, out, err = Path(path), out or sys.stdout, err or sys.stderr
    if detect_every < 1:
        raise FerlibError(f"detect_every must be 1 or more, not {detect_every}.")
    _check_output_names(path, csv, annotate_dir)
    VideoSource(path, every).close()  # its sentence, if it is no video
    annotated = None if annotate_dir is None else _annotated_path(path, Path(annotate_dir), err)
    threshold = pipeline.threshold if threshold is None else threshold
    outputs = _Outputs(None if csv is None else Path(csv), annotated, smoothing, threshold)
    with tempfile.TemporaryDirectory(prefix="ferlib-") as scratch:
        part = progress_path(outputs.first or Path(scratch) / path.name)
        log, finished = VideoLog(part, path, pipeline, every=every, detect_every=detect_every), False
        try:
            damaged = _analyse(path, pipeline, log, every, detect_every, err, progress)
            tracks = _write_outputs(path, log, every, outputs)
            finished = True
        except KeyboardInterrupt:
            outlook = "the same command goes on from there" if outputs.first is not None else "nothing was kept"
            err.write("\n")
            tell(err, f"stopped before the end of {path}; {outlook}.")
            return _STATUS_INTERRUPTED
        finally:
            log.close(finished=finished)
    print_line(out, _summary(path, tracks))
    return 1 if damaged else 0


def _check_output_names(path: Path, csv: str | Path | None, annotate_dir: str | Path | None) -> None:
    if csv is not None and Path(csv).is_dir():
        raise FerlibError(f"{csv} is a folder; name a file for the table.")
    if csv is not None and Path(csv).resolve() == path.resolve():
        raise FerlibError(f"{csv} is the video itself; name another file for the table.")
    if annotate_dir is not None and Path(annotate_dir).exists() and not Path(annotate_dir).is_dir():
        raise FerlibError(f"{annotate_dir} is a file; name a folder for the annotated video.")


def _annotated_path(path: Path, folder: Path, err: TextIO) -> Path:
    """First name that is free, or taken by an earlier copy of the same video; another than the usual one is said."""
    usual = target = folder / f"{path.stem}{ANNOTATED_VIDEO}"
    numbers = count(2)
    while target.is_file() and read_comment(target) != _copy_comment(path):
        target = folder / f"{path.stem}-{next(numbers)}{ANNOTATED_VIDEO}"
    if target != usual:
        tell(err, f"{usual.name} is of another video; the copy of {path} is {target.name}.")
    return target


def _copy_comment(path: Path) -> str:
    """Text in an annotated copy that tells which file it was made from, and nothing about its folder."""
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"annotated copy, source {digest[:16]}"


def _analyse(
    path: Path, pipeline: EmotionPipeline, log: VideoLog, every: int, detect_every: int, err: TextIO, progress: bool
) -> bool:
    """Bring the log up to the video's end; True when frames were damaged or did not come."""
    follower, source = FaceFollower(pipeline), VideoSource(path, every, log.start)
    before = float("-inf")
    bar = tqdm(total=source.expected, initial=log.start, unit="frame", file=err, leave=False,
               disable=not (progress and err.isatty()))  # fmt: skip
    try:
        while True:
            try:
                frame = source.read()
            except FerlibError as error:
                follower.reset()  # a resumed run does not follow across a damaged frame either
                tell(err, str(error))
                log.add_damaged(source.seen - 1)
                continue
            finally:
                bar.update(source.seen - bar.n)
            if frame is None:
                break
            if frame.time - before > LONGEST_FOLLOWING:
                follower.reset()
            before = frame.time
            faces, detected = follower.step(frame.image, detect_every)
            log.add(frame.index, frame.time, faces, detected=detected)
    finally:
        bar.close()
        source.close()
    if source.assumed:
        tell(err, f"{path} does not say how fast it plays; {source.rate:.0f} frames a second were assumed.")
    if source.shortfall is not None:
        tell(err, f"{path} {source.shortfall}; it is cut short or damaged.")
    return bool(log.damaged or source.damaged or source.shortfall)


def _write_outputs(path: Path, log: VideoLog, every: int, outputs: _Outputs) -> dict[int, _TrackSummary]:
    """Write the outputs from the log, each whole or not at all; gives the tracks for the summary."""
    tracks: dict[int, _TrackSummary] = {}
    for _, time, faces in log.tracked(outputs.smoothing):
        for face in faces:
            track = tracks.setdefault(face.track, _TrackSummary(time))
            track.last, track.frames = time, track.frames + 1
            track.emotions[face.emotion] += 1
    if outputs.csv is not None:
        with atomic_path(outputs.csv) as temporary, open(temporary, "w", encoding="utf-8", newline="") as handle:
            rows = csv_writer(handle)
            rows.writerow(records.COLUMNS)
            for frame, time, faces in log.tracked(outputs.smoothing):
                rows.writerows(records.row(face, frame, time, outputs.threshold) for face in faces)
    if outputs.annotated is not None:
        with atomic_path(outputs.annotated) as temporary:
            _draw(path, log, every, outputs, temporary)
    return tracks


def _draw(path: Path, log: VideoLog, every: int, outputs: _Outputs, target: Path) -> None:
    """Write the annotated video, one frame for each that was read, at the time that it has in the video."""
    source, writer = VideoSource(path, every), None
    try:
        for index, _, faces in log.tracked(outputs.smoothing):
            frame = _frame_at(source, index)
            if frame is None:
                break
            steadied = [face.steadied(outputs.threshold) for face in faces]
            drawn = cv2.resize(annotate(frame.image, steadied, bars=False), frame.image.shape[1::-1])
            writer = writer or VideoWriter(target, source.rate / every, _copy_comment(path))
            writer.write(drawn, frame.time)
    finally:
        source.close()
        if writer is not None:
            writer.close()
    if writer is None:
        raise FerlibError(f"no frame of {path.name} could be read, so there is nothing to draw.")


def _frame_at(source: VideoSource, index: int) -> Frame | None:
    """Frame `index`, which lies ahead; damaged ones before it are passed over again."""
    while True:
        try:
            frame = source.read()
        except FerlibError:
            continue
        if frame is None or frame.index >= index:
            return frame


def _summary(path: Path, tracks: dict[int, _TrackSummary]) -> str:
    """Text for people: a line a track."""
    name = printable(str(path))
    if not tracks:
        return f"{name}: no face found"
    rows = []
    for number, track in tracks.items():
        shares = ", ".join(f"{name} {count / track.frames:.0%}" for name, count in track.emotions.most_common(3))
        rows.append((number, f"{track.first:.2f}", f"{track.last:.2f}", track.frames, shares))
    columns = ("track", "from (s)", "to (s)", "frames", "emotions")
    lines = table(columns, rows, (">", ">8", ">8", ">6", "<"))
    return "\n".join([f"{name}: {len(tracks)} face{'s' if len(tracks) > 1 else ''} followed", *lines])
