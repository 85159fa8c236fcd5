"""A whole video through the pipeline: a row a face and frame, an annotated copy, in constant memory, resumable.

The slow part, finding and classifying, comes first; its results go line by line into a file beside the output, from
which an interrupted run goes on. Tracks, table and annotated video are made from that file at the end, and quickly.
"""

import sys
import tempfile
from collections import Counter
from csv import writer as csv_writer
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np
from tqdm import tqdm

from ferlib.annotate.boxes import annotate
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.live import records
from ferlib.live.following import DETECT_EVERY, FaceFollower
from ferlib.live.smoothing import TIME_CONSTANT
from ferlib.live.tracking import TrackedFace
from ferlib.live.video_source import VideoSource, open_writer
from ferlib.pipeline import EmotionPipeline, Face
from ferlib.scoring import progress as part_file

ANNOTATED_VIDEO = ".annotated.mp4"
_STATUS_INTERRUPTED = 130


@dataclass
class _Track:
    """What the summary says of one track."""

    first: float
    last: float = 0.0
    frames: int = 0
    emotions: Counter = field(default_factory=Counter)


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
    """Find, classify and follow the faces of a video; the exit status, 1 when frames were damaged, 130 after Ctrl-C.

    Args:
        path: of the video.
        pipeline: reads each frame.
        csv: a file for the table, `records.COLUMNS`.
        annotate_dir: a folder for ``<stem>.annotated.mp4``.
        every: read one frame in so many.
        detect_every: of those, from one detection to the next; 1 detects in each: see `FaceFollower`.
        smoothing: time constant of the probabilities, seconds.
        threshold: confidence below which ``sure`` is 0 in the table; None: the pipeline's.
        out: gets a line a track (None: standard output).
        err: gets warnings and a progress bar (None: standard error).
        progress: show the bar, if `err` is a terminal.

    Raises:
        FerlibError: it is no video, an output cannot be what it is named as, or `detect_every` is below 1.
    """
    path, out, err = Path(path), out or sys.stdout, err or sys.stderr
    target = None if annotate_dir is None else Path(annotate_dir) / f"{path.stem}{ANNOTATED_VIDEO}"
    threshold = pipeline.threshold if threshold is None else threshold
    if detect_every < 1:
        raise FerlibError(f"detect_every must be 1 or more, not {detect_every}.")
    _check_outputs(path, csv, annotate_dir)
    VideoSource(path, every).close()  # its sentence, if it is no video
    header = part_file.header(path, pipeline, every, detect_every)
    with tempfile.TemporaryDirectory(prefix="ferlib-") as scratch:
        output = Path(csv) if csv is not None else target
        part = part_file.beside(Path(scratch) / path.name if output is None else output)
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            damaged = _analyse(path, pipeline, part, header, err, progress)
        except KeyboardInterrupt:
            how = "the same command goes on from there" if output is not None else "nothing was kept"
            err.write(f"\nferlib: stopped before the end of {path}; {how}.\n")
            return _STATUS_INTERRUPTED
        tracks = _write(path, part, every, smoothing, threshold, None if csv is None else Path(csv), target)
        part.unlink()
    out.write(_summary(path, tracks))
    return 1 if damaged else 0


def _check_outputs(path: Path, csv: str | Path | None, annotate_dir: str | Path | None) -> None:
    if csv is not None and Path(csv).is_dir():
        raise FerlibError(f"{csv} is a folder; name a file for the table.")
    if csv is not None and Path(csv).resolve() == path.resolve():
        raise FerlibError(f"{csv} is the video itself; name another file for the table.")
    if annotate_dir is not None and Path(annotate_dir).exists() and not Path(annotate_dir).is_dir():
        raise FerlibError(f"{annotate_dir} is a file; name a folder for the annotated video.")


def _analyse(
    path: Path, pipeline: EmotionPipeline, part: Path, header: dict[str, Any], err: TextIO, progress: bool
) -> bool:
    """Bring the part file up to the video's end; True when frames were damaged or did not come."""
    (start, damaged), follower = part_file.resume(part, header), FaceFollower(pipeline)
    source = VideoSource(path, header["every"], start)
    bar = tqdm(total=source.claimed, initial=start, unit="frame", file=err, leave=False,
               disable=not (progress and err.isatty()))  # fmt: skip
    try:
        with open(part, "a", encoding="utf-8") as handle:
            while True:
                try:
                    frame = source.read()
                except FerlibError as error:
                    follower.reset()  # a resumed run does not follow across a damaged frame either
                    tqdm.write(f"ferlib: {error}", file=err)
                    handle.write(part_file.damage(source.seen - 1))
                    continue
                finally:
                    bar.update(source.seen - bar.n)
                if frame is None:
                    break
                found = follower.step(frame.image, header["detect_every"])
                handle.write(part_file.line(frame.index, frame.time, *found))
                handle.flush()
    finally:
        bar.close()
        source.close()
    if source.assumed:
        err.write(f"ferlib: {path} does not say how fast it plays; {source.rate:.0f} frames a second were assumed.\n")
    short = source.missing > max(1, 0.01 * source.seen)
    if short:
        err.write(
            f"ferlib: {path} claims {source.claimed} frames and gave {source.seen}; it is cut short or damaged.\n"
        )
    return bool(damaged or source.damaged or short)


def _write(
    path: Path, part: Path, every: int, smoothing: float, threshold: float, csv: Path | None, target: Path | None
) -> dict[int, _Track]:
    """The outputs from the part file, each whole or not at all, and the tracks for the summary."""
    tracks: dict[int, _Track] = {}
    for _, time, faces in part_file.followed(part, smoothing):
        for one in faces:
            track = tracks.setdefault(one.track, _Track(time))
            track.last, track.frames = time, track.frames + 1
            track.emotions[one.emotion] += 1
    if csv is not None:
        with atomic_path(csv) as temporary, open(temporary, "w", encoding="utf-8", newline="") as handle:
            table = csv_writer(handle)
            table.writerow(records.COLUMNS)
            for frame, time, faces in part_file.followed(part, smoothing):
                table.writerows(records.row(one, frame, time, threshold) for one in faces)
    if target is not None:
        with atomic_path(target) as temporary:
            _draw(path, part, every, smoothing, threshold, temporary)
    return tracks


def _draw(path: Path, part: Path, every: int, smoothing: float, threshold: float, target: Path) -> None:
    """The annotated video, one frame for each that was read."""
    source, writer = VideoSource(path, every), None
    try:
        for frame, _, faces in part_file.followed(part, smoothing):
            picture = _frame(source, frame)
            if picture is None:
                break
            steadied = [_steadied(one, threshold) for one in faces]
            drawn = cv2.resize(annotate(picture, steadied, bars=False), picture.shape[1::-1])
            size = drawn.shape[1] & ~1, drawn.shape[0] & ~1  # the encoder takes even sizes only
            writer = writer or open_writer(target, "mp4v", source.rate / every, size)
            writer.write(cv2.cvtColor(drawn[: size[1], : size[0]], cv2.COLOR_RGB2BGR))
    finally:
        source.close()
        if writer is not None:
            writer.release()
    if writer is None:
        raise FerlibError(f"no frame of {path.name} could be read, so there is nothing to draw.")


def _frame(source: VideoSource, index: int) -> np.ndarray | None:
    """The picture of frame `index`, which lies ahead; damaged ones before it are passed over again."""
    while True:
        try:
            frame = source.read()
        except FerlibError:
            continue
        if frame is None or frame.index >= index:
            return None if frame is None else frame.image


def _steadied(one: TrackedFace, threshold: float) -> Face:
    sure = one.confidence >= threshold
    return replace(one.face, emotion=one.emotion, confidence=one.confidence, probabilities=one.probabilities, sure=sure)


def _summary(path: Path, tracks: dict[int, _Track]) -> str:
    """A line a track."""
    if not tracks:
        return f"{path}: no face found\n"
    lines = [f"{path}: {len(tracks)} face{'s' if len(tracks) > 1 else ''} followed"]
    lines.append(f"  {'track':>5}  {'from (s)':>8}  {'to (s)':>8}  {'frames':>6}  emotions")
    for number, track in tracks.items():
        shares = ", ".join(f"{name} {count / track.frames:.0%}" for name, count in track.emotions.most_common(3))
        lines.append(f"  {number:>5}  {track.first:>8.2f}  {track.last:>8.2f}  {track.frames:>6}  {shares}")
    return "\n".join(lines) + "\n"
