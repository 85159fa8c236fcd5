"""Folders that a notebook reads and writes."""

from pathlib import Path

from ferlib.errors import FerlibError
from ferlib.paths import FIGURES, PUBLISHED, ROOT, RUNS, SAMPLE, relative


def notebook_folders(results: str, *, again: bool, published_only: bool = False) -> tuple[Path, Path]:
    """Folders of a notebook's results and of its figures.

    Figures of published results belong to `FIGURES`, others into the results' own folder.

    Args:
        results: the notebook's `RESULTS_DIR`, relative to the project.
        again: the notebook computes its results again.
        published_only: what it does not compute again, it reads from the published results only.

    Returns:
        (folder of the results, folder of the figures).

    Raises:
        FerlibError: results that are computed again would replace the published ones, or results that are read lie
            neither below ``data/runs`` nor in a folder that is there, or not where the notebook looks for them.
    """
    folder = (ROOT / results).resolve()
    published = folder == PUBLISHED.resolve()
    if again and (published or PUBLISHED.resolve() in folder.parents):
        raise FerlibError(
            f"RETRAIN = True would replace the published results in {relative(PUBLISHED)}; set RESULTS_DIR to a folder "
            "of your own, such as data/runs/mine."
        )
    if published_only and not again and not published:
        raise FerlibError(
            f"RESULTS_DIR = {results!r} holds nothing that RETRAIN = False reads; set it to {relative(PUBLISHED)}."
        )
    if not again and not folder.is_dir() and RUNS.resolve() not in folder.parents:
        raise FerlibError(
            f"RESULTS_DIR = {results!r} is no folder of the project; the published one is {relative(PUBLISHED)}."
        )
    return folder, FIGURES if published else folder / "figures"


def notebook_data(name: str) -> Path | None:
    """Return the data folder that a notebook's `DATA` names; None for the one that `FERLIB_DATA` names.

    Args:
        name: ``"fer2013plus"``, or ``"drawn"`` for the drawn faces of the repository.

    Raises:
        FerlibError: another name.
    """
    if name not in ("fer2013plus", "drawn"):
        raise FerlibError(f"DATA = {name!r} is no data set of the notebooks; choose 'fer2013plus' or 'drawn'.")
    return SAMPLE if name == "drawn" else None
