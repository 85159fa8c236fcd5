"""The file of an unfinished folder: a line for each picture that was scored, so that an interrupted run can go on."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ferlib.pipeline import EmotionPipeline, Face
from ferlib.scoring.progress import ENDING, parsed_line
from ferlib.scoring.workers import Scored

_FORM = 1  # of the lines; a file with another number is begun afresh


class PictureLog:
    """Results by picture, on disk; in memory is only where each line begins.

    Args:
        output: the table that is being made; the log lies beside it.
        pipeline: what scores; results of another model, engine, crop or smallest face do not count.
    """

    def __init__(self, output: Path, pipeline: EmotionPipeline) -> None:
        self.path = output.with_name(output.name + ENDING)
        self._places: dict[str, int] = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._read(_header(pipeline))
        self._handle = open(self.path, "r+b" if whole else "w+b")  # noqa: SIM115 - it stays open as long as the log
        self._handle.truncate(whole)
        if not whole:
            self._append(_header(pipeline))

    def _read(self, wanted: dict[str, Any]) -> int:
        """Note where each whole line begins; the bytes that are usable, 0 when the file is of another run."""
        whole = 0
        if self.path.is_file():
            with open(self.path, "rb") as handle:
                for number, text in enumerate(handle):
                    value = parsed_line(text)
                    if value is None or (number == 0 and value != wanted):
                        break
                    if number:
                        self._places[value["source"]] = whole
                    whole += len(text)
        return whole

    def find(self, picture: Path) -> Scored | None:
        """What was found in a picture, None for one that is new or has changed since."""
        value = self._line(picture)
        if value is None or value["file"] != _state(picture):
            self._places.pop(str(picture), None)  # what it held before must not reach the table
            return None
        return Scored(picture, value["width"], value["height"], [_face(face) for face in value["faces"]])

    def faces(self, picture: Path) -> list[dict[str, Any]]:
        """The faces of a picture as `Face.to_dict` gave them; none for a picture that was not scored."""
        value = self._line(picture)
        return [] if value is None else value["faces"]

    def add(self, found: Scored) -> None:
        """Keep a result; it is on its way to the disk when this returns."""
        self._places[str(found.source)] = self._append(
            {
                "source": str(found.source), "file": _state(found.source), "width": found.width,
                "height": found.height, "faces": [face.to_dict() for face in found.faces],
            }
        )  # fmt: skip

    def close(self, *, finished: bool) -> None:
        """Close the file, and remove it when the table is `finished`."""
        self._handle.close()
        if finished:
            self.path.unlink(missing_ok=True)

    def _line(self, picture: Path) -> dict[str, Any] | None:
        place = self._places.get(str(picture))
        if place is None:
            return None
        self._handle.seek(place)
        return json.loads(self._handle.readline())

    def _append(self, value: dict[str, Any]) -> int:
        place = self._handle.seek(0, 2)
        self._handle.write(json.dumps(value).encode("ascii") + b"\n")
        self._handle.flush()
        return place


def _header(pipeline: EmotionPipeline) -> dict[str, Any]:
    return {"form": _FORM, "threshold": pipeline.threshold, **pipeline.identity()}


def _state(picture: Path) -> list[int]:
    """Size and time of the last change, by which a file that was replaced is told."""
    about = picture.stat()
    return [about.st_size, about.st_mtime_ns]


def _face(value: dict[str, Any]) -> Face:
    return Face(
        box=tuple(value["box"]),
        landmarks=np.array(value["landmarks"], np.float32).reshape(-1, 2),
        detection_confidence=value["detection_confidence"],
        emotion=value["emotion"],
        confidence=value["confidence"],
        probabilities=np.array(list(value["probabilities"].values()), np.float32),
        sure=value["sure"],
    )
