"""Folders of the package, the project and the data set.

In a checkout, runs and caches lie under its `data` folder. Installed elsewhere, they lie under `HOME`: the folder that
the environment variable `FERLIB_HOME` names, else the one that the system has for a user's data. Nothing is ever
written into the package's own folder.
"""

import os
from pathlib import Path

from ferlib.errors import FerlibError

PACKAGE = Path(__file__).resolve().parent
WEIGHTS = PACKAGE / "weights"  # what prediction needs: shipped graphs, their sidecars, the demo photo

IN_CHECKOUT = (PACKAGE.parent / "pyproject.toml").is_file() and (PACKAGE.parent / "notebooks").is_dir()


def _home() -> Path:
    """Folder of what a user's runs leave behind."""
    named = os.environ.get("FERLIB_HOME")
    if named:
        return Path(named).expanduser().resolve()
    if IN_CHECKOUT:
        return PACKAGE.parent / "data"
    from platformdirs import user_data_path

    return user_data_path("ferlib", appauthor=False)


HOME = _home()
ROOT = PACKAGE.parent if IN_CHECKOUT else HOME
NOTEBOOKS = ROOT / "notebooks"
FIGURES = ROOT / "figures"
DATA = ROOT / "data" if IN_CHECKOUT else HOME
SAMPLE = DATA / "sample"  # drawn faces that the repository carries
PUBLISHED = DATA / "published"  # small results of the published runs
CHECKPOINTS = DATA / "checkpoints"  # weights that the repository carries beside the shipped ones
RAW = HOME / "raw"  # where `ferlib data fetch` puts FER2013+
PROCESSED = HOME / "processed"  # prepared data, manifests, graphs
CACHE = PROCESSED  # machine code of compiled loops
RUNS = HOME / "runs"  # training runs


def data_root() -> Path:
    """Find the folder of FER2013+: the environment variable `FERLIB_DATA`, from here or from the project, else `RAW`.

    Raises:
        FerlibError: `FERLIB_DATA` names no folder, or it is unset and `RAW` holds nothing.
    """
    named = os.environ.get("FERLIB_DATA")
    if named:
        root = Path(named).expanduser()
        if not root.is_dir():  # notebooks run in their own folder
            root = ROOT / root
        if not root.is_dir():
            raise FerlibError(
                f"FERLIB_DATA names {named!r}, which is not a folder; set it to the folder that holds FER2013+."
            )
        return root
    if not RAW.is_dir() or not any(RAW.iterdir()):
        raise FerlibError("FER2013+ was not found; set FERLIB_DATA to its folder, or get it with 'ferlib data fetch'.")
    return RAW


def relative(path: str | Path) -> str:
    """Give `path` relative to the project where it lies inside it, for outputs that must not show a machine's folders.

    Args:
        path: any path.

    Returns:
        The relative path with slashes; outside the project the last name alone.
    """
    path = Path(path)
    try:
        return path.resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return path.name
