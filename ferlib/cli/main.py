"""The command line: thin commands over the package; every import that is slow happens inside its command."""

import io
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from ferlib.cli.apps import web_app
from ferlib.cli.bench import bench_app
from ferlib.cli.data import data_app
from ferlib.cli.evaluate import evaluate
from ferlib.cli.export import export
from ferlib.cli.options import Json
from ferlib.cli.predict import predict
from ferlib.cli.study import figures, notebooks, study
from ferlib.cli.train import publish, train
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
    from ferlib.cli.demo import run_demo

    run_demo(out)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What is installed and found here, and what to do about the rest; the status is 1 when something is missing."""
    from ferlib.cli import doctor as looks

    findings = looks.examine()
    typer.echo(json.dumps(looks.as_dict(findings)) if as_json else looks.render(findings))
    raise typer.Exit(0 if looks.healthy(findings) else 1)


app.command("app")(web_app)
for command in (evaluate, train, publish, study, figures, notebooks):
    app.command()(command)


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
