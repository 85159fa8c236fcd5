"""``ferlib demo``: the main job on the one photo that the installation carries."""

import sys
from pathlib import Path
from typing import TextIO

from ferlib import paths
from ferlib.annotate.boxes import annotate
from ferlib.faces.pictures import sample_picture
from ferlib.pipeline import EmotionPipeline, load_pipeline
from ferlib.scoring.pictures import bar_character, describe_picture, write_png

SAMPLE_NAME = "the bundled photo (astronaut Eileen Collins, NASA, public domain)"


def run_demo(
    target: str | Path | None = None, *, pipeline: EmotionPipeline | None = None, out: TextIO | None = None
) -> Path:
    """Find and classify the face in the bundled photo, print a table, and write an annotated picture.

    Args:
        target: the PNG file that is written; None: ``demo.png`` among the runs.
        pipeline: finds and classifies the face; None loads the shipped one.
        out: gets the table; None: standard output.

    Returns:
        The file that was written.
    """
    target, out = Path(target or paths.RUNS / "demo.png"), out or sys.stdout
    image = sample_picture()
    faces = (pipeline or load_pipeline())(image)
    write_png(target, annotate(image, faces))
    out.write(describe_picture(SAMPLE_NAME, image, faces, bar_character(out)) + "\n")
    out.write(f"annotated picture: {paths.relative(target)}\n")
    return target
