"""Commands of the study: evaluation in full, figures and notebooks."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ferlib.cli.options import Json, Quiet, teller
from ferlib.errors import FerlibError


def study(
    name: Annotated[str | None, typer.Argument(help="A published model; default: the shipped one.")] = None,
    risk: Annotated[float, typer.Option(min=0.001, max=0.999, help="Share of wrong answers to allow.")] = 0.1,
    images: Annotated[int, typer.Option(min=1, help="Test images for robustness and the live path.")] = 1000,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Evaluate a published model in full: calibrate it on valid, then measure test once. Takes some minutes.

    Temperature and threshold go into the checkpoint's sidecar, the numbers into `data/published/NAME/study.json`.
    """
    from ferlib.publishing import study as full

    found = full.run(name, risk=risk, images=images, say=teller(quiet))
    if as_json or not quiet:
        typer.echo(json.dumps(found) if as_json else full.render(found))


def figures(
    model: Annotated[str | None, typer.Option("--model", help="Whose figures; default: the shipped one.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Name of one figure, without number and suffix.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Default: figures/.")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write vector PDF instead of PNG.")] = False,
) -> None:
    """Draw the figures of the evaluation from data/published; equal numbers give equal files."""
    from ferlib import paths
    from ferlib.report.figures import write

    written = write(out or paths.FIGURES, name=model, only=only, suffix="pdf" if pdf else "png")
    for path in written:
        typer.echo(f"written: {paths.relative(path)}")
    missing = set(only or ()) - {path.stem.split("_", 1)[1] for path in written}
    if missing:
        raise FerlibError(f"nothing is published yet for the figure {', '.join(sorted(missing))}.")


def notebooks(
    profile: Annotated[str, typer.Argument(metavar="published|smoke|full", help="Which settings.")] = "published",
    only: Annotated[list[str] | None, typer.Option(help="Name of one notebook, without suffix.")] = None,
) -> None:
    """Run the notebooks in order, headless: as published, on drawn faces (smoke), or with real training (full)."""
    from ferlib.notebooks.runner import run

    for path in run(profile, only):
        typer.echo(f"done: {path.name}")
