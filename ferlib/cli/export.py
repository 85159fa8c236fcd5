"""``ferlib export``: a model as a graph that other programs can run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ferlib.cli.options import Json, Quiet, checkpoint_names, teller


def export(
    name: Annotated[
        str | None, typer.Argument(help="A checkpoint; default: the shipped one.", autocompletion=checkpoint_names)
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Measure an 8-bit version on FERLIB_DATA, and keep it if it is as good.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the ONNX graph there.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a model as an ONNX graph, faces in and probabilities out, checked against torch.

    Examples: `ferlib export --out faces.onnx`, `ferlib export convnext --int8`. `--int8` measures ranges on training
    faces; valid decides, and test is not read.
    """
    from ferlib.publishing import export_check

    found = export_check.run(name, int8=int8, out=out, say=teller(quiet))
    if as_json or not quiet:
        typer.echo(json.dumps(found) if as_json else export_check.render(found))
