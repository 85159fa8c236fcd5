"""Rows of a stream: one for each face and frame, the table that a session and a video leave behind."""

import csv
import io
import json
from collections.abc import Iterable

from ferlib.live.tracking import TrackedFace
from ferlib.pipeline import ROW_COLUMNS

COLUMNS = ("time", "frame", "track", *ROW_COLUMNS)
"""`time` in seconds of the stream, `frame` from 0, box in pixels; the last eight are the smoothed probabilities."""


def row(tracked: TrackedFace, frame: int, time: float, threshold: float = 0.0) -> list:
    """Write one face of a frame as the values of `COLUMNS`.

    Args:
        tracked: the face.
        frame: index of its frame.
        time: of the frame, seconds of the stream.
        threshold: `sure` is 0 where the confidence is below it.
    """
    return [round(time, 3), frame, tracked.track, *tracked.steadied(threshold).row()]


def as_csv(rows: Iterable[list]) -> str:
    """Format rows as CSV with a header.

    Args:
        rows: values of `COLUMNS`.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue()


def as_json(rows: Iterable[list]) -> str:
    """Format rows as a JSON list of objects with the columns' names.

    Args:
        rows: values of `COLUMNS`.
    """
    return json.dumps([dict(zip(COLUMNS, values, strict=True)) for values in rows], allow_nan=False)
