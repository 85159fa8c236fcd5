"""``ferlib bench``: speed, measured on this machine."""

import json
from collections.abc import Callable
from typing import Annotated

import typer

from ferlib.cli_options import Json

bench_app = typer.Typer(no_args_is_help=True, help="Measure speed on this machine; leave it idle meanwhile.")


@bench_app.command("train")
def bench_train(
    model: Annotated[str, typer.Option(help="Network.")] = "convnext_atto",
    size: Annotated[int, typer.Option(min=32, help="Input side, pixels.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each loop, in turns.")] = 3,
    as_json: Json = False,
    publish: Annotated[bool, typer.Option("--publish", help="Record it in data/published.")] = False,
) -> None:
    """Pictures a second of our training loop, beside the usual one with PNGs and a DataLoader."""
    from ferlib.learning import bench

    _tell(bench.compare_loops(model, size, rounds=rounds), bench.render_loops, as_json, "bench_train", publish)


@bench_app.command("models")
def bench_models(
    as_json: Json = False,
    publish: Annotated[bool, typer.Option("--publish", help="Record it in data/published.")] = False,
) -> None:
    """Parameters, multiply-adds and milliseconds a face of every shipped model."""
    from ferlib.learning import bench, checkpoints

    loaded = [checkpoints.load(name) for name in checkpoints.available()]
    _tell(bench.compare_models(loaded), bench.render_models, as_json, "bench_models", publish)


def _tell(found: dict, render: Callable[[dict], str], as_json: bool, name: str, publish: bool) -> None:
    """Print a measurement and, when asked, record it."""
    if publish:
        from ferlib import paths
        from ferlib.files import write_json

        write_json(paths.PUBLISHED / f"{name}.json", found)
    typer.echo(json.dumps(found) if as_json else render(found))
