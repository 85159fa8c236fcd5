"""Files in, emotions out: as text, JSON lines, CSV, and annotated pictures."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from csv import writer as csv_writer
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image
from tqdm import tqdm

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.live.annotate import annotate
from ferlib.live.pictures import ANNOTATED, find_pictures, load_picture
from ferlib.live.pipeline import EmotionPipeline, Face

CSV_COLUMNS = (
    "source", "face", "x1", "y1", "x2", "y2", "detection_confidence", "emotion", "confidence", "sure", *EMOTIONS,
)  # fmt: skip
"""Columns of the CSV file: `face` counts from 1, from left to right; `sure` is 1 when the confidence reaches the
model's threshold, else 0; the last eight are probabilities."""

_BAR = 24  # characters of a full bar


def predict_paths(
    paths: Iterable[str | Path],
    pipeline: EmotionPipeline,
    *,
    as_json: bool = False,
    csv: str | Path | None = None,
    annotate_dir: str | Path | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
    progress: bool = True,
) -> int:
    """Classify the faces of pictures, and of all pictures in folders; the exit status: 0, or 1 when something failed.

    Results go to `out` (None: standard output) as tables, or with `as_json` as one JSON object a line: ``source``,
    ``width``, ``height`` and ``faces``, each as `Face.to_dict` gives it; coordinates are pixels of the upright picture.
    `csv` names a file that gets one row a face with `CSV_COLUMNS`; a picture without faces has no row. `annotate_dir`
    gets ``<stem>.annotated.png`` of each picture. These files are written whole or not at all.

    What cannot be read or written is reported on `err` (None: standard error) in one sentence each, and the rest is
    still done. `progress` shows a bar on `err` if that is a terminal and there are several pictures.

    Raises:
        FerlibError: before any work, for a `csv` that is a folder or one of the pictures, and for an `annotate_dir`
            that is a file.
    """
    out, err = out or sys.stdout, err or sys.stderr
    errors: list[str] = []
    pictures = _gather(paths, err, errors)
    _check_outputs(pictures, csv, annotate_dir)
    targets = _targets(pictures, Path(annotate_dir)) if annotate_dir is not None else {}
    rows: list[list] = []
    hidden = not (progress and len(pictures) > 1 and err.isatty())
    try:
        for path in tqdm(pictures, file=err, unit="picture", leave=False, disable=hidden):
            with _reporting(err, errors, path):
                image = load_picture(path)
                faces = pipeline(image)
                rows += [csv_row(path, index, face) for index, face in enumerate(faces, 1)]
                text = _json_line(path, image, faces) if as_json else describe(path, image, faces, bar_character(out))
                _say(out, text)
                if path in targets:
                    write_png(targets[path], annotate(image, faces))
    finally:  # also when the reader of `out` went away, as with "| head", or on Ctrl-C: what was done is kept
        if csv is not None:
            with _reporting(err, errors, Path(csv)):
                _write_csv(Path(csv), rows)
    return 1 if errors else 0


def _gather(paths: Iterable[str | Path], err: TextIO, errors: list[str]) -> list[Path]:
    """All pictures in the order given, each once."""
    found: dict[Path, Path] = {}
    for path in paths:
        with _reporting(err, errors, Path(path)):
            for picture in find_pictures(path):
                found.setdefault(picture.resolve(), picture)
    return list(found.values())


def _check_outputs(pictures: Sequence[Path], csv: str | Path | None, annotate_dir: str | Path | None) -> None:
    """FerlibError, before any work is done, for outputs that cannot be what they are named as."""
    if csv is not None and Path(csv).resolve() in {path.resolve() for path in pictures}:
        raise FerlibError(f"{csv} is one of the pictures; name another file for the table.")
    if csv is not None and Path(csv).is_dir():
        raise FerlibError(f"{csv} is a folder; name a file for the table.")
    if annotate_dir is not None and Path(annotate_dir).exists() and not Path(annotate_dir).is_dir():
        raise FerlibError(f"{annotate_dir} is a file; name a folder for the annotated pictures.")


@contextmanager
def _reporting(err: TextIO, errors: list[str], path: Path) -> Iterator[None]:
    """Turn an error about `path` into a sentence on `err`, remember it, and go on."""
    try:
        yield
    except BrokenPipeError:  # nobody reads the results any more: not an error of this picture
        raise
    except FerlibError as error:
        errors.append(str(error))
    except OSError as error:
        name = error.filename2 or error.filename or path
        errors.append(f"{name} cannot be written ({error.strerror or error}); check the folder and the free space.")
    else:
        return
    _say(err, f"ferlib: {errors[-1]}")


def _say(stream: TextIO, text: str) -> None:
    """Write a line; characters that the stream's encoding lacks become escapes, and a progress bar steps aside."""
    with tqdm.external_write_mode(file=stream):
        try:
            stream.write(text + "\n")
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()


def bar_character(stream: TextIO) -> str:
    """The character that bars are made of."""
    try:
        "█".encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return "#"
    return "█"


def _json_line(path: Path, image: np.ndarray, faces: Sequence[Face]) -> str:
    """ASCII only, so that it is valid JSON in every encoding."""
    height, width = image.shape[:2]
    value = {"source": str(path), "width": width, "height": height, "faces": [face.to_dict() for face in faces]}
    return json.dumps(value, allow_nan=False)


def describe(source: str | Path, image: np.ndarray, faces: Sequence[Face], block: str = "#") -> str:
    """Text for people: a heading, a line for each face, and for a single face its eight bars made of `block`."""
    height, width = image.shape[:2]
    if not faces:
        return f"{source}  {width} x {height}, no face found\n"
    lines = [f"{source}  {width} x {height}, {len(faces)} face{'s' if len(faces) > 1 else ''}"]
    lines.append(f"  {'face':>4}  {'emotion':<8}  {'confidence':>10}  {'detection':>9}  box x1, y1, x2, y2")
    for index, face in enumerate(faces, 1):
        box = ", ".join(f"{value:.0f}" for value in face.box)
        lines.append(
            f"  {index:>4}  {face.label:<8}  {100 * face.confidence:>8.1f} %  "
            f"{100 * face.detection_confidence:>7.1f} %  {box}"
        )
    if len(faces) == 1:
        lines.append("")
        for name, value in zip(EMOTIONS, faces[0].probabilities, strict=True):
            lines.append(f"        {name:<8}  {100 * value:>8.1f} %  {block * round(_BAR * float(value))}".rstrip())
    return "\n".join(lines) + "\n"


def csv_row(path: str | Path, index: int, face: Face) -> list:
    """The values of `CSV_COLUMNS` for face number `index` of a picture."""
    value = face.to_dict()
    return [
        str(path),
        index,
        *value["box"],
        value["detection_confidence"],
        value["emotion"],
        value["confidence"],
        int(value["sure"]),
        *value["probabilities"].values(),
    ]


def _write_csv(target: Path, rows: list[list]) -> None:
    # surrogateescape: a file name that is not valid text comes back as the bytes that it is
    with (
        atomic_path(target) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle,
    ):
        csv_writer(handle).writerows([CSV_COLUMNS, *rows])


def write_png(target: str | Path, image: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 RGB picture, whole or not at all."""
    with atomic_path(target) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")


def _targets(pictures: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """The annotated file of each picture; where stems collide the later ones get ``-2``, ``-3`` and so on.

    Names that differ in case only count as equal, as some file systems have it, and no target is one of the pictures.
    """
    taken = {str(path.resolve()).casefold() for path in pictures}
    targets: dict[Path, Path] = {}
    for path in pictures:
        number = 1
        while True:
            target = folder / f"{path.stem}{f'-{number}' if number > 1 else ''}{ANNOTATED}"
            if str(target.resolve()).casefold() not in taken:
                break
            number += 1
        taken.add(str(target.resolve()).casefold())
        targets[path] = target
    return targets
