"""Options that several commands share."""

from typing import Annotated

import typer

from ferlib import paths


def checkpoint_names() -> list[str]:
    """The shipped checkpoints, for the tab key; nothing heavy is imported."""
    return sorted(path.stem for path in paths.CHECKPOINTS.glob("*.safetensors"))


def recipe_names() -> list[str]:
    """The published recipes, for the tab key."""
    from ferlib.learning.recipes import RECIPES

    return list(RECIPES)


def engine_names() -> list[str]:
    """What can run a classifier, for the tab key."""
    return ["onnx", "int8", "openvino", "torch"]


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
        "--engine", metavar="onnx|int8|openvino|torch", help="What runs the model; default: ONNX Runtime.",
        autocompletion=engine_names,
    ),
]  # fmt: skip
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and show no progress.")]
