"""Where things are: the project's folders, and the data set that `FERLIB_DATA` names."""

import os
from pathlib import Path

from ferlib.errors import FerlibError

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
FIGURES = ROOT / "figures"
DATA = ROOT / "data"
SAMPLE = DATA / "sample"  # drawn faces that the repository carries
PUBLISHED = DATA / "published"  # small results of the published runs
CHECKPOINTS = DATA / "checkpoints"  # shipped weights with their sidecars
RAW = DATA / "raw"  # where `ferlib data fetch` puts FER2013+ (not in git)
PROCESSED = DATA / "processed"  # caches and manifests (not in git)
RUNS = DATA / "runs"  # training runs (not in git)


def data_root() -> Path:
    """Folder of FER2013+: the environment variable `FERLIB_DATA`, from here or from the project, else `data/raw`.

    Raises FerlibError when `FERLIB_DATA` names no folder, or when it is unset and `data/raw` holds nothing.
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
    """`path` relative to the project where it lies inside it, for outputs that must not show a machine's folders."""
    path = Path(path)
    try:
        return path.resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return path.name
