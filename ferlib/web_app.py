"""The study's own front door in the browser, with Streamlit: ``ferlib app``.

The page is `ferlib.live.web_page`. It listens on this machine only: it has no password, whoever opens it uses this
machine, and browsers give the camera to localhost and https alone.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from ferlib.errors import FerlibError

PORT = 8501
UPLOAD_LIMIT = 100  # megabytes of one file
EXTRA = {"streamlit": "streamlit", "streamlit_webrtc": "streamlit-webrtc"}  # module -> package of the extra `app`


def command(port: int = PORT, dark: bool = False, browser: bool = True) -> list[str]:
    """The command line that serves the page.

    Its options keep Streamlit from asking for an address, from sending statistics, and from looking for this machine's
    address outside.
    """
    page = Path(__file__).parent / "live" / "web_page.py"
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
    told = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(page), *told]


def serve(port: int = PORT, dark: bool = False, browser: bool = True) -> int:
    """Serve the page until it is interrupted; the exit status.

    Args:
        port: of the address.
        dark: the dark theme.
        browser: open a window.

    Raises:
        FerlibError: the packages of the extra `app` are missing.
    """
    missing = [package for module, package in EXTRA.items() if find_spec(module) is None]
    if missing:
        raise FerlibError(
            f"the application needs {' and '.join(missing)}; install them with: pip install -e '.[app]' "
            "(or use 'ferlib app --notebook', which needs neither)."
        )
    process = subprocess.Popen(command(port, dark, browser), env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        return process.wait()
    except KeyboardInterrupt:
        return process.wait()  # Ctrl-C reached it as well
    finally:
        if process.poll() is None:
            process.terminate()
