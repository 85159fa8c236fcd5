"""Folders that a notebook reads and writes."""

from pathlib import Path

from ferlib.errors import FerlibError
from ferlib.paths import FIGURES, PUBLISHED, ROOT, relative


def notebook_folders(results: str, *, again: bool) -> tuple[Path, Path]:
    """Folders of a notebook's results and of its figures.

    Figures of published results belong to `FIGURES`, others into the results' own folder.

    Args:
        results: the notebook's `RESULTS_DIR`, relative to the project.
        again: the notebook computes its results again.

    Returns:
        (folder of the results, folder of the figures).

    Raises:
        FerlibError: results that are computed again would replace the published ones.
    """
    folder = (ROOT / results).resolve()
    published = folder == PUBLISHED.resolve()
    if again and (published or PUBLISHED.resolve() in folder.parents):
        raise FerlibError(
            f"RETRAIN = True would replace the published results in {relative(PUBLISHED)}; set RESULTS_DIR to a folder "
            "of your own, such as data/runs/mine."
        )
    return folder, FIGURES if published else folder / "figures"
