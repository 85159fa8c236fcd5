"""Files in, emotions out: as text, JSON lines, CSV, Parquet, and annotated pictures."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image
from tqdm import tqdm

from ferlib.annotate.boxes import annotate
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.faces.left_out import LeftOut, Reason
from ferlib.faces.pictures import ANNOTATED, find_pictures
from ferlib.files import atomic_path
from ferlib.pipeline import EmotionPipeline, Face
from ferlib.scoring.failures import Failures, print_line
from ferlib.scoring.progress import PictureLog
from ferlib.scoring.tables import need_pyarrow, rows_of, write_csv, write_parquet
from ferlib.scoring.workers import ScoredPicture, ScoringWorkers, Task, ThreadWorkers, in_order
from ferlib.text import printable, table

_FULL_BAR = 24  # characters

TableWriter = Callable[[Path, Iterable[list]], None]
"""Writes rows into a file: `write_csv` or `write_parquet`."""


def predict_paths(
    paths: Iterable[str | Path],
    pipeline: EmotionPipeline,
    *,
    as_json: bool = False,
    csv: str | Path | None = None,
    parquet: str | Path | None = None,
    annotate_dir: str | Path | None = None,
    workers: ScoringWorkers | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
    progress: bool = True,
    bom: bool = False,
    strict: bool = False,
    remarks: bool = True,
) -> int:
    """Classify the faces of pictures, and of all pictures in folders.

    Results come in the order of the pictures, and memory does not grow with their number. Until all is done they lie
    in a file beside the first table, from which an interrupted run goes on. What fails gets a sentence, no more.

    Args:
        paths: pictures, or folders of pictures.
        pipeline: finds and classifies the faces.
        as_json: print a line of JSON for each picture: ``source``, ``width``, ``height``, ``faces`` (`Face.to_dict`).
        csv: a file for the rows, `tables.CSV_COLUMNS`; it is written whole or not at all, as are the files below.
        parquet: a file for the same rows as Parquet.
        annotate_dir: a folder for ``<stem>.annotated.png`` of each picture.
        workers: score several pictures at a time with pipelines like `pipeline` (None: this one alone).
        out: gets the results (None: standard output).
        err: gets the sentences and a progress bar (None: standard error).
        progress: show the bar, if `err` is a terminal and there are several pictures.
        bom: begin the CSV table with a byte order mark, by which spreadsheets know UTF-8.
        strict: files of the folders that are left out and may show a face are a failure.
        remarks: say what is left out of the folders and what is not read of a file, also where it is no failure.

    Returns:
        The exit status: 0, or 1 when something failed.

    Raises:
        FerlibError: before any work, for outputs that cannot be where they are named, or `parquet` without pyarrow.
    """
    out, err = out or sys.stdout, err or sys.stderr
    failures = Failures(err, remarks)
    left_out: dict[str, LeftOut] = {}
    if not (pictures := _gather(paths, failures, left_out)):
        return failures.status  # a table that is there stays as it is
    tables = _tables(csv, parquet, bom)
    targets = _plan_targets(pictures, [target for target, _ in tables], annotate_dir)
    bar = {"file": err, "total": len(pictures), "unit": "picture", "leave": False}
    bar["disable"] = not (progress and len(pictures) > 1 and err.isatty())
    with _picture_log(tables, pictures, pipeline, failures) as log:
        results = in_order(_tasks(pictures, targets, log), workers or ThreadWorkers([pipeline]))
        with closing(results):
            for scored in _logged_results(tqdm(results, **bar), log, failures):
                _deliver(scored, out, as_json, targets, failures)
        _tell_left_out(left_out, failures, strict)
    return failures.status


@contextmanager
def _picture_log(
    tables: Sequence[tuple[Path, TableWriter]], pictures: Sequence[Path], pipeline: EmotionPipeline, failures: Failures
) -> Iterator[PictureLog | None]:
    """Open the log where tables are asked for, and write them at the end.

    They are written also when the reader of the output went away, as with "| head", or on Ctrl-C: what is done stays.
    """
    if not tables:
        yield None
        return
    log, finished = PictureLog(tables[0][0], pipeline), False
    try:
        yield log
        finished = True
    finally:
        log.close(finished=_write_tables(tables, pictures, log, failures) and finished)


def _tables(csv: str | Path | None, parquet: str | Path | None, bom: bool) -> list[tuple[Path, TableWriter]]:
    """The tables that are asked for, each with its writer; FerlibError for Parquet without pyarrow."""
    if parquet is not None:
        need_pyarrow()
    writers: tuple[TableWriter, TableWriter] = (partial(write_csv, bom=bom), write_parquet)
    return [(Path(name), write) for name, write in zip((csv, parquet), writers, strict=True) if name is not None]


def _tasks(pictures: Iterable[Path], targets: dict[Path, Path], log: PictureLog | None) -> Iterator[Task]:
    """Make the task of each picture; of those that an earlier run has done, only what is missing is to be done."""
    for path in pictures:
        known = log.find(path) if log is not None else None
        yield Task(path, path in targets and not (known is not None and targets[path].is_file()), known)


def _logged_results(
    results: Iterable[tuple[Task, "Future[ScoredPicture]"]], log: PictureLog | None, failures: Failures
) -> Iterator[ScoredPicture]:
    """Results of the pictures that could be read; new ones go into the log."""
    for task, result in results:
        with failures.of(task.path):
            if log is not None and task.known is None:
                log.add(result.result())
            yield result.result()


def _deliver(scored: ScoredPicture, out: TextIO, as_json: bool, targets: dict[Path, Path], failures: Failures) -> None:
    """Print a result, draw it when the picture came with it, and say what was not read of the file."""
    with failures.of(scored.source):
        print_line(out, _json_line(scored) if as_json else _description(scored, bar_character(out)))
        if scored.image is not None:
            write_png(targets[scored.source], annotate(scored.image, scored.faces))
    for note in scored.notes:
        failures.remark(note)


def _write_tables(
    tables: Sequence[tuple[Path, TableWriter]], pictures: Sequence[Path], log: PictureLog, failures: Failures
) -> bool:
    """Write each table from the log, row by row; False when one could not be written."""
    before = failures.count
    for target, write in tables:
        with failures.of(target):
            write(target, (row for path in pictures for row in rows_of(path, log.faces(path))))
    return failures.count == before


def _gather(paths: Iterable[str | Path], failures: Failures, left_out: dict[str, LeftOut]) -> list[Path]:
    """All pictures in the order given, each once; also counts what is left out of each folder that holds some."""
    by_resolved_path: dict[Path, Path] = {}
    for path in paths:
        with failures.of(Path(path)):
            counts = LeftOut()
            for picture in find_pictures(path, lambda error: failures.tell(str(error)), counts):
                known = by_resolved_path.setdefault(picture.resolve(), picture)
                if known != picture and picture.is_symlink():
                    counts.add(Reason.REPEATED)
            left_out[str(path)] = counts
    return list(by_resolved_path.values())


def _tell_left_out(left_out: dict[str, LeftOut], failures: Failures, strict: bool) -> None:
    """Say what was left out of each folder and why."""
    for folder, counts in left_out.items():
        if counts:
            say = failures.tell if strict and counts.may_show_faces else failures.remark
            say(f"left out of {folder}: {counts.summary()}.")


def _plan_targets(
    pictures: Sequence[Path], tables: Sequence[Path], annotate_dir: str | Path | None
) -> dict[Path, Path]:
    """The annotated file of each picture; FerlibError for outputs that cannot be what they are named as."""
    for target in tables:
        if target.resolve() in {path.resolve() for path in pictures}:
            raise FerlibError(f"{target} is one of the pictures; name another file for the table.")
        if target.exists() and not target.is_file():
            kind = "a folder" if target.is_dir() else "no ordinary file"
            raise FerlibError(f"{target} is {kind}; name a file for the table.")
    if annotate_dir is not None and Path(annotate_dir).exists() and not Path(annotate_dir).is_dir():
        raise FerlibError(f"{annotate_dir} is a file; name a folder for the annotated pictures.")
    return _annotated_targets(pictures, Path(annotate_dir)) if annotate_dir is not None else {}


def bar_character(stream: TextIO) -> str:
    """Return the character of bars: a full block or, where the encoding lacks it, a number sign.

    Args:
        stream: the bars are written to it.
    """
    try:
        "█".encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return "#"
    return "█"


def _json_line(scored: ScoredPicture) -> str:
    """ASCII only, so that it is valid JSON in every encoding."""
    faces = [face.to_dict() for face in scored.faces]
    value = {"source": str(scored.source), "width": scored.width, "height": scored.height, "faces": faces}
    return json.dumps(value, allow_nan=False)


def describe_picture(source: str | Path, image: np.ndarray, faces: Sequence[Face], block: str = "#") -> str:
    """Describe a picture for people: a heading, a line for each face, and the eight bars of a single face.

    Args:
        source: the name in the heading.
        image: the picture, (H, W, 3).
        faces: its faces from left to right.
        block: character that bars are made of.
    """
    height, width = image.shape[:2]
    return _description(ScoredPicture(Path(source), width, height, list(faces)), block)


def _description(scored: ScoredPicture, block: str) -> str:
    faces, heading = scored.faces, f"{printable(str(scored.source))}  {scored.width} x {scored.height}"
    if not faces:
        return f"{heading}, no face found\n"
    lines = [f"{heading}, {len(faces)} face{'s' if len(faces) > 1 else ''}"]
    rows = [
        (index, face.label, _percent(face.confidence), _percent(face.detection_confidence), _box_text(face))
        for index, face in enumerate(faces, 1)
    ]
    columns = ("face", "emotion", "confidence", "detection", "box x1, y1, x2, y2")
    lines += table(columns, rows, (">", "<8", ">", ">", "<"))
    if len(faces) == 1:
        bars = [
            (name, _percent(share), block * round(_FULL_BAR * float(share)))
            for name, share in zip(EMOTIONS, faces[0].probabilities, strict=True)
        ]
        lines += ["", *table(None, bars, ("<8", ">10", "<"), indent=" " * 8)]
    return "\n".join(lines) + "\n"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _box_text(face: Face) -> str:
    return ", ".join(f"{value:.0f}" for value in face.box)


def write_png(target: str | Path, image: np.ndarray) -> None:
    """Write a picture as PNG, whole or not at all.

    Args:
        target: the file.
        image: (H, W, 3) uint8 RGB.
    """
    with atomic_path(target) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")


def _annotated_targets(pictures: Sequence[Path], folder: Path) -> dict[Path, Path]:
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
