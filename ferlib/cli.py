"""The command line: thin commands over the package; every import that is slow happens inside its command."""

import io
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from ferlib.cli_bench import bench_app
from ferlib.cli_data import data_app
from ferlib.cli_evaluate import evaluate
from ferlib.cli_export import export
from ferlib.cli_options import Json, Quiet, recipe_names, teller
from ferlib.cli_predict import predict
from ferlib.errors import FerlibError

EPILOG = """
Examples:

- `ferlib demo`: the whole way once, on a photo that came with the installation
- `ferlib predict photo.jpg`: your own pictures; `--csv faces.csv --annotate out/` for tables and boxes
- `ferlib app`: pictures and camera in the browser
- `ferlib doctor`: what is installed and found, and what to do about the rest
- `ferlib evaluate --split test`: how good the shipped model is

`ferlib COMMAND --help` says more. The data set is found through the environment variable FERLIB_DATA.
Status: 0 done, 1 something failed and was named, 2 wrong usage, 130 interrupted. NO_COLOR=1 switches colours off.
Completion with the tab key: `ferlib --install-completion`, then open a new terminal.
"""

app = typer.Typer(
    name="ferlib",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    epilog=EPILOG,
)
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")
app.command()(export)

Replace = Annotated[bool, typer.Option("--replace", help="Overwrite what was published under this name.")]


def _version(wanted: bool) -> None:
    if wanted:
        from ferlib import __version__

        typer.echo(f"ferlib {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Find every face in a picture and say which of eight emotions it shows, with probabilities."""


app.command()(predict)


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where the annotated picture goes.")] = None,
) -> None:
    """The main job on the picture that the installation carries: a public-domain photo of an astronaut."""
    from ferlib.live.demo import run_demo

    run_demo(out)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What is installed and found here, and what to do about the rest; the status is 1 when something is missing."""
    from ferlib import doctor as looks

    findings = looks.examine()
    typer.echo(json.dumps(looks.as_dict(findings)) if as_json else looks.render(findings))
    raise typer.Exit(0 if looks.healthy(findings) else 1)


@app.command("app")
def web_app(
    notebook: Annotated[
        bool, typer.Option("--notebook", help="The live demo of notebook 05 instead, with videos (Voila).")
    ] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: 8501; with --notebook 8866.")] = None,
    dark: Annotated[bool, typer.Option("--dark", help="The dark theme.")] = False,
    browser: Annotated[bool, typer.Option(help="Open a window.")] = True,
    ip: Annotated[
        str | None,
        typer.Option(help="With --notebook: address to listen on; any but this machine's own needs a token."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="With --notebook: browser, device, none, or a video, picture or folder.")
    ] = None,
) -> None:
    """Pictures, snapshots and the live camera in the browser, on this machine only, until Ctrl-C.

    It needs the extra `app` (`pip install -e ".[app]"`; `make setup` brings it). `ferlib app --notebook` needs nothing
    more and serves the live demo of notebook 05, with tracks, time line, videos and other cameras.
    """
    if notebook:
        from ferlib import app as notebook_app

        if source is not None and Path(source).exists():
            source = str(Path(source).resolve())  # the notebook runs in a folder of its own
        notebook_app.serve(ip or "127.0.0.1", port or notebook_app.PORT, source, dark, browser)
        return
    if ip is not None or source is not None:
        raise typer.BadParameter("these belong to --notebook", param_hint="--ip and --source")
    from ferlib import web_app as page

    page.serve(port or page.PORT, dark, browser)


app.command()(evaluate)


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(help="A published recipe, for example custom_cnn.", autocompletion=recipe_names)
    ],
    name: Annotated[str | None, typer.Option(help="Folder under data/runs; default: the recipe's name.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of weights, order and augmentation.")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Another length than the recipe's.")] = None,
    precision: Annotated[str | None, typer.Option(metavar="no|fp16|bf16", help="Of the forward pass.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a published recipe on FERLIB_DATA. Interrupted anywhere, the same command goes on from the last epoch.

    Examples: `ferlib train custom_cnn`, `ferlib train convnext --seed 1 --name convnext-seed1`. It uses the GPU when
    torch finds one. Several processes: `accelerate launch -m ferlib.cli train NAME`.
    """
    from ferlib.learning import recipes, runs

    if precision not in (None, "no", "fp16", "bf16"):
        raise typer.BadParameter("choose no, fp16 or bf16", param_hint="--precision")
    changes = {"seed": seed} | ({"epochs": epochs} if epochs else {})
    try:
        best = runs.train(recipes.recipe(recipe, **changes), name or recipe, precision=precision, progress=not quiet)
    except KeyboardInterrupt:
        typer.echo("\nferlib: stopped; the same command goes on from the last whole epoch.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps({"run": name or recipe, **{key: best[key] for key in ("epoch", "valid_accuracy")}}))
    elif not quiet:
        typer.echo(
            f"best epoch {best['epoch']}: {best['valid_accuracy']:.2%} of valid (run data/runs/{name or recipe})"
        )


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="A finished run.")],
    replace: Replace = False,
    weights: Annotated[
        bool, typer.Option("--weights/--no-weights", help="Ship the weights, or the predictions alone.")
    ] = True,
) -> None:
    """Ship a finished run: weights, predictions on valid and test, scores. Test is read here, once a model."""
    from ferlib.learning import publication

    publication.publish(name, replace=replace, weights=weights)
    for split in ("valid", "test"):
        typer.echo(publication.render_evaluation(publication.evaluate_model(name, split)))


@app.command()
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
    from ferlib import study as full

    found = full.run(name, risk=risk, images=images, say=teller(quiet))
    if as_json or not quiet:
        typer.echo(json.dumps(found) if as_json else full.render(found))


@app.command()
def figures(
    model: Annotated[str | None, typer.Option("--model", help="Whose figures; default: the shipped one.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Name of one figure, without number and suffix.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Default: figures/.")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write vector PDF instead of PNG.")] = False,
) -> None:
    """Draw the figures of the evaluation from data/published; equal numbers give equal files."""
    from ferlib import paths
    from ferlib.figures import write

    written = write(out or paths.FIGURES, name=model, only=only, suffix="pdf" if pdf else "png")
    for path in written:
        typer.echo(f"written: {paths.relative(path)}")
    missing = set(only or ()) - {path.stem.split("_", 1)[1] for path in written}
    if missing:
        raise FerlibError(f"nothing is published yet for the figure {', '.join(sorted(missing))}.")


@app.command()
def notebooks(
    profile: Annotated[str, typer.Argument(metavar="published|smoke|full", help="Which settings.")] = "published",
    only: Annotated[list[str] | None, typer.Option(help="Name of one notebook, without suffix.")] = None,
) -> None:
    """Run the notebooks in order, headless: as published, on drawn faces (smoke), or with real training (full)."""
    from ferlib.notebooks import run

    for path in run(profile, only):
        typer.echo(f"done: {path.name}")


def main() -> None:
    """Entry point: errors that people can mend become one sentence and status 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that the terminal cannot write is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters about a picture is said in our own words
    try:
        app()
    except FerlibError as error:
        print(f"ferlib: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at the end
        sys.exit(1)
    except OSError as error:
        what, why = error.filename, error.strerror or error
        told = f"{what} cannot be used ({why}); check the name and your rights" if what else f"the system says: {why}"
        print(f"ferlib: {told}.", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
