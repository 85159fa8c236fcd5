"""``ferlib data``: get the data set and look at it."""

import json
import os
import time
from contextlib import suppress
from typing import Annotated

import typer

from ferlib.cli.help import HelpTyper
from ferlib.cli.options import JsonOption, PublishOption
from ferlib.errors import FerlibError

data_app = HelpTyper(help="Get the FER2013+ data set, and check what you have.")


@data_app.command("fetch")
def fetch_command(
    images: Annotated[bool, typer.Option(help="Get the images, too (needs a Kaggle login).")] = True,
) -> None:
    """Download FER2013 with kagglehub and the FER+ labels into data/raw; an interrupted download goes on."""
    from ferlib import paths
    from ferlib.data.fetch import fetch

    fetch(images=images)
    if not images:
        typer.echo("The labels of FER+ are in data/raw; 'ferlib data fetch' gets the images, too.")
        return
    typer.echo("FER2013+ is in data/raw; look at it with 'ferlib data check'.")
    with suppress(FerlibError):  # FERLIB_DATA may name nothing yet
        if paths.data_root().resolve() == paths.RAW.resolve():
            return
    if os.environ.get("FERLIB_DATA"):
        typer.echo("FERLIB_DATA names another folder, which is read in its place; unset it to use data/raw.")


@data_app.command("check")
def check_command(as_json: JsonOption = False, publish: PublishOption = False) -> None:
    """Check the data set: counts per split, class and rule, FER2013's own labels, copies, leaks, and what is wrong.

    The search for copies takes about four minutes the first time. The environment variable FERLIB_EMOTIONS names a csv
    with FER2013's own labels for data that lacks them.
    """
    from ferlib import paths
    from ferlib.data import check, check_report

    started = time.perf_counter()
    report = check.check(paths.data_root())
    if publish and not report.official:
        raise FerlibError("this is not the official data, so it cannot be published; leave --publish out.")
    if publish:
        check.record(report, paths.PUBLISHED, time.perf_counter() - started)
    typer.echo(json.dumps(report.to_dict()) if as_json else check_report.render(report))
