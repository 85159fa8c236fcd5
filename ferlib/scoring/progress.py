"""The file of an unfinished video: a line for each frame that was read, so that an interrupted run can go on."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.live.tracking import TrackedFace, Tracker
from ferlib.pipeline import EmotionPipeline, Face

ENDING = ".part.jsonl"
_FORM = 3  # of the lines; a file with another number is begun afresh


def beside(output: Path) -> Path:
    """Where the part file of an output lies."""
    return output.with_name(output.name + ENDING)


def header(video: Path, pipeline: EmotionPipeline, every: int, detect_every: int) -> dict[str, Any]:
    """The first line: what must be equal for a run to go on where another stopped."""
    about = video.stat()
    return {
        "form": _FORM,
        "bytes": about.st_size,
        "changed": about.st_mtime_ns,
        "every": every,
        "detect_every": detect_every,
        **pipeline.identity(),
    }


def line(frame: int, time: float, faces: Sequence[Face], detected: bool) -> str:
    """What a frame leaves behind; `detected`: its faces were not followed from the frame before."""
    packed = [
        face.to_dict() | {"probabilities": [round(float(value), 6) for value in face.probabilities]} for face in faces
    ]
    return json.dumps({"frame": frame, "time": round(time, 4), "detected": detected, "faces": packed}) + "\n"


def damage(frame: int) -> str:
    """What a frame leaves behind that could not be decoded."""
    return json.dumps({"frame": frame, "damaged": True}) + "\n"


def resume(part: Path, wanted: dict[str, Any]) -> tuple[int, int]:
    """Make `part` ready to be added to; the frame to go on with, and how many before it were damaged.

    A last line that was cut off is removed; a file of another run (another `header`) is begun afresh. Where faces are
    followed, the frames since the last detection are read again: they depend on what only that run knew.
    """
    start, damaged, whole, read, lost = 0, 0, 0, 0, 0
    if part.is_file():
        with open(part, "rb") as handle:
            for number, text in enumerate(handle):
                value = parsed_line(text)
                if value is None or (number == 0 and value != wanted):
                    break
                if number and value.get("detected") and wanted["detect_every"] > 1:
                    start, damaged, whole = value["frame"], lost, read
                read, lost = read + len(text), lost + value.get("damaged", False)
                if number == 0 or wanted["detect_every"] == 1:
                    start, damaged, whole = value["frame"] + 1 if number else 0, lost, read
    if whole:
        with open(part, "r+b") as handle:
            handle.truncate(whole)
    else:
        part.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
    return start, damaged


def followed(part: Path, smoothing: float) -> Iterator[tuple[int, float, list[TrackedFace]]]:
    """Frame, time and tracked faces of every sound frame in a part file, one after another.

    `smoothing`: time constant of the probabilities, seconds.
    """
    tracker = Tracker(time_constant=smoothing)
    with open(part, "rb") as handle:
        next(handle)  # the header
        for text in handle:
            value = json.loads(text)
            if value.get("damaged"):
                continue
            faces = [_unpacked(face) for face in value["faces"]]
            yield value["frame"], value["time"], tracker.update(faces, value["time"])


def parsed_line(text: bytes) -> dict[str, Any] | None:
    """None for a line that was cut off."""
    if not text.endswith(b"\n"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _unpacked(value: dict[str, Any]) -> Face:
    probabilities = np.array(value["probabilities"], np.float32)
    return Face(
        box=tuple(value["box"]),
        landmarks=np.array(value["landmarks"], np.float32),
        detection_confidence=value["detection_confidence"],
        emotion=EMOTIONS[int(probabilities.argmax())],
        confidence=float(probabilities.max()),
        probabilities=probabilities,
    )
