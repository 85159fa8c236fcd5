"""``ferlib predict``: pictures, folders, or one video."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from ferlib.cli.options import EngineOption, ModelOption, QuestionOption, QuietOption
from ferlib.errors import FerlibError

_MANY_FILES = 8  # from which on several are read at a time


def predict_command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Pictures, folders of pictures, or one video.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a picture.")] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a CSV table with one row a face.")] = None,
    annotate: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each picture with boxes, labels and bars to this folder.")
    ] = None,
    model: ModelOption = None,
    min_face_size: Annotated[
        int, typer.Option("--min-face", min=20, metavar="PIXELS", help="Size of the smallest face to search for.")
    ] = 40,
    every: Annotated[int, typer.Option(min=1, help="Video: read one frame in so many.")] = 1,
    detect_every: Annotated[
        int, typer.Option(min=1, help="Video: detect in one of so many frames, follow the faces in the others.")
    ] = 6,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pictures: write the same rows as Parquet (needs pyarrow).")
    ] = None,
    engine: EngineOption = None,
    question: QuestionOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Pictures at a time; default: one a core for a folder.")
    ] = None,
    quiet: QuietOption = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with status 1 when files of a folder are left out.")
    ] = False,
    bom: Annotated[
        bool, typer.Option("--bom", help="Begin the CSV table with a byte order mark, for spreadsheets.")
    ] = False,
) -> None:
    """Find the faces in pictures, or in one video, and say which emotion each shows.

    Examples: `ferlib predict photo.jpg`, `ferlib predict holiday/ --csv faces.csv --annotate out/`,
    `ferlib predict *.png --json`, `ferlib predict clip.mp4 --csv rows.csv --annotate out/`. What cannot be read is
    named, and the exit status is 1; a last line says what is left out. An interrupted run goes on when it is repeated.
    """
    from ferlib.faces.left_out import is_video
    from ferlib.parallel import cores
    from ferlib.scoring.pictures import predict_paths
    from ferlib.scoring.workers import make_workers

    pipeline_options: dict[str, Any] = {
        "model": model, "min_face_size": min_face_size, "engine": engine, "question": question,
    }  # fmt: skip
    if any(is_video(path) for path in paths):
        if as_json or parquet is not None:
            raise FerlibError("--json and --parquet are for pictures; the rows of a video go into a table: --csv FILE.")
        options = {"every": every, "detect_every": detect_every}
        raise typer.Exit(_predict_video(paths, csv, annotate, pipeline_options, options, quiet))
    are_many = len(paths) >= _MANY_FILES or any(path.is_dir() for path in paths)
    pipeline, scoring_workers = make_workers(workers or (cores() if are_many else 1), **pipeline_options)
    with _output(quiet and not as_json) as out:
        status = predict_paths(
            paths, pipeline, as_json=as_json, csv=csv, parquet=parquet, annotate_dir=annotate, workers=scoring_workers,
            out=out, progress=not quiet, bom=bom, strict=strict, remarks=not quiet,
        )  # fmt: skip
    raise typer.Exit(status)


@contextmanager
def _output(quiet: bool) -> Iterator[TextIO]:
    """Standard output, or nowhere."""
    if not quiet:
        yield sys.stdout
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        yield nowhere


def _predict_video(
    paths: list[Path], csv: Path | None, annotate: Path | None, pipeline_options: dict, options: dict, quiet: bool
) -> int:
    from ferlib.packages import need

    if len(paths) > 1:
        raise FerlibError("give one video at a time, and no pictures with it.")
    need("av", "Reading a video", "video")
    from ferlib.pipeline import load_pipeline
    from ferlib.scoring.video import predict_video

    pipeline = load_pipeline(**pipeline_options)
    with _output(quiet) as out:
        return predict_video(paths[0], pipeline, csv=csv, annotate_dir=annotate, out=out, progress=not quiet, **options)
