"""Files in, emotions out: as text, JSON lines, CSV, Parquet, and annotated pictures."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image
from tqdm import tqdm

from ferlib.annotate.boxes import annotate
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.faces.pictures import ANNOTATED, find_pictures
from ferlib.files import atomic_path
from ferlib.pipeline import EmotionPipeline, Face
from ferlib.scoring.picture_log import PictureLog
from ferlib.scoring.tables import need_pyarrow, rows_of, write_csv, write_parquet
from ferlib.scoring.workers import Scored, Task, Threads, Workers, in_order

_BAR = 24  # characters of a full bar


def predict_paths(
    paths: Iterable[str | Path],
    pipeline: EmotionPipeline,
    *,
    as_json: bool = False,
    csv: str | Path | None = None,
    parquet: str | Path | None = None,
    annotate_dir: str | Path | None = None,
    workers: Workers | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
    progress: bool = True,
) -> int:
    """Classify the faces of pictures, and of all pictures in folders; the exit status: 0, or 1 when something failed.

    Results go to `out` (None: standard output) as tables, or with `as_json` as one JSON object a line: ``source``,
    ``width``, ``height`` and ``faces``, each as `Face.to_dict` gives it; coordinates are pixels of the upright picture.
    `csv` and `parquet` name files that get a row a face with `row_files.CSV_COLUMNS`; a picture without faces has none.
    `annotate_dir` gets ``<stem>.annotated.png`` of each picture. These files are written whole or not at all.

    `workers` score several pictures at a time, with pipelines like `pipeline` (None: this one alone). Everything comes
    in the order of the pictures all the same, and memory does not grow with their number. What was found lies in a
    file beside the first table until all is done: a run that was interrupted writes the rows that it has, and the next
    one with the same settings goes on from there.

    What cannot be read or written gets a sentence on `err` (None: standard error), and the rest is still done.
    `progress` shows a bar on `err` if that is a terminal and there are several pictures.

    Raises:
        FerlibError: before any work, for outputs that cannot be where they are named, or `parquet` without pyarrow.
    """
    out, err = out or sys.stdout, err or sys.stderr
    errors: list[str] = []
    if not (pictures := _gather(paths, err, errors)):  # a table that is there stays as it is
        return 1 if errors else 0
    tables = [(Path(name), write) for name, write in ((csv, write_csv), (parquet, write_parquet)) if name is not None]
    _check_outputs(pictures, [name for name, _ in tables], annotate_dir)
    if parquet is not None:
        need_pyarrow()
    targets = _targets(pictures, Path(annotate_dir)) if annotate_dir is not None else {}
    log = PictureLog(tables[0][0], pipeline) if tables else None
    hidden = not (progress and len(pictures) > 1 and err.isatty())
    finished = False
    try:
        with closing(in_order(_tasks(pictures, targets, log), workers or Threads([pipeline]))) as results:
            bar = {"total": len(pictures), "unit": "picture", "leave": False, "disable": hidden}
            for task, result in tqdm(results, file=err, **bar):
                with _reporting(err, errors, task.path):
                    found = result.result()
                    if log is not None and task.known is None:
                        log.add(found)
                    _say(out, _json_line(found) if as_json else _described(found, bar_character(out)))
                    if found.image is not None:
                        write_png(targets[task.path], annotate(found.image, found.faces))
        finished = True
    finally:  # also when the reader of `out` went away, as with "| head", or on Ctrl-C: what was done is kept
        if log is not None:
            finished &= _write_tables(tables, pictures, log, err, errors)
            log.close(finished=finished)
    return 1 if errors else 0


def _tasks(pictures: Iterable[Path], targets: dict[Path, Path], log: PictureLog | None) -> Iterator[Task]:
    """What is to be done for each picture: of those that an earlier run has done, only what is missing."""
    for path in pictures:
        known = log.find(path) if log is not None else None
        yield Task(path, path in targets and not (known is not None and targets[path].is_file()), known)


def _write_tables(
    tables: Sequence[tuple[Path, Callable[[Path, Iterable[list]], None]]], pictures: Sequence[Path], log: PictureLog,
    err: TextIO, errors: list[str],
) -> bool:  # fmt: skip
    """Write each table from the log, row by row; False when one could not be written."""
    before = len(errors)
    for target, write in tables:
        with _reporting(err, errors, target):
            write(target, (row for path in pictures for row in rows_of(path, log.faces(path))))
    return len(errors) == before


def _gather(paths: Iterable[str | Path], err: TextIO, errors: list[str]) -> list[Path]:
    """All pictures in the order given, each once."""
    found: dict[Path, Path] = {}
    for path in paths:
        with _reporting(err, errors, Path(path)):
            for picture in find_pictures(path, lambda error: _tell(err, errors, str(error))):
                found.setdefault(picture.resolve(), picture)
    return list(found.values())


def _check_outputs(pictures: Sequence[Path], tables: Sequence[Path], annotate_dir: str | Path | None) -> None:
    """FerlibError, before any work is done, for outputs that cannot be what they are named as."""
    for table in tables:
        if table.resolve() in {path.resolve() for path in pictures}:
            raise FerlibError(f"{table} is one of the pictures; name another file for the table.")
        if table.exists() and not table.is_file():
            what = "a folder" if table.is_dir() else "no ordinary file"
            raise FerlibError(f"{table} is {what}; name a file for the table.")
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
        _tell(err, errors, str(error))
    except OSError as error:
        name = error.filename2 or error.filename or path
        why = error.strerror or error
        _tell(err, errors, f"{name} cannot be written ({why}); check the folder and the free space.")


def _tell(err: TextIO, errors: list[str], sentence: str) -> None:
    errors.append(sentence)
    _say(err, f"ferlib: {sentence}")


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


def _json_line(found: Scored) -> str:
    """ASCII only, so that it is valid JSON in every encoding."""
    faces = [face.to_dict() for face in found.faces]
    value = {"source": str(found.source), "width": found.width, "height": found.height, "faces": faces}
    return json.dumps(value, allow_nan=False)


def describe(source: str | Path, image: np.ndarray, faces: Sequence[Face], block: str = "#") -> str:
    """Text for people: a heading, a line for each face, and for a single face its eight bars made of `block`."""
    height, width = image.shape[:2]
    return _described(Scored(Path(source), width, height, list(faces)), block)


def _described(found: Scored, block: str) -> str:
    faces, size = found.faces, f"{found.source}  {found.width} x {found.height}"
    if not faces:
        return f"{size}, no face found\n"
    lines = [f"{size}, {len(faces)} face{'s' if len(faces) > 1 else ''}"]
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
