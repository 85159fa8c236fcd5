"""Notebook 05 as an application in the browser, with Voila: ``ferlib app --notebook``.

Only the code cells tagged ``app`` run. The address is this machine's own; any other one needs a token, which is made up
and shown at the start, because whoever opens the page uses this machine.
"""

import ipaddress
import os

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from traitlets.config import Config

from ferlib import paths
from ferlib.errors import FerlibError

NOTEBOOK = "05_live_demo.ipynb"
PORT = 8866
TAG = "app"
TITLE = """\
# Facial expressions, live

Press **Start** and allow the camera. Its pictures go to the program on this machine and nowhere else; nothing is
stored. An expression is not a feeling: please do not point this at people who have not agreed."""


def app_notebook(notebook: NotebookNode, source: str | None = None) -> NotebookNode:
    """Cut the application out of notebook 05.

    Args:
        notebook: the notebook.
        source: replaces the notebook's parameter ``SOURCE``; None leaves it.

    Returns:
        A notebook of the cells tagged ``app``, below a title.

    Raises:
        FerlibError: no cell is tagged ``app``.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])]
    if not cells:
        raise FerlibError(f"{NOTEBOOK} has no cells tagged {TAG!r}; check out the file again.")
    if source is not None:
        after = 1 + max(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
        cells.insert(after, new_code_cell(f"SOURCE = {source!r}", id="chosen-source"))
    application = nbformat.from_dict(notebook)
    application.cells = [new_markdown_cell(TITLE, id="title"), *cells]
    return application


def configuration(ip: str, port: int, source: str | None, dark: bool, browser: bool) -> Config:
    """Build the configuration of Voila.

    Args:
        ip: address to listen on; any but this machine's own needs a token.
        port: port to listen on.
        source: replaces the notebook's ``SOURCE``; None leaves it.
        dark: the dark theme.
        browser: open a window.
    """
    config = Config()
    config.Voila.ip = ip
    config.Voila.port = port
    config.Voila.open_browser = browser
    config.Voila.auto_token = not is_this_machine(ip)
    config.VoilaConfiguration.theme = "dark" if dark else "light"
    config.VoilaConfiguration.prelaunch_hook = lambda request, notebook, cwd: app_notebook(notebook, source)
    return config


def is_this_machine(address: str) -> bool:
    """Tell whether only this machine can reach an address.

    Args:
        address: an IP address, or "localhost".
    """
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def serve(
    ip: str = "127.0.0.1", port: int = PORT, source: str | None = None, dark: bool = False, browser: bool = True
) -> None:
    """Serve the application until it is interrupted.

    Args:
        ip: address to listen on; any but this machine's own needs a token.
        port: port to listen on.
        source: replaces the notebook's ``SOURCE``; None leaves it.
        dark: the dark theme.
        browser: open a window.

    Raises:
        FerlibError: Voila or the notebook is missing.
    """
    try:
        from voila.app import Voila
    except ImportError as error:
        raise FerlibError("the application needs voila, which is not installed; run 'make setup'.") from error
    notebook = paths.NOTEBOOKS / NOTEBOOK
    if not notebook.is_file():
        raise FerlibError(f"{paths.relative(notebook)} is missing; check out the whole repository.")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # no debugger warning on the terminal
    Voila.launch_instance(argv=[str(notebook)], config=configuration(ip, port, source, dark, browser))
