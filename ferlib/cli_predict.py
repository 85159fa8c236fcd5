"""``ferlib predict``: pictures, folders, or one video."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from ferlib.cli_options import Model, Quiet
from ferlib.errors import FerlibError


def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, or folders of pictures.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a picture.")] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a CSV with one row a face.")] = None,
    annotate: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each picture with boxes, labels and bars there.")
    ] = None,
    model: Model = None,
    min_face: Annotated[int, typer.Option(min=20, help="Smallest face searched for, pixels.")] = 40,
    every: Annotated[int, typer.Option(min=1, help="Of a video: read one frame in so many.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Faces and emotions in pictures, or in one video.

    Examples: `ferlib predict photo.jpg`, `ferlib predict holiday/ --csv faces.csv --annotate out/`,
    `ferlib predict *.png --json`, `ferlib predict clip.mp4 --csv rows.csv --annotate out/`. A picture that cannot be
    read is named and left out; the status is 1 then. A video that was interrupted goes on where it stopped.
    """
    from ferlib.live.pipeline import load_pipeline
    from ferlib.live.predict import predict_paths
    from ferlib.live.video_source import is_video

    if any(is_video(path) for path in paths):
        if as_json:
            raise FerlibError("--json is for pictures; the rows of a video go into a table: --csv FILE.")
        raise typer.Exit(_predict_video(paths, csv, annotate, model, min_face, every, quiet))
    pipeline = load_pipeline(model, min_face_size=min_face)
    with _output(quiet and not as_json) as out:
        status = predict_paths(
            paths, pipeline, as_json=as_json, csv=csv, annotate_dir=annotate, out=out, progress=not quiet
        )
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
    paths: list[Path],
    csv: Path | None,
    annotate: Path | None,
    model: str | None,
    min_face: int,
    every: int,
    quiet: bool,
) -> int:
    from ferlib.live.pipeline import load_pipeline
    from ferlib.live.video import predict_video

    if len(paths) > 1:
        raise FerlibError("give one video at a time, and no pictures with it.")
    pipeline = load_pipeline(model, min_face_size=min_face)
    with _output(quiet) as out:
        return predict_video(
            paths[0], pipeline, csv=csv, annotate_dir=annotate, every=every, out=out, progress=not quiet
        )
