"""A row for each face and frame: the table that a session and a video leave behind."""

import csv
import io
import json
from collections.abc import Iterable

from ferlib.data.labels import EMOTIONS
from ferlib.live.tracking import TrackedFace

COLUMNS = (
    "time", "frame", "track", "x1", "y1", "x2", "y2",
    "detection_confidence", "emotion", "confidence", "sure", *EMOTIONS,
)  # fmt: skip
"""`time` in seconds of the stream, `frame` from 0, box in pixels; the last eight are the smoothed probabilities."""


def row(found: TrackedFace, frame: int, time: float, threshold: float = 0.0) -> list:
    """The values of `COLUMNS` for one face; `sure` is 0 where the confidence is below `threshold`."""
    return [
        round(time, 3),
        frame,
        found.track,
        *(round(float(value), 1) for value in found.face.box),
        round(float(found.face.detection_confidence), 4),
        found.emotion,
        round(found.confidence, 4),
        int(found.confidence >= threshold),
        *(round(float(value), 4) for value in found.probabilities),
    ]


def as_csv(rows: Iterable[list]) -> str:
    """The table with its header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue()


def as_json(rows: Iterable[list]) -> str:
    """A list of objects with the columns' names."""
    return json.dumps([dict(zip(COLUMNS, values, strict=True)) for values in rows], allow_nan=False)
