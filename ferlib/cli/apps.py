"""``ferlib app``: the applications in the browser."""

from pathlib import Path
from typing import Annotated

import typer


def app_command(
    notebook: Annotated[
        bool, typer.Option("--notebook", help="Serve the live demo of notebook 05 instead, with videos (Voila).")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port; default: 8501, with --notebook 8866.")
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Use the dark theme.")] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    ip: Annotated[
        str | None,
        typer.Option(help="With --notebook: address to listen on; any but this machine's own needs a token."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="With --notebook: browser, device, none, or a video, picture or folder.")
    ] = None,
) -> None:
    """Serve pictures, snapshots and the live camera in the browser, on this machine only, until Ctrl-C.

    It needs the extra `app` (`pip install -e ".[app]"`; `make setup` brings it). `ferlib app --notebook` needs nothing
    more, and serves the live demo of notebook 05 with tracks, time line, videos and other cameras.
    """
    if notebook:
        from ferlib.apps.jupyter import voila

        if source is not None and Path(source).exists():
            source = str(Path(source).resolve())  # the notebook runs in a folder of its own
        voila.serve(ip or "127.0.0.1", port or voila.PORT, source, dark, browser)
        return
    if ip is not None or source is not None:
        raise typer.BadParameter("these belong to --notebook", param_hint="--ip and --source")
    from ferlib.apps.page import launch

    launch.serve(port or launch.PORT, dark, browser)
