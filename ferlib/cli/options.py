"""Options that several commands share."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from ferlib import paths

ENGINE_NAMES = ("onnx", "int8", "openvino", "torch")
"""`loading.ENGINES`, written again because importing it would make each press of the tab key slow."""

READINGS = ("seen", "meant", "both")
"""`questions.READINGS`, written again for the same reason."""


def checkpoint_names() -> list[str]:
    """List the models that are here, for the tab key; nothing slow is imported."""
    files = [path for folder in (paths.WEIGHTS, paths.CHECKPOINTS) for path in folder.glob("*.safetensors")]
    return sorted({path.stem for path in files})


def recipe_names() -> list[str]:
    """List the published recipes, for the tab key."""
    from ferlib.training.recipes import RECIPES

    return list(RECIPES)


def progress_printer(quiet: bool) -> Callable[[str], None]:
    """Make the function that prints the progress of long work on standard error.

    Args:
        quiet: it prints nothing.
    """
    return (lambda _: None) if quiet else partial(typer.echo, err=True)


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME|FILE", help="Model to use, by name or .safetensors file; default: the shipped one.",
        autocompletion=checkpoint_names,
    ),
]  # fmt: skip
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="|".join(ENGINE_NAMES), help="What runs the model; default: ONNX Runtime.",
        autocompletion=lambda: list(ENGINE_NAMES),
    ),
]  # fmt: skip
QuestionOption = Annotated[
    str | None,
    typer.Option(
        "--question", metavar="|".join(READINGS), autocompletion=lambda: list(READINGS),
        help="What is asked of a face: what people see in it, what it was meant to show, or both.",
    ),
]  # fmt: skip
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors, and no progress.")]
PublishOption = Annotated[bool, typer.Option("--publish", help="Record the result in data/published.")]
