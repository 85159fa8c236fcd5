"""Commands of the study: evaluation in full, figures and notebooks."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ferlib.cli.options import JsonOption, QuietOption, progress_printer
from ferlib.errors import FerlibError


def study_command(
    name: Annotated[str | None, typer.Argument(help="A published model; default: the shipped one.")] = None,
    risk: Annotated[float, typer.Option(min=0.001, max=0.999, help="Share of wrong answers to allow.")] = 0.1,
    images: Annotated[int, typer.Option(min=1, help="Test images for robustness and the live path.")] = 1000,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Evaluate a published model in full: calibrate it on valid, then measure test once. Takes some minutes.

    Temperature and threshold go into the model's sidecar, the numbers into `data/published/NAME/study.json`.
    """
    from ferlib.publishing import study

    report = study.run_study(name, risk=risk, images=images, say=progress_printer(quiet))
    if as_json or not quiet:
        typer.echo(json.dumps(report) if as_json else study.render_study(report))


def figures_command(
    model: Annotated[
        str | None, typer.Option("--model", help="Model whose figures are drawn; default: the shipped one.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Draw this figure only (name without number and suffix).")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder to write to; default: figures/.")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write vector PDF instead of PNG.")] = False,
) -> None:
    """Draw the figures of the evaluation from data/published; equal numbers give equal files."""
    from ferlib import paths
    from ferlib.report.figures import write_figures

    written = write_figures(out or paths.FIGURES, name=model, only=only, suffix="pdf" if pdf else "png")
    for path in written:
        typer.echo(f"written: {paths.relative(path)}")
    missing = set(only or ()) - {path.stem.split("_", 1)[1] for path in written}
    if missing:
        raise FerlibError(f"nothing is published yet for the figure {', '.join(sorted(missing))}.")


def notebooks_command(
    profile: Annotated[
        str, typer.Argument(metavar="published|smoke|full", help="Parameters to run them with.")
    ] = "published",
    only: Annotated[list[str] | None, typer.Option(help="Run this notebook only (name without suffix).")] = None,
) -> None:
    """Run the notebooks in order, headless: as published, on drawn faces (smoke), or with real training (full)."""
    from ferlib.notebooks.runner import run_notebooks

    for path in run_notebooks(profile, only):
        typer.echo(f"done: {path.name}")
