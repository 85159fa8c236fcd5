"""The web application, with Streamlit: ``ferlib app``.

The page is `ferlib.apps.page.script`. It listens on this machine only: it has no password, whoever opens it uses this
machine, and browsers give the camera to localhost and https alone.
"""

import socket
from importlib.util import find_spec
from pathlib import Path

from ferlib.errors import FerlibError

PORT = 8501
UPLOAD_LIMIT = 250  # megabytes that Streamlit accepts; the page itself refuses files above `HEAVIEST_UPLOAD`
EXTRA = {"streamlit": "streamlit", "streamlit_webrtc": "streamlit-webrtc"}  # module -> package of the extra `app`


def arguments(port: int = PORT, dark: bool = False, browser: bool = True) -> list[str]:
    """Build the arguments of Streamlit's own command line.

    Its options keep Streamlit from asking for a mail address, from sending statistics, and from looking up this
    machine's address outside.

    Args:
        port: port to listen on.
        dark: the dark theme.
        browser: open a window.
    """
    page = Path(__file__).parent / "script.py"
    options = {
        "server.address": "127.0.0.1",
        "server.port": port,
        "server.headless": not browser,
        "server.showEmailPrompt": False,
        "server.maxUploadSize": UPLOAD_LIMIT,
        "server.fileWatcherType": "none",  # the page does not change while it is served
        "browser.serverAddress": "localhost",
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "theme.base": "dark" if dark else "light",
        "logger.level": "error",
    }
    flags = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()]
    return ["run", str(page), *flags]


def serve(port: int = PORT, dark: bool = False, browser: bool = True) -> None:
    """Serve the page until it is interrupted.

    Args:
        port: port to listen on.
        dark: the dark theme.
        browser: open a window.

    Raises:
        FerlibError: the packages of the extra `app` are missing, or the port is taken.
    """
    missing = [package for module, package in EXTRA.items() if find_spec(module) is None]
    if missing:
        raise FerlibError(
            f'the application needs {" and ".join(missing)}; install them with: pip install -e ".[app]" '
            "(or use 'ferlib app --notebook', which needs neither)."
        )
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise FerlibError(f"port {port} is taken or not allowed; choose another with --port.") from error
    from streamlit.web.cli import main

    main(arguments(port, dark, browser), prog_name="ferlib", standalone_mode=False)
