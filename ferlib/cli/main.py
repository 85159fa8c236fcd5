"""Entry point of the command line; every import that is slow happens inside its command."""

import io
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from ferlib.cli.apps import app_command
from ferlib.cli.bench import bench_app
from ferlib.cli.data import data_app
from ferlib.cli.evaluate import evaluate_command
from ferlib.cli.export import export_command
from ferlib.cli.help import HelpTyper
from ferlib.cli.options import JsonOption
from ferlib.cli.predict import predict_command
from ferlib.cli.study import figures_command, notebooks_command, study_command
from ferlib.cli.train import publish_command, train_command
from ferlib.errors import FerlibError

EPILOG = """
\b
Examples:
  ferlib demo                    everything once, on the package's own photo
  ferlib predict photo.jpg       your own pictures
  ferlib predict holiday/ --csv faces.csv --annotate out/
                                 a folder, with a table and drawn boxes
  ferlib app                     pictures and camera in the browser
  ferlib doctor                  what is installed and found, and what to do
  ferlib evaluate --split test   how good the shipped model is

ferlib COMMAND --help says more. The environment variable FERLIB_DATA names the folder of the data set.
Exit status: 0 done, 1 something failed and was named, 2 wrong usage, 130 interrupted. NO_COLOR=1 switches colours off.
Completion with the tab key: ferlib --install-completion, then open a new terminal.
"""

app = HelpTyper(name="ferlib", context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from ferlib import __version__

        typer.echo(f"ferlib {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find every face in a picture and say which of eight emotions it shows, with probabilities."""


@app.command("demo")
def demo_command(
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File of the annotated picture; default: demo.png among the runs."),
    ] = None,
) -> None:
    """Find the face in the photo that comes with the package, a public-domain picture of an astronaut."""
    from ferlib.cli.demo import run_demo

    run_demo(out)


@app.command("doctor")
def doctor_command(as_json: JsonOption = False) -> None:
    """Check what is installed and found here, and say what to do about the rest; exit status 1 for a problem."""
    from ferlib.cli import doctor

    findings = doctor.examine()
    typer.echo(json.dumps(doctor.as_dict(findings)) if as_json else doctor.render_findings(findings))
    raise typer.Exit(0 if doctor.is_healthy(findings) else 1)


app.command("predict")(predict_command)
app.command("app")(app_command)
app.command("evaluate")(evaluate_command)
app.command("export")(export_command)
app.command("train")(train_command)
app.command("publish")(publish_command)
app.command("study")(study_command)
app.command("figures")(figures_command)
app.command("notebooks")(notebooks_command)
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")


def main() -> None:
    """Run the command line; an error that people can mend becomes one sentence and exit status 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that the terminal cannot write is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters about a picture is said in our own words
    try:
        app()
    except FerlibError as error:
        _complain(str(error))
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at the end
        sys.exit(1)
    except OSError as error:
        reason = error.strerror or error
        if error.filename:
            sentence = f"{error.filename} cannot be used ({reason}); check the name and your rights"
        else:
            sentence = f"the system says: {reason}"
        _complain(f"{sentence}.")
        sys.exit(1)


def _complain(sentence: str) -> None:
    """Print the sentence of an error; names in it may hold what a terminal would obey."""
    from ferlib.text import printable

    print(printable(f"ferlib: {sentence}"), file=sys.stderr)
