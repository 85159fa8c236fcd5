"""``ferlib export``: a model as a graph that other programs can run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ferlib.cli.options import JsonOption, QuietOption, checkpoint_names, progress_printer


def export_command(
    name: Annotated[
        str | None, typer.Argument(help="Model to export; default: the shipped one.", autocompletion=checkpoint_names)
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Measure an 8-bit version on FERLIB_DATA, and keep it if it is as good.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the ONNX graph to this file, too.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Export a model as an ONNX graph, faces in and probabilities out, and compare it with torch.

    Examples: `ferlib export --out faces.onnx`, `ferlib export convnext --int8`. With `--int8`, ranges are measured on
    training faces and the valid split decides; test is not read.
    """
    from ferlib.publishing import export_check

    report = export_check.check_export(name, int8=int8, out=out, say=progress_printer(quiet))
    if as_json or not quiet:
        typer.echo(json.dumps(report) if as_json else export_check.render_export(report))
