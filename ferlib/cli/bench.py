"""``ferlib bench``: speed, measured on this machine."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ferlib.cli.options import Engine, Json, Model, Quiet, recipe_names, teller

bench_app = typer.Typer(no_args_is_help=True, help="Measure speed on this machine; leave it idle meanwhile.")


@bench_app.command("train")
def bench_train(
    recipe: Annotated[
        str, typer.Option(help="Its network, input size and schedule are measured.", autocompletion=recipe_names)
    ] = "convnext",
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each loop, in turns.")] = 3,
    as_json: Json = False,
    publish: Annotated[bool, typer.Option("--publish", help="Record it in data/published.")] = False,
    quiet: Quiet = False,
) -> None:
    """Pictures a second of our training loop, beside the usual one with PNGs and a DataLoader.

    Two cores need two to five minutes a round.
    """
    from ferlib.bench import training

    found = training.compare_loops(recipe, rounds=rounds, say=teller(quiet))
    _tell(found, training.render_loops, as_json, "bench_train", publish)


@bench_app.command("models")
def bench_models(
    as_json: Json = False,
    publish: Annotated[bool, typer.Option("--publish", help="Record it in data/published.")] = False,
) -> None:
    """Parameters, multiply-adds and milliseconds a face of every shipped model."""
    from ferlib.bench import models
    from ferlib.models import checkpoints

    loaded = [checkpoints.load(name) for name in checkpoints.available()]
    _tell(models.compare_models(loaded), models.render_models, as_json, "bench_models", publish)


@bench_app.command("live")
def bench_live(
    model: Model = None,
    engine: Engine = None,
    folder: Annotated[bool, typer.Option("--folder", help="Folder scoring and its memory, too (minutes).")] = False,
    accuracy: Annotated[bool, typer.Option("--accuracy", help="What the speed costs in faces and boxes, too.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A few small pictures, to see that it works.")] = False,
    as_json: Json = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Record it in data/published; needs --folder and --accuracy.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Milliseconds a frame beside facenet-pytorch and eager torch, and of one face with each engine.

    Examples: `ferlib bench live`, `ferlib bench live --engine int8 --json`, `ferlib bench live --folder --accuracy`.
    """
    from ferlib.bench import accuracy as bench_accuracy
    from ferlib.bench import engines, frames, text
    from ferlib.bench import folder as bench_folder

    if publish and not (folder and accuracy and not quick):
        raise typer.BadParameter(
            "what is recorded is all of it: --folder --accuracy, without --quick", param_hint="--publish"
        )
    say = teller(quiet)
    few: dict[str, Any] = {}
    sizes: dict[str, Any] = {}
    if quick:
        few = {"sizes": ((320, 240),), "faces": (1,), "threads": (1,), "rounds": 2, "warm_up": 1}
        sizes = {"counts": (4, 8), "few": 2}
    found = frames.compare_frame_times(model, engine, **few, say=say)
    found["classifier"] = engines.compare_engines(model, **({"rounds": 5, "warm_up": 1} if quick else {}))
    if accuracy:
        found["accuracy"] = bench_accuracy.compare_accuracy(model, engine)
    if folder:
        found["folder"] = bench_folder.compare_folders(model, **sizes, say=say)
    _tell(found, text.render_live, as_json, "bench_live", publish)


def _tell(found: dict, render: Callable[[dict], str], as_json: bool, name: str, publish: bool) -> None:
    """Print a measurement and, when asked, record it."""
    if publish:
        from ferlib import paths
        from ferlib.files import write_json

        write_json(paths.PUBLISHED / f"{name}.json", found)
    typer.echo(json.dumps(found) if as_json else render(found))
