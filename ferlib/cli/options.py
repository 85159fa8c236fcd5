"""Options that several commands share."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from ferlib import paths


def checkpoint_names() -> list[str]:
    """The shipped checkpoints, for the tab key; nothing heavy is imported."""
    return sorted(path.stem for path in paths.CHECKPOINTS.glob("*.safetensors"))


def recipe_names() -> list[str]:
    """The published recipes, for the tab key."""
    from ferlib.training.recipes import RECIPES

    return list(RECIPES)


def teller(quiet: bool) -> Callable[[str], None]:
    """What says on standard error how far long work has come, or with `quiet` nothing."""
    return (lambda _: None) if quiet else partial(typer.echo, err=True)


ENGINES = ("onnx", "int8", "openvino", "torch")
"""`classifier.ENGINES`, which cannot be imported here: torch would be loaded for each press of the tab key."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="Checkpoint in data/checkpoints; default: the shipped one.", autocompletion=checkpoint_names
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="|".join(ENGINES), help="What runs the model; default: ONNX Runtime.",
        autocompletion=lambda: list(ENGINES),
    ),
]  # fmt: skip
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and show no progress.")]
