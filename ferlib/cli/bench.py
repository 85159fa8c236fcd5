"""``ferlib bench``: speed, measured on this machine."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ferlib.cli.help import HelpTyper
from ferlib.cli.options import (
    EngineOption,
    JsonOption,
    ModelOption,
    PublishOption,
    QuietOption,
    progress_printer,
    recipe_names,
)

bench_app = HelpTyper(help="Measure speed on this machine; leave it idle meanwhile.")


@bench_app.command("train")
def bench_train(
    recipe: Annotated[
        str, typer.Option(help="Recipe whose network, sizes and schedule are measured.", autocompletion=recipe_names)
    ] = "convnext",
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each loop, in turns.")] = 3,
    as_json: JsonOption = False,
    publish: PublishOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the images a second of our training loop, beside the usual one with PNG files and a DataLoader.

    Two cores need two to five minutes a round.
    """
    from ferlib.bench import training

    measured = training.compare_loops(recipe, rounds=rounds, say=progress_printer(quiet))
    _print_measured(measured, training.render_loops, as_json, "bench_train" if publish else None)


@bench_app.command("models")
def bench_models(as_json: JsonOption = False, publish: PublishOption = False) -> None:
    """Measure parameters, multiply-adds and milliseconds a face of every model that is here."""
    from ferlib.bench import models
    from ferlib.models import checkpoints

    measured = models.compare_models([checkpoints.load(name) for name in checkpoints.available()])
    _print_measured(measured, models.render_models, as_json, "bench_models" if publish else None)


@bench_app.command("live")
def bench_live(
    model: ModelOption = None,
    engine: EngineOption = None,
    folder: Annotated[
        bool, typer.Option("--folder", help="Measure the scoring of a folder and its memory, too (minutes).")
    ] = False,
    accuracy: Annotated[
        bool, typer.Option("--accuracy", help="Measure what the speed costs in faces and boxes, too.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Use a few small pictures, to see that it works.")] = False,
    as_json: JsonOption = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Record the result in data/published; needs --folder and --accuracy.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the milliseconds of a frame, beside facenet-pytorch and eager torch, and of a face on each engine.

    Examples: `ferlib bench live`, `ferlib bench live --engine int8 --json`, `ferlib bench live --folder --accuracy`.
    """
    from ferlib.bench import accuracy as bench_accuracy
    from ferlib.bench import engines, frames, text
    from ferlib.bench import folder as bench_folder

    if publish and not (folder and accuracy and not quick):
        raise typer.BadParameter(
            "what is recorded is all of it: --folder --accuracy, without --quick", param_hint="--publish"
        )
    say = progress_printer(quiet)
    frame_options: dict[str, Any] = {}
    folder_options: dict[str, Any] = {}
    if quick:
        frame_options = {"sizes": ((320, 240),), "faces": (1,), "threads": (1,), "rounds": 2, "warm_up": 1}
        folder_options = {"counts": (4, 8), "few": 2}
    measured = frames.compare_frame_times(model, engine, **frame_options, say=say)
    measured["classifier"] = engines.compare_engines(model, **({"rounds": 5, "warm_up": 1} if quick else {}))
    if accuracy:
        measured["accuracy"] = bench_accuracy.compare_accuracy(model, engine)
    if folder:
        measured["folder"] = bench_folder.compare_folders(model, **folder_options, say=say)
    _print_measured(measured, text.render_live, as_json, "bench_live" if publish else None)


def _print_measured(measured: dict, render: Callable[[dict], str], as_json: bool, published: str | None) -> None:
    """Print a measurement and, under the name `published`, record it."""
    if published is not None:
        from ferlib import paths
        from ferlib.files import write_json

        write_json(paths.PUBLISHED / f"{published}.json", measured)
    typer.echo(json.dumps(measured) if as_json else render(measured))
