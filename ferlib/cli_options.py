"""Options that several commands share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Model = Annotated[str | None, typer.Option("--model", help="Checkpoint in data/checkpoints; default: the shipped one.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and show no progress.")]
